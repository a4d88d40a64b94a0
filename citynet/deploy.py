"""Commands of docker-compose.yml: prepare outside servers, make streams, tell whether a part is alive."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit

import psycopg
import typer

from citynet import bus, db, migrate, settings
from citynet.broker_config import broker_config
from citynet.clock import moment
from citynet.rewind import Rewound, rewind

HEARTBEAT_S_MAX = 20.0
app = typer.Typer(
    help="What docker-compose.yml calls; by hand only for an installation of your own.", no_args_is_help=True
)


def admin_url(city: settings.Settings) -> str:
    """libpq URL of the superuser of an outside PostgreSQL, password from the secret db_admin."""
    url = urlsplit(city.database_url)
    password = quote(city.secret("db_admin"), safe="")
    return f"postgresql://postgres:{password}@{url.hostname}:{url.port or 5432}/postgres"


@app.command()
def prepare() -> None:
    """Make roles and database, bring the schema forward, write the broker's configuration."""
    city = settings.load()
    name = urlsplit(city.database_url).path.lstrip("/")
    with psycopg.connect(admin_url(city), autocommit=True) as admin:
        migrate.create_roles(admin, city)
        migrate.create_database(admin, name)
    before, after = migrate.migrate(db.dsn(city, "owner"))
    typer.echo(f"schema {before} -> {after}")
    folder = city.home / "nats"
    (folder / "store").mkdir(exist_ok=True)  # ingest watches its disk
    path = folder / "nats.conf"
    path.touch(mode=0o600)
    path.write_text(broker_config(city, store=folder / "store"))
    typer.echo(f"wrote {path}")


@app.command()
def streams() -> None:
    """Make the streams on the broker, or bring them to the settings."""

    async def ensure() -> None:
        async with bus.connected(settings.load(), "admin") as admin:
            await admin.ensure_streams()

    asyncio.run(ensure())


@app.command(name="rewind")
def rewind_command(
    since: Annotated[str, typer.Option(help="90m, 2h, 3d ago or an ISO 8601 time: a little before the backup.")],
) -> None:
    """After a restore, with gateway and ingest stopped: frames since then are decoded and stored again, each once."""

    async def go() -> list[Rewound]:
        async with bus.connected(settings.load(), "admin") as admin:
            return await rewind(admin, moment(since, datetime.now(UTC)))

    for one in asyncio.run(go()):
        typer.echo(f"{one.stream}: {one.frames} frames come again, from sequence {one.first}")


@app.command()
def health() -> None:
    """Fail when the part of this container has not shown a heartbeat for 20 s."""
    name = settings.load().heartbeat
    path = Path(name)
    if not name or not path.exists():
        raise typer.Exit(1)
    age_s = time.time() - path.stat().st_mtime
    if age_s > HEARTBEAT_S_MAX:
        typer.echo(f"last heartbeat {age_s:.0f} s ago")
        raise typer.Exit(1)
