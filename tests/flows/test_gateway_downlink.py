"""Commands down and answers up, on a real broker and database: the shown state is never better than reality."""

import queue
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import msgspec
import pytest
from psycopg.types.json import Jsonb

from citynet.bus import INGEST_DEAD, INGEST_RECEIPTS, NatsBus
from citynet.clock import Clock, wall_clock
from citynet.db import Database, dsn
from citynet.model import Command, Quarantined, Receipt
from citynet.settings import Settings
from gateway.devices import codecs
from tests.support import gateway as field
from tests.support.gateway import (
    APPLICATION,
    DEVICES,
    LAMP,
    LORA_LAMP,
    TTS_APPLICATION,
    TTS_LAMP,
    attributes,
    collect,
    mqtt,
    running,
    until,
)

TOPIC = f"application/{APPLICATION}/device/{LORA_LAMP}"


@pytest.fixture
async def planted(center_db: Database) -> Database:
    await field.plant(center_db)
    return center_db


async def ask(database: Database, device: str, **fields: Any) -> Command:
    """A command as the situation centre writes it down, not yet given to the gateway."""
    row = await database.row(
        "SELECT d.object_id AS device, p.object_id AS point FROM object_now d JOIN device_point p"
        " ON p.device_id = d.object_id WHERE d.attributes->>'external_id' = %s",
        [device],
    )
    assert row is not None
    protocol, profile, _ = DEVICES.get(device, ("native", "lamp", "lamp"))
    given: dict[str, Any] = {
        "command_id": uuid.uuid4(),
        "device_id": row["device"],
        "external_id": device,
        "protocol": protocol,
        "profile": profile,
        "action": "dim",
        "args": {"level": 40.0},
        "deadline": wall_clock().now() + timedelta(seconds=60),
        "attributes": attributes(device) if device in DEVICES else {},
    }
    command = Command(**{**given, **fields})
    async with database.transaction("person:test") as conn:
        await conn.execute(
            "INSERT INTO command (command_id, object_id, device_id, action, args, state, requested_by, requested,"
            " deadline, change) VALUES (%s, %s, %s, %s, %s, 'queued', 'test', now(), %s, nextval('command_change'))",
            [command.command_id, row["point"], row["device"], command.action, Jsonb(command.args), command.deadline],
        )
    return command


async def give(bus: NatsBus, command: Command) -> None:
    await bus.publish(f"commands.{command.external_id}", msgspec.json.encode(command))


async def receipts(bus: NatsBus, count: int) -> list[tuple[str, str]]:
    """Kinds of receipts in their order, each with its detail."""
    frames = await collect(bus, INGEST_RECEIPTS, count)
    found = [msgspec.json.decode(frame.data, type=Receipt) for frame in frames]
    return [(one.kind, one.detail) for one in found]


async def test_a_native_command_and_its_answer(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    command = await ask(planted, LAMP)
    async with running(city) as part:
        with mqtt(city, "fleet") as lamp:
            lamp.subscribe(f"devices/{LAMP}/down/#")
            await give(admin_bus, command)
            await until(lambda: part.counters["commands_sent"] == 1)
            topic, body = lamp.received()
            assert topic == f"devices/{LAMP}/down/command"
            assert body == {
                "command_id": str(command.command_id),
                "action": "dim",
                "args": {"level": 40.0},
                "deadline": body["deadline"],
            }
            answer = {"command_id": body["command_id"], "status": "acknowledged", "detail": "ok"}
            lamp.publish(f"devices/{LAMP}/event", answer)
        assert await receipts(admin_bus, 3) == [("intent", ""), ("sent", ""), ("acknowledged", "ok")]


async def test_a_chirpstack_command_and_its_events(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    command = await ask(planted, LORA_LAMP, action="off", args={})
    async with running(city) as part:
        with mqtt(city, "lorawan") as network:
            network.subscribe("application/+/device/+/command/down")
            await give(admin_bus, command)
            await until(lambda: part.counters["commands_sent"] == 1)
            topic, body = network.received()
            assert topic == f"{TOPIC}/command/down"
            assert (body["devEui"], body["confirmed"], body["fPort"]) == (LORA_LAMP, True, 21)
            read = codecs()["lamp-lora"].read
            assert read is not None
            assert read(msgspec.convert(body["data"], bytes), body["fPort"]) == ("dim", {"level": 0.0})
            event = {"deviceInfo": {"devEui": LORA_LAMP}, "queueItemId": body["id"]}
            network.publish(f"{TOPIC}/event/txack", {**event, "gatewayId": "gw-1"})
            network.publish(f"{TOPIC}/event/ack", {**event, "acknowledged": True})
            network.publish(f"{TOPIC}/event/txack", {**event, "queueItemId": str(uuid.uuid4())})
        found = await receipts(admin_bus, 4)
        await until(lambda: part.counters["foreign_answers"] == 1)
    assert found[0] == ("intent", f"{APPLICATION}: 0.046 s in 869.4-869.65 MHz")
    assert found[1:] == [("sent", ""), ("radiated", "gw-1"), ("acknowledged", "")]


async def test_a_things_stack_command_and_its_events(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    command = await ask(planted, TTS_LAMP)
    place = f"v3/{TTS_APPLICATION}/devices/{TTS_LAMP}"
    async with running(city) as part:
        with mqtt(city, "lorawan") as network:
            network.subscribe("v3/+/devices/+/down/push")
            await give(admin_bus, command)
            await until(lambda: part.counters["commands_sent"] == 1)
            topic, body = network.received()
            assert topic == f"{place}/down/push"
            downlink = body["downlinks"][0]
            assert (downlink["f_port"], downlink["confirmed"], downlink["priority"]) == (21, True, "NORMAL")
            told = {"end_device_ids": {"device_id": TTS_LAMP}}
            for event in ("queued", "sent", "ack"):
                network.publish(f"{place}/down/{event}", {**told, f"downlink_{event}": downlink})
            network.publish(f"{place}/down/nack", {**told, "downlink_nack": {**downlink, "correlation_ids": ["as:1"]}})
        found = await receipts(admin_bus, 5)
        await until(lambda: part.counters["foreign_answers"] == 1)
    assert [kind for kind, _ in found] == ["intent", "sent", "queued", "radiated", "acknowledged"]


async def test_a_device_that_is_off_gets_it_when_it_comes_back(
    city: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    with mqtt(city, "fleet", "the-lamp") as lamp:
        lamp.subscribe(f"devices/{LAMP}/down/#")
    async with running(city):
        await give(admin_bus, await ask(planted, LAMP))
        assert await receipts(admin_bus, 2) == [("intent", ""), ("sent", "")]
        with mqtt(city, "fleet", "the-lamp") as lamp:
            assert lamp.received()[1]["action"] == "dim"


NEVER_SENT: list[tuple[dict[str, Any], str, str]] = [
    ({"deadline": wall_clock().now() - timedelta(seconds=1)}, "expired", "the deadline passed before sending"),
    ({"args": {"level": 140.0}}, "failed", "bad_argument: level = 140.0 is not within 0.0 to 100.0 %"),
    ({"args": {"level": True}}, "failed", "bad_argument: level is True, not a number"),
    ({"args": {}}, "failed", "bad_argument: level is missing"),
    ({"action": "dance"}, "failed", "unknown_action: profile lamp has no command dance"),
    ({"profile": "nothing"}, "failed", "unknown_action: profile nothing has no command dim"),
    ({"protocol": "telepathy"}, "failed", "unknown_protocol: telepathy"),
]


async def test_what_is_never_sent(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    async with running(city):
        with mqtt(city, "fleet") as lamp:
            lamp.subscribe(f"devices/{LAMP}/down/#")
            for fields, kind, detail in NEVER_SENT:
                await give(admin_bus, await ask(planted, LAMP, **fields))
                assert await receipts(admin_bus, 1) == [(kind, detail)]
            with pytest.raises(queue.Empty):
                lamp.received(0.1)


INTENT = {"time": "2026-03-02T12:00:00Z", "kind": "intent"}


@pytest.mark.parametrize("stored", [True, False], ids=["in the table", "in the stream"])
@pytest.mark.parametrize(("device", "outcome"), [(LAMP, "sent"), (LORA_LAMP, "unknown")])
async def test_after_a_crash_between_intent_and_sending(
    city: Settings, admin_bus: NatsBus, planted: Database, device: str, outcome: str, stored: bool
) -> None:
    command = await ask(planted, device)
    body = msgspec.json.encode({"command_id": command.command_id, **INTENT})
    if stored:
        ingest = await Database(dsn(city, "ingest")).open()
        async with ingest.transaction("part:ingest") as conn:
            row = [command.command_id, INTENT["kind"], INTENT["time"]]
            await conn.execute("INSERT INTO receipt (command_id, kind, time) VALUES (%s, %s, %s)", row)
        await ingest.close()
    else:
        await admin_bus.publish(f"receipts.{command.command_id}", body)
    await give(admin_bus, command)
    with mqtt(city, "fleet") as lamp:  # any MQTT session: the broker opens its own store with the first
        lamp.subscribe(f"devices/{LAMP}/down/#")
        async with running(city) as part:
            await until(lambda: part.counters[f"commands_{outcome}"] == 1)
        found = await receipts(admin_bus, 1 if stored else 2)
    assert found[-1][0] == outcome


async def test_begun_and_overtaken_by_its_deadline_is_unknown(
    city: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    command = await ask(planted, LAMP, deadline=wall_clock().now() - timedelta(seconds=1))
    await admin_bus.publish(
        f"receipts.{command.command_id}", msgspec.json.encode({"command_id": command.command_id, **INTENT})
    )
    await give(admin_bus, command)
    async with running(city) as part:
        await until(lambda: part.counters["commands_unknown"] == 1)
        assert [kind for kind, _ in await receipts(admin_bus, 2)] == ["intent", "unknown"]


UNWANTED = ["cancel_asked = 'person:anna'", "state = 'cancelled'", "state = 'superseded'"]


@pytest.mark.parametrize("change", UNWANTED)
async def test_what_people_took_back_is_not_sent(
    city: Settings, admin_bus: NatsBus, planted: Database, change: LiteralString
) -> None:
    command = await ask(planted, LAMP)
    async with planted.transaction("person:anna") as conn:
        await conn.execute("UPDATE command SET " + change)
    await give(admin_bus, command)
    with mqtt(city, "fleet") as lamp:
        lamp.subscribe(f"devices/{LAMP}/down/#")
        async with running(city):
            assert await receipts(admin_bus, 1) == [("withdrawn", "taken back before it was sent")]
        with pytest.raises(queue.Empty):
            lamp.received(0.1)


async def sent_before(city: Settings, planted: Database, command: Command, seconds: float) -> None:
    """The receipt of an attempt that many seconds ago."""
    ingest = await Database(dsn(city, "ingest")).open()
    async with ingest.transaction("part:ingest") as conn:
        moment = wall_clock().now() - timedelta(seconds=seconds)
        row = [command.command_id, moment]
        await conn.execute("INSERT INTO receipt (command_id, kind, time) VALUES (%s, 'sent', %s)", row)
    await ingest.close()


async def test_who_knows_its_commands_gets_an_unanswered_one_again(
    city: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    command, once = await ask(planted, LAMP), await ask(planted, LORA_LAMP)
    for one in (command, once):
        await sent_before(city, planted, one, 30)
    with mqtt(city, "fleet") as lamp:
        lamp.subscribe(f"devices/{LAMP}/down/#")
        async with running(city) as part:
            assert await receipts(admin_bus, 1) == [("sent", "attempt 2")]
            assert lamp.received()[1]["command_id"] == str(command.command_id)
            assert part.counters["commands_repeated"] == 1


async def on_air(settings: Settings, command: Command, seconds: float) -> None:
    """What the gateway part has told of a command before it was restarted: the lamp's gateway has spoken so long."""
    ingest = await Database(dsn(settings, "ingest")).open()
    async with ingest.transaction("part:ingest") as conn:
        for kind, detail in (("intent", f"{APPLICATION}: {seconds} s in 869.4-869.65 MHz"), ("sent", "")):
            row = [command.command_id, kind, wall_clock().now(), detail]
            await conn.execute("INSERT INTO receipt (command_id, kind, time, detail) VALUES (%s, %s, %s, %s)", row)
    await ingest.close()


async def test_a_gateway_keeps_its_duty_cycle_over_a_restart_and_nobody_else_waits(
    city: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    await on_air(city, await ask(planted, LORA_LAMP), 359.99)  # of 360 s an hour
    lamp = await ask(planted, LORA_LAMP, deadline=wall_clock().now() + timedelta(hours=2))
    async with running(city) as part:
        with mqtt(city, "lorawan") as network:
            network.subscribe("application/+/device/+/command/down")
            for command in (lamp, await ask(planted, LAMP)):
                await give(admin_bus, command)
            await until(lambda: (part.counters["commands_sent"], part.counters["downlinks_waited"]) == (1, 1))
            (detail,) = [detail for kind, detail in await receipts(admin_bus, 3) if kind == "waiting"]
            assert detail.startswith(f"{APPLICATION}: not before 20")
            assert detail.endswith("in 869.4-869.65 MHz")
            part.clock = Clock(part.clock.now() + timedelta(hours=1), datetime.now(UTC))
            await until(lambda: part.counters["commands_sent"] == 2)
            assert network.received()[1]["id"] == str(lamp.command_id)
        assert (await receipts(admin_bus, 2))[0] == ("intent", f"{APPLICATION}: 0.046 s in 869.4-869.65 MHz")


async def test_a_command_given_twice_is_sent_once(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    command = await ask(planted, LAMP)
    async with running(city) as part:
        with mqtt(city, "fleet") as lamp:
            lamp.subscribe(f"devices/{LAMP}/down/#")
            await give(admin_bus, command)
            await until(lambda: part.counters["commands_sent"] == 1)
            await give(admin_bus, command)
            assert lamp.received()[1]["command_id"] == str(command.command_id)
            assert await receipts(admin_bus, 2) == [("intent", ""), ("sent", "")]
            with pytest.raises(queue.Empty):
                lamp.received(0.1)


async def test_only_the_device_itself_may_answer(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    command = await ask(planted, LORA_LAMP)
    async with running(city):
        with mqtt(city, "fleet") as lamp:
            for command_id in (command.command_id, uuid.uuid4()):
                answer = {"command_id": str(command_id), "status": "acknowledged"}
                lamp.publish(f"devices/{LAMP}/event", answer)
        dead = await collect(admin_bus, INGEST_DEAD, 2)
    notices = [msgspec.json.decode(frame.data, type=Quarantined) for frame in dead]
    assert [one.reason for one in notices] == ["foreign_command", "unknown_command"]
    assert (await admin_bus.stream_state("RECEIPTS"))[0] == 0


async def test_a_command_that_cannot_be_read_is_set_aside(
    city: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    async with running(city):
        await admin_bus.publish("commands.x", b"{")
        dead = await collect(admin_bus, INGEST_DEAD, 1)
        await give(admin_bus, await ask(planted, LAMP, args={}))
        assert (await receipts(admin_bus, 1))[0][0] == "failed"
    assert msgspec.json.decode(dead[0].data, type=Quarantined).stream == "COMMANDS"
