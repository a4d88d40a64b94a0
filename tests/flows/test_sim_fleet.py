"""The simulated field on a real broker: what is acknowledged is stored, commands are answered over both protocols."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
import pytest

from citynet.bus import Consumer, Frame, NatsBus
from citynet.clock import Clock
from citynet.settings import Settings
from gateway.devices import codecs
from simulators import history, world
from simulators.fleet import Fleet
from simulators.ledger import Ledger
from simulators.physics.city import City
from simulators.streetside import APPLICATION_ID
from tests.support.readings import eventually

WORLD = world.build(7)
EVENING = datetime(2026, 11, 21, 19, 0, tzinfo=UTC)


@asynccontextmanager
async def fleet_of(city: Settings, *, speed: float) -> AsyncIterator[Fleet]:
    clock = Clock(EVENING, datetime.now(UTC), speed)
    fleet = Fleet(city, City(WORLD, EVENING.timestamp()), clock, line=None, ledger=Ledger(keep=True))
    fleet.wires.start()
    stopping = asyncio.Event()
    living = asyncio.create_task(fleet.run(stopping))
    try:
        yield fleet
    finally:
        stopping.set()
        await living
        fleet.wires.stop()


async def reached(fleet: Fleet, messages: int) -> bool:
    return fleet.ledger.messages >= messages


async def listening(fleet: Fleet) -> bool:
    """All connections stand and the broker has answered on the one that was subscribed first."""
    return all(wire.connected for wire in fleet.wires.all) and fleet.ledger.messages > 0


async def stored(bus: NatsBus, stream: str, subject: str) -> list[Frame]:
    puller = await bus.puller(Consumer(stream, "test", subject, in_order=True))
    frames = await puller.fetch(5000, 2)
    await puller.ack(frames)
    return frames


async def answers(bus: NatsBus, subject: str, count: int) -> list[dict[str, object]]:
    durable = f"test-{subject.rpartition('.')[2]}"
    puller = await bus.puller(Consumer("UPLINKS", durable, subject, in_order=True))
    found: list[Frame] = []
    for _ in range(20):
        found += await puller.fetch(100, 0.5)
        if len(found) >= count:
            break
    return [msgspec.json.decode(frame.data) for frame in found]


async def test_every_acknowledged_message_is_stored(city: Settings, admin_bus: NatsBus) -> None:
    async with fleet_of(city, speed=60) as fleet:
        await eventually(lambda: reached(fleet, 300))
    assert await fleet.wires.drain(10)
    frames = await stored(admin_bus, "UPLINKS", "up.>")
    assert len(frames) == fleet.ledger.messages > 100
    assert len({(note.external_id, note.times_us) for note in fleet.ledger.notes}) == len(fleet.ledger.notes)


async def test_a_device_answers_once_for_each_command_id(city: Settings, admin_bus: NatsBus) -> None:
    order = {"command_id": "c1", "action": "dim", "args": {"level": 30}, "deadline": None}
    async with fleet_of(city, speed=10) as fleet:
        await eventually(lambda: listening(fleet))
        for _ in range(2):
            subject = "$MQTT.msgs.devices.lamp-01-03.down.command"
            await admin_bus.publish(subject, msgspec.json.encode(order), headers={"Nmqtt-Pub": "1"})
        events = await answers(admin_bus, "up.*.lamp-01-03.native.event", 2)
        reports = await answers_up(admin_bus, "up.*.lamp-01-03.native.up")
    assert [(e["command_id"], e["status"]) for e in events] == [("c1", "acknowledged")] * 2
    assert reports[0]["values"]["level"] == 30
    assert len(reports) == 1


async def answers_up(bus: NatsBus, subject: str) -> list[dict[str, dict[str, float]]]:
    frames = await stored(bus, "UPLINKS", subject)
    return [msgspec.json.decode(frame.data) for frame in frames]


@pytest.mark.parametrize(("powered", "acknowledged"), [(True, True), (False, None)])
async def test_a_downlink_gets_txack_and_ack(
    city: Settings, admin_bus: NatsBus, powered: bool, acknowledged: bool | None
) -> None:
    lamp = next(p for p in WORLD.devices["lamp"] if p.device and p.device.protocol == "chirpstack")
    assert lamp.device is not None
    encode = codecs()["lamp-lora"].encode
    assert encode is not None
    port, data = encode("dim", {"level": 40.0})
    down = {"devEui": lamp.device.external_id, "id": "q1", "confirmed": True, "fPort": port, "data": data}
    async with fleet_of(city, speed=10) as fleet:
        await eventually(lambda: listening(fleet))
        if not powered:
            fleet.city.cabinets.set_supply(fleet.city.cabinets.row[lamp.parent or ""], False)
        subject = f"$MQTT.msgs.application.{APPLICATION_ID}.device.{lamp.device.external_id}.command.down"
        await admin_bus.publish(subject, msgspec.json.encode(down), headers={"Nmqtt-Pub": "1"})
        [txack] = await answers(admin_bus, f"up.*.{lamp.device.external_id}.chirpstack.*.txack", 1)
        [ack] = await answers(admin_bus, f"up.*.{lamp.device.external_id}.chirpstack.*.ack", 1)
    assert txack["queueItemId"] == "q1"
    assert ack.get("acknowledged") == acknowledged


async def test_history_is_stored_as_counted(city: Settings, admin_bus: NatsBus) -> None:
    async with fleet_of(city, speed=1) as fleet:
        end = EVENING.timestamp()
        values = await history.backfill(fleet.city, fleet.wires, city, start=end - 2 * 86400, end=end)
    frames = await stored(admin_bus, "HISTORY", "hist.>")
    assert max(len(frame.data) for frame in frames) < city.payload_bytes
    got = sum(len(point["values"]) for frame in frames for point in msgspec.json.decode(frame.data))
    assert got == values == fleet.ledger.history_values > 50_000


async def test_a_late_downlink_is_dropped_from_the_queue(city: Settings, admin_bus: NatsBus) -> None:
    lamp = next(p for p in WORLD.devices["lamp"] if p.device and p.device.protocol == "chirpstack")
    assert lamp.device is not None
    down = {"devEui": lamp.device.external_id, "id": "q2", "confirmed": True, "fPort": 21, "data": b"\x01\x28"}
    async with fleet_of(city, speed=10) as fleet:
        await eventually(lambda: listening(fleet))
        subject = f"$MQTT.msgs.application.{APPLICATION_ID}.device.{lamp.device.external_id}.command.down"
        body = msgspec.json.encode(down | {"expiresAt": "2020-01-01T00:00:00Z"})
        await admin_bus.publish(subject, body, headers={"Nmqtt-Pub": "1"})
        [log] = await answers(admin_bus, f"up.*.{lamp.device.external_id}.chirpstack.*.log", 1)
    assert (log["code"], log["context"]) == ("EXPIRED", {"queue_item_id": "q2"})
