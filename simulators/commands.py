"""`citynet simulate`, `citynet replay` and `citynet demo-check`; citynet.cli finds them by entry points."""

import asyncio
import json
import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from citynet import logs, settings
from citynet.clock import Clock
from citynet.redecode import AsJson, Device, Profile, Since, Why, redecode
from citynet.settings import Settings
from citynet.supervisor import City
from simulators import app as simulation
from simulators import registration, tracks
from simulators.ledger import Ledger
from simulators.replay import Player, play_messages, read_messages
from simulators.wires import connect


class Form(StrEnum):
    """How recorded values are spoken again."""

    NATIVE = "native"
    CHIRPSTACK = "chirpstack"


class Rebase(StrEnum):
    """What happens to recorded times."""

    NOW = "now"
    KEEP = "keep"


def simulate(
    *,
    speed: Annotated[float | None, typer.Option(help="Set the city clock to this many city seconds a second.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed: another city, other faults.")] = simulation.DEFAULT_SEED,
    backfill_days: Annotated[float, typer.Option(help="Days of history on the first start.", min=0, max=400)] = 28,
    faults: Annotated[bool, typer.Option(help="Plant faults: five in ten minutes, then one an hour.")] = True,
    recording: Annotated[bool, typer.Option(help="Play the real water-flow series as well.")] = True,
) -> None:
    """Bring a running city to life: registers the demo city, fills in its past, then reports until stopped."""
    city = settings.load()
    if speed is not None:
        _set_speed(city, speed)
    first = simulation.FIRST_FAULTS_S if faults else 0.0
    plan = simulation.Plan(seed=seed, backfill_days=backfill_days, faults_s=first, recording=recording)
    asyncio.run(simulation.run(city, plan, say=typer.echo))


def _set_speed(city: Settings, speed: float, origin: datetime | None = None) -> None:
    now = asyncio.run(simulation.city_clock(city)).now()
    City(city).set_clock(origin=origin or now, speed=speed)


def replay(
    *,
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="CSV(.gz), Parquet, NDJSON of messages.")
    ] = None,
    form: Annotated[Form, typer.Option("--as", help="How the values are sent.")] = Form.NATIVE,
    speed: Annotated[float | None, typer.Option(help="Set the city clock to this pace.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="What the columns mean; known files need none.")] = None,
    rebase: Annotated[
        Rebase, typer.Option(help="now: move by whole weeks to begin at now. keep: as recorded.")
    ] = Rebase.NOW,
    past_days: Annotated[float, typer.Option(help="With now: days of the recording that lie behind already.")] = 0,
    since: Since = "",
    device: Device = "",
    profile: Profile = "",
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Play a recording into the running city through MQTT; rows older than the city clock go the history way.

    With --since instead of FILE: what `citynet redecode` does, with --device, --profile, --why and --json.
    """
    if (file is None) is not bool(since):
        raise typer.BadParameter("name either a FILE to play or --since to decode stored frames again")
    if file is None:
        redecode(since=since, device=device, profile=profile, why=why, as_json=as_json)
        return
    city = settings.load()
    if file.suffix in (".ndjson", ".jsonl"):
        sent = asyncio.run(_messages(city, file, speed=speed, rebase=rebase))
        typer.echo(f"{sent} messages sent and acknowledged")
        return
    found = tracks.read_tracks(file, tracks.mapping_for(file, mapping), chirpstack=form is Form.CHIRPSTACK)
    if speed is not None:
        _set_speed(city, speed, tracks.first_time(found) if rebase is Rebase.KEEP else None)
    clock = asyncio.run(simulation.city_clock(city))
    if rebase is Rebase.NOW:
        found = tracks.rebase(found, clock.now(), past_days * 86400)
    sent = asyncio.run(_tracks(city, found, clock))
    typer.echo(f"{len(found)} devices, {sent} values sent and acknowledged")


async def _tracks(city: Settings, found: list[tracks.Track], clock: Clock) -> int:
    async with simulation.patient_bus(city) as client:
        await registration.propose(client, "recordings", [track.proposal for track in found], settings=city)
    wires = connect(city, "citynet-replay", devices=[track.proposal for track in found], ledger=Ledger())
    wires.start()
    player = Player(found, wires, clock, limits=city)
    typer.echo(f"{await player.past()} values of the past sent")
    await player.live(asyncio.Event())
    await wires.drain(60.0)
    wires.stop()
    return player.sent


async def _messages(city: Settings, file: Path, *, speed: float | None, rebase: Rebase) -> int:
    messages = read_messages(file)
    if speed is not None:
        origin = datetime.fromtimestamp(messages[0].time).astimezone() if rebase is Rebase.KEEP else None
        await asyncio.to_thread(_set_speed, city, speed, origin)
    clock = await simulation.city_clock(city)
    shift = clock.now().timestamp() - messages[0].time if rebase is Rebase.NOW else 0.0
    wires = connect(city, "citynet-replay", devices=[], ledger=Ledger())
    wires.start()
    sent = await play_messages(messages, wires, clock, shift_s=shift, stopping=asyncio.Event())
    await wires.drain(60.0)
    wires.stop()
    return sent


def demo_check(
    *,
    seconds: Annotated[float, typer.Option(help="Wall seconds of life after the backfill.", min=10, max=600)] = 90,
    speed: Annotated[float, typer.Option(help="City seconds a second.", min=1, max=600)] = 60,
    seed: Annotated[int, typer.Option(help="City and faults.")] = simulation.DEFAULT_SEED,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for machines.")] = False,
) -> None:
    """Prove the whole chain in a temporary city: nothing lost, nothing doubled, every planted fault found."""
    from simulators import check

    # stdout is for the report alone
    logs.configure(settings.load(), "demo-check", out=sys.stderr)
    report = check.check(seconds=seconds, speed=speed, seed=seed, say=lambda line: typer.echo(line, err=True))
    if as_json:
        typer.echo(json.dumps(report.figures()))
    else:
        for name, value in report.figures().items():
            typer.echo(f"{name:>20}  {value}")
    for line in report.failures():
        typer.echo(f"demo-check: {line}", err=True)
    raise typer.Exit(bool(report.failures()))
