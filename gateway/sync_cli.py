"""`citynet sync`: takes devices, profiles and gateways over from a network server into the registry."""

import asyncio
import json
from typing import Annotated, Any

import typer

from citynet import db
from citynet import settings as configuration
from citynet.bus import connected
from citynet.settings import Settings
from gateway.codecs.pool import Pool, limits_of

app = typer.Typer(help="Take devices over from a network server.", no_args_is_help=True)


@app.callback()
def choose() -> None:
    """One command a network server."""


@app.command()
def chirpstack(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Gateways, device profiles and devices of the ChirpStack that CITYNET_CHIRPSTACK_URL names."""
    report = asyncio.run(_chirpstack(configuration.load(), dry_run=dry_run))
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
        return
    for kind, counts in report["read"].items():
        typer.echo(f"{kind}: " + (", ".join(f"{count} {word}" for word, count in counts.items()) or "none"))
    for key in report["kept"]:
        typer.echo(f"left alone, registered by somebody else: {key}")
    for name in report["mapped"]:
        typer.echo(f"profile/{name}: a map was proposed from what its devices have sent")
    typer.echo("nothing was changed (--dry-run)" if dry_run else f"{report['applied']} objects changed")


async def _chirpstack(settings: Settings, *, dry_run: bool) -> dict[str, Any]:
    from gateway.chirpstack import handover, maps, sync
    from gateway.chirpstack.client import Client

    database = await db.Database(db.dsn(settings, "gateway"), size=1).open()
    client, pool = Client(settings), Pool(limits_of(settings), workers=1)
    try:
        found = await sync.read(client, database, settings)
        applied, mapped = 0, sync.Found()
        if not dry_run:
            async with connected(settings, "gateway") as bus:
                applied = await handover.propose(bus, found)
                mapped = await maps.propose(database, bus, pool, unmapped=found.unmapped, settings=settings)
                await handover.propose(bus, mapped)
        return {**found.report(), "applied": applied, "mapped": sorted(mapped.profiles)}
    finally:
        await pool.aclose()
        await client.close()
        await database.close()
