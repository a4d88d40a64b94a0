"""The command line `citynet`: up, run, migrate, doctor; rooms add their own commands by entry points."""

import asyncio
import importlib
import importlib.util
import json
import logging
import signal
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Annotated, Any, NamedTuple

import psycopg
import typer

from citynet import __version__, db, logs, migrate, settings
from citynet.errors import CitynetError


class Runner(NamedTuple):
    """How a part runs: its function, its role in the database, whether one process is active, its broker user."""

    path: str
    role: str
    single: bool
    user: str = ""  # where it differs from the role


RUNNERS = {
    "gateway": Runner("gateway.app:run", "gateway", False),
    "bridge": Runner("gateway.bridge.app:run", "gateway", True),
    "push": Runner("gateway.protocols.http_push.app:run", "gateway", False, "push"),
    "identity": Runner("gateway.identity.app:run", "identity", False),
    "ingest": Runner("ingest.app:run", "ingest", False),
    "analytics": Runner("analytics.app:run", "analytics", False),
    "worker": Runner("situation_center.worker:run", "center", True),
}
app = typer.Typer(
    help="citynet: IoT ingestion and a smart-city situational centre. Start with `citynet up --demo`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _named(path: str) -> Any:
    module, name = path.split(":")
    return getattr(importlib.import_module(module), name)


@app.command()
def run(
    part: Annotated[str, typer.Argument(help=f"{', '.join(RUNNERS)} or web")],
) -> None:
    """Run one part in this process until SIGTERM. More processes of one part share its work or stand by."""
    from citynet.part import run_part

    city = settings.load()
    logs.configure(city, part)
    if part == "web":
        _named("situation_center.app:serve")(city)
        return
    if part not in RUNNERS:
        raise typer.BadParameter(f"no part is called {part!r}: choose {', '.join(RUNNERS)} or web")
    how = RUNNERS[part]
    try:
        import uvloop

        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop
    except ImportError:
        loop_factory = None
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(run_part(part, city, _named(how.path), role=how.role, single=how.single, user=how.user))


@app.command()
def up(
    demo: Annotated[bool, typer.Option(help="Add the simulated fleet and the recordings: a city to look at.")] = False,
    speed: Annotated[float, typer.Option(help="City seconds a wall second, with --demo.", min=0.1, max=3600)] = 1.0,
) -> None:
    """Start a whole city on this machine and keep it alive; Ctrl-C stops it, the next start goes on."""
    from citynet.supervisor import PARTS, City

    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda got, _: stopping.append(got))
    typer.echo(f"citynet {__version__}: starting a city in {settings.load().home}")
    bridge = ("bridge",) if settings.load().bridged else ()
    with City(settings.load(), parts=(*PARTS, *bridge), say=typer.echo) as city:
        if demo:
            _demo(city, speed)
        typer.echo(f"\n  Screens:  {city.web_url}")
        typer.echo(f"  Sign in once with:  {city.account_link(demo=demo)}")
        typer.echo(f"  MQTT for devices:  {city.settings.mqtt_host}:{city.settings.mqtt_port}")
        typer.echo(f"  HTTP for devices:  http://{city.settings.push_host}:{city.settings.push_port}/v1/openapi.json")
        typer.echo("  Stop with Ctrl-C; everything is kept.\n")
        city.run_until(lambda: bool(stopping))
        typer.echo("stopping")
    typer.echo("stopped; start again to go on")


def _demo(city: Any, speed: float) -> None:
    from citynet.supervisor import Progress

    with psycopg.connect(db.dsn(city.settings, "owner")) as conn:
        row = conn.execute("SELECT speed FROM city_clock").fetchone()
    if row is None or row[0] != speed:
        city.set_clock(speed=speed)
    city.progress = Progress(city.settings.home / "logs" / "simulate.log")
    city.start_part("simulate", command="simulate")


@app.command(name="migrate")
def migrate_command(
    check: Annotated[bool, typer.Option("--check", help="Only say whether something is to be done.")] = False,
) -> None:
    """Bring the database schema to this version of citynet."""
    url = db.dsn(settings.load(), "owner")
    if check:
        with psycopg.connect(url) as conn:
            problem, steps = migrate.check(conn), migrate.missing(migrate.current_version(conn))
        typer.echo(problem or "the schema is up to date")
        for step in steps:
            typer.echo(f"  missing: {step}")
        raise typer.Exit(bool(problem))
    before, after = migrate.migrate(url)
    typer.echo(f"schema {before} -> {after}" if before != after else f"the schema is up to date ({after})")


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """Say what is wrong with this machine or city and how to mend it."""
    from citynet.doctor import examine

    findings = list(examine(settings.load()))
    if as_json:
        typer.echo(json.dumps([{"name": f.name, "well": f.well, "text": f.text} for f in findings]))
    else:
        for finding in findings:
            typer.echo(f"{'ok ' if finding.well else 'NO '} {finding.name}: {finding.text}")
    raise typer.Exit(not all(finding.well for finding in findings))


def _add_commands(wanted: str | None) -> None:
    """Commands of the rooms; only the wanted one is imported, all of them for --help."""
    known = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    if wanted in known:
        return
    for entry in entry_points(group="citynet.commands"):
        if importlib.util.find_spec(entry.module.partition(".")[0]) is None:
            continue  # bench comes with a checkout only
        if wanted is None or wanted.startswith("-") or entry.name == wanted:
            command = entry.load()
            if isinstance(command, typer.Typer):
                app.add_typer(command, name=entry.name)
            else:
                app.command(name=entry.name)(command)


def main() -> None:
    """Entry point: errors of citynet are one line with the remedy, never a stack trace."""
    _add_commands(sys.argv[1] if len(sys.argv) > 1 else None)
    # A part says in its log that the database is away (logs.configure); a command says so once, below.
    logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())
    try:
        app()
    except CitynetError as error:
        typer.echo(f"citynet: {error}", err=True)
        raise SystemExit(1) from error
    except psycopg.OperationalError as error:
        typer.echo(
            f"citynet: the database does not answer ({str(error).splitlines()[0]}): run `citynet doctor`", err=True
        )
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
