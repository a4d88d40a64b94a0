"""Recordings on a real broker: the past in one history message, the rest in its time, over both protocols."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

from citynet.bus import Consumer, NatsBus
from citynet.catalog import catalog
from citynet.clock import Clock
from citynet.db import Database
from citynet.settings import Settings
from simulators import tracks
from simulators.ledger import Ledger
from simulators.replay import Player
from simulators.wires import connect
from situation_center import registry_write
from tests.flows.test_identity import identity
from tests.support.field import admit

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def recording(folder: Path) -> Path:
    times = [(START + timedelta(hours=hour)).isoformat() for hour in range(-3, 3)]
    path = folder / "water-flow.csv"
    pd.DataFrame({"Time": times, "Water flow [l/s]": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}).to_csv(path, index=False)
    return path


async def frames(bus: NatsBus, stream: str, subject: str) -> list[Any]:
    puller = await bus.puller(Consumer(stream, "test", subject, in_order=True))
    return [msgspec.json.decode(frame.data) for frame in await puller.fetch(100, 1)]


async def play(city: Settings, found: list[tracks.Track]) -> Ledger:
    clock = Clock(START - timedelta(minutes=30), datetime.now(UTC), 3600)
    ledger = Ledger(keep=True)
    wires = connect(city, "test-replay", devices=[track.proposal for track in found], ledger=ledger)
    wires.start()
    player = Player(found, wires, clock, limits=city)
    assert await player.past() == 3
    await player.live(asyncio.Event())
    assert await wires.drain(10)
    wires.stop()
    return ledger


def read(path: Path, *, chirpstack: bool) -> list[tracks.Track]:
    return tracks.read_tracks(path, tracks.mapping_for(path, None), chirpstack=chirpstack)


async def test_a_recording_as_native_messages(
    city: Settings, admin_bus: NatsBus, center_db: Database, tmp_path: Path
) -> None:
    found = read(recording(tmp_path), chirpstack=False)
    await registry_write.seed_catalog(center_db, catalog())
    await admit(center_db, city, [track.proposal for track in found])
    async with identity(city) as service:
        ledger = await play(city, found)
    assert service.counters["signed_in"] == 1
    [history] = await frames(admin_bus, "HISTORY", "hist.>")
    assert [point["values"] for point in history] == [{"flow": v * 3.6} for v in (1.0, 2.0, 3.0)]
    live = await frames(admin_bus, "UPLINKS", "up.>")
    assert [(f["time"], f["values"]) for f in live] == [
        (int((START + timedelta(hours=hour)).timestamp()), {"flow": pytest.approx((4 + hour) * 3.6)})
        for hour in range(3)
    ]
    assert (ledger.history_values, ledger.live_values) == (3, 3)


async def test_a_recording_as_chirpstack_events(city: Settings, admin_bus: NatsBus, tmp_path: Path) -> None:
    await play(city, read(recording(tmp_path), chirpstack=True))
    events = await frames(admin_bus, "UPLINKS", "up.*.*.chirpstack.*.up")
    assert [event["object"]["flow"] for event in events] == [pytest.approx(v * 3.6) for v in range(1, 7)]
    assert {event["deviceInfo"]["deviceName"] for event in events} == {"flow_meter/recorded-water-flow"}
    assert events[0]["rxInfo"][0]["gatewayId"] == tracks.RECORDED_GATEWAY
