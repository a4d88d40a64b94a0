"""`citynet retention`: how long each class of data is kept, and what has had its time by now. Changes nothing."""

import asyncio

import typer

from citynet import db, settings
from citynet.clock import Clock, wall_clock
from citynet.db import Database
from citynet.settings import Settings
from ingest.retention import Going, Retention, kept


def retention() -> None:
    """Say what would go now, and what waits for its roll-up. Nothing is dropped here: ingest does that by itself."""
    city = settings.load()
    found = {one.kept.name: one for one in asyncio.run(_going(city))}
    for one in kept(city):
        typer.echo(f"{one.name}: kept for {one.days} days" if one.days else f"{one.name}: kept for ever")
        for line in _lines(found.get(one.name)):
            typer.echo(f"  {line}")
    typer.echo(f"frames: kept for {city.archive_days} days, at most {city.archive_max_bytes / 1e6:.0f} MB")
    typer.echo("audit, corrections, receipts, registry: kept for ever")


async def _going(city: Settings) -> list[Going]:
    database = await Database(db.dsn(city, "ingest"), size=2).open()
    try:
        row = await database.row("SELECT origin, wall_origin, speed FROM city_clock")
        clock = Clock(row["origin"], row["wall_origin"], row["speed"]) if row else wall_clock()
        return await Retention(database, city, clock).going()
    finally:
        await database.close()


def _lines(going: Going | None) -> list[str]:
    if going is None:
        return []
    if not going.kept.whole:
        return [f"{going.rows} rows from before {going.before:%Y-%m-%d} go"]
    ready = list(going.ready())
    waiting = [part["name"] for part in going.parts[len(ready) :]]
    lines = [f"{part['name']} until {part['until']:%Y-%m-%d} goes, {part['bytes'] / 1e6:.1f} MB" for part in ready]
    return [*lines, *(f"{name} waits for its roll-up" for name in waiting)] or ["nothing goes now"]
