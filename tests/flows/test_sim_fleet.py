"""The simulated field on a real broker: devices sign in as themselves, what is acknowledged is stored, commands are
answered over both protocols."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
import pytest

from citynet import bus, embedded
from citynet.bus import Consumer, Frame, NatsBus
from citynet.catalog import catalog
from citynet.clock import Clock
from citynet.db import Database
from citynet.part import Part
from citynet.settings import Settings
from gateway.devices import codecs
from simulators import history, wires, world
from simulators.fleet import REPORTS_HELD, Fleet
from simulators.ledger import Ledger
from simulators.physics.city import City
from simulators.streetside import APPLICATION_ID
from simulators.world import World
from situation_center import credentials, registry_write
from tests.flows.test_identity import identity
from tests.support.field import admit
from tests.support.readings import eventually

WORLD = world.build(7)
EVENING = datetime(2026, 11, 21, 19, 0, tzinfo=UTC)
LAMP = "lamp-01-03"
RADIO_LAMP = next(p for p in WORLD.devices["lamp"] if p.device and p.device.protocol == "chirpstack")


def some(whole: World) -> World:
    """A part of the city with every kind of device: two cabinets and one meter of five."""
    cabinets = {whole.devices["lamp"][0].parent, RADIO_LAMP.parent}
    few = {cls: found[::5] if cls.endswith("_meter") else found for cls, found in whole.devices.items()}
    few["cabinet"] = [p for p in whole.devices["cabinet"] if p.key in cabinets]
    few["lamp"] = [p for p in whole.devices["lamp"] if p.parent in cabinets]
    few["bin"], few["air_station"] = whole.devices["bin"][:10], whole.devices["air_station"][:3]
    return World(whole.seed, whole.objects, few)


SOME = some(WORLD)
DEVICES = [device for devices in SOME.devices.values() for device in devices]


@pytest.fixture
async def service(city: Settings, broker: embedded.Nats, center_db: Database) -> AsyncIterator[Part]:
    """The sign-in service; the devices are registered with the tokens that they were made with."""
    await registry_write.seed_catalog(center_db, catalog())
    await admit(center_db, city, DEVICES)
    async with identity(city) as part:
        yield part


@asynccontextmanager
async def fleet_of(city: Settings, *, speed: float) -> AsyncIterator[Fleet]:
    clock = Clock(EVENING, datetime.now(UTC), speed)
    fleet = Fleet(city, City(SOME, EVENING.timestamp()), clock, line=None, ledger=Ledger(keep=True))
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
    """All connections stand, and the broker has answered to their subscriptions."""
    return fleet.wires.radio.connected and all(line.connected for line in fleet.wires.own.values())


async def stored(admin: NatsBus, stream: str, subject: str) -> list[Frame]:
    puller = await admin.puller(Consumer(stream, "test", subject, in_order=True))
    frames = await puller.fetch(5000, 2)
    await puller.ack(frames)
    return frames


async def answers(admin: NatsBus, subject: str, count: int) -> list[dict[str, object]]:
    durable = f"test-{subject.rpartition('.')[2]}"
    puller = await admin.puller(Consumer("UPLINKS", durable, subject, in_order=True))
    found: list[Frame] = []
    for _ in range(20):
        found += await puller.fetch(100, 0.5)
        if len(found) >= count:
            break
    return [msgspec.json.decode(frame.data) for frame in found]


async def test_each_device_signs_in_as_itself_until_its_token_is_revoked(
    city: Settings, service: Part, center_db: Database
) -> None:
    async with fleet_of(city, speed=60) as fleet:
        await eventually(lambda: listening(fleet))
        own = fleet.wires.own
        assert service.counters["signed_in"] == len(own) == sum(wires.signs_in(p.device) for p in DEVICES)
        assert not fleet.wires.shared.connected
        await credentials.revoke(center_db, LAMP, by="person:admin")

        async def refused() -> bool:
            return own[LAMP].refused

        await eventually(refused)
        before = fleet.ledger.messages
        await eventually(lambda: reached(fleet, before + 30))
        assert [name for name, line in own.items() if not line.connected] == [LAMP]
        assert own[LAMP].outstanding <= REPORTS_HELD
        assert not {note.external_id for note in fleet.ledger.notes[before:]} & {LAMP}
    assert (service.counters["foreign_topic"], service.counters["wrong_token"]) == (0, 0)


async def test_devices_come_back_to_a_broker_that_was_killed(
    city: Settings, service: Part, broker: embedded.Nats
) -> None:
    async with fleet_of(city, speed=60) as fleet:
        await eventually(lambda: reached(fleet, 30))
        assert broker.process is not None
        broker.process.kill()
        broker.process.wait()
        await asyncio.to_thread(broker.start)
        await eventually(lambda: listening(fleet))
        more = fleet.ledger.messages + 30
        await eventually(lambda: reached(fleet, more))
    assert await fleet.wires.drain(10)
    async with bus.connected(city, "admin") as admin:
        frames = await stored(admin, "UPLINKS", "up.>")
    found = {(frame.subject.split(".")[2], msgspec.json.decode(frame.data).get("time")) for frame in frames}
    native = {
        (n.external_id, n.times_us[0] // 1_000_000) for n in fleet.ledger.notes if n.external_id in fleet.wires.own
    }
    assert len(native) > 30
    assert native <= found


async def test_every_acknowledged_message_is_stored(city: Settings, service: Part, admin_bus: NatsBus) -> None:
    async with fleet_of(city, speed=60) as fleet:
        await eventually(lambda: reached(fleet, 110))
    assert await fleet.wires.drain(10)
    frames = await stored(admin_bus, "UPLINKS", "up.>")
    assert len(frames) == fleet.ledger.messages > 100
    assert len({(note.external_id, note.times_us) for note in fleet.ledger.notes}) == len(fleet.ledger.notes)


async def test_a_device_answers_once_for_each_command_id(city: Settings, service: Part, admin_bus: NatsBus) -> None:
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


async def answers_up(admin: NatsBus, subject: str) -> list[dict[str, dict[str, float]]]:
    frames = await stored(admin, "UPLINKS", subject)
    return [msgspec.json.decode(frame.data) for frame in frames]


@pytest.mark.parametrize(("powered", "acknowledged"), [(True, True), (False, None)])
async def test_a_downlink_gets_txack_and_ack(
    city: Settings, service: Part, admin_bus: NatsBus, powered: bool, acknowledged: bool | None
) -> None:
    lamp = RADIO_LAMP
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


async def test_history_is_stored_as_counted(city: Settings, service: Part, admin_bus: NatsBus) -> None:
    async with fleet_of(city, speed=1) as fleet:
        end = EVENING.timestamp()
        values = await history.backfill(fleet.city, fleet.wires, city, start=end - 6 * 86400, end=end)
    frames = await stored(admin_bus, "HISTORY", "hist.>")
    assert max(len(frame.data) for frame in frames) < city.payload_bytes
    got = sum(len(point["values"]) for frame in frames for point in msgspec.json.decode(frame.data))
    assert got == values == fleet.ledger.history_values > 50_000


async def test_a_late_downlink_is_dropped_from_the_queue(city: Settings, service: Part, admin_bus: NatsBus) -> None:
    lamp = RADIO_LAMP
    assert lamp.device is not None
    down = {"devEui": lamp.device.external_id, "id": "q2", "confirmed": True, "fPort": 21, "data": b"\x01\x28"}
    async with fleet_of(city, speed=10) as fleet:
        await eventually(lambda: listening(fleet))
        subject = f"$MQTT.msgs.application.{APPLICATION_ID}.device.{lamp.device.external_id}.command.down"
        body = msgspec.json.encode(down | {"expiresAt": "2020-01-01T00:00:00Z"})
        await admin_bus.publish(subject, body, headers={"Nmqtt-Pub": "1"})
        [log] = await answers(admin_bus, f"up.*.{lamp.device.external_id}.chirpstack.*.log", 1)
    assert (log["code"], log["context"]) == ("EXPIRED", {"queue_item_id": "q2"})
