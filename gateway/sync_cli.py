"""`citynet sync`: takes devices, profiles and gateways over from a network server into the registry."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from citynet import db
from citynet import settings as configuration
from citynet.bus import connected
from citynet.settings import Settings
from gateway.codecs.pool import Pool, limits_of

if TYPE_CHECKING:
    from gateway.sync.network import Network

app = typer.Typer(help="Take devices over from a network server.", no_args_is_help=True)
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]


@app.callback()
def choose() -> None:
    """One command a network server."""


@app.command()
def chirpstack(*, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Gateways, device profiles and devices of the ChirpStack that CITYNET_CHIRPSTACK_URL names."""
    from gateway.chirpstack.sync import NETWORK

    _tell(NETWORK, dry_run=dry_run, as_json=as_json)


@app.command()
def things_stack(*, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Gateways, kinds of devices and devices of the applications that CITYNET_THINGS_STACK_API names."""
    from gateway.things_stack.sync import NETWORK

    _tell(NETWORK, dry_run=dry_run, as_json=as_json)


def _tell(network: "Network", *, dry_run: bool, as_json: bool) -> None:
    report = asyncio.run(_once(network, configuration.load(), dry_run=dry_run))
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
        return
    for key, word in report["words"].items() if dry_run else ():
        typer.echo(f"{word}: {key}")
    for kind, counts in report["read"].items():
        typer.echo(f"{kind}: " + (", ".join(f"{count} {word}" for word, count in counts.items()) or "none"))
    for key in report["kept"]:
        typer.echo(f"left alone, registered by somebody else: {key}")
    for doubt in report["doubts"]:
        typer.echo(f"in doubt: {doubt}")
    for name in report["mapped"]:
        typer.echo(f"profile/{name}: a map was proposed from what its devices have sent")
    typer.echo("nothing was changed (--dry-run)" if dry_run else f"{report['applied']} objects changed")


async def _once(network: "Network", settings: Settings, *, dry_run: bool) -> dict[str, Any]:
    from gateway.sync import found, handover, maps

    database = await db.Database(db.dsn(settings, "gateway"), size=1).open()
    pool = Pool(limits_of(settings), workers=1)
    try:
        seen = await network.look(database, settings)
        applied, mapped = 0, found.Found(network.source)
        if not dry_run:
            async with connected(settings, "gateway") as bus:
                applied = await handover.propose(bus, seen)
                mapped = await maps.propose(database, maps.Ears(network, bus, pool, settings), seen.unmapped)
                await handover.propose(bus, mapped)
        return {**seen.report(), "applied": applied, "mapped": sorted(mapped.profiles)}
    finally:
        await pool.aclose()
        await database.close()
