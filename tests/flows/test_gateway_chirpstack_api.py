"""Downlinks by ChirpStack's gRPC API, against a server made of its own service classes: receipts tell what was seen."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from chirpstack_api import api, common, integration
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode
from pydantic import SecretStr

from citynet.bus import NatsBus
from citynet.clock import wall_clock
from citynet.db import Database, dsn
from citynet.model import Command
from citynet.settings import Settings
from gateway import recalls
from gateway.chirpstack import road
from gateway.devices import codecs
from tests.flows.test_gateway_downlink import ask, give, receipts
from tests.support import gateway as field
from tests.support.chirpstack_server import TOKEN, Server, Store
from tests.support.gateway import APPLICATION, LAMP, LORA_LAMP, mqtt, running, until

TOPIC = f"application/{APPLICATION}/device/{LORA_LAMP}"
GROUP = str(uuid.UUID(int=77))


@pytest.fixture
async def planted(center_db: Database) -> Database:
    await field.plant(center_db)
    return center_db


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    store = Store()
    store.devices[APPLICATION].append(api.DeviceListItem(dev_eui=LORA_LAMP))
    made = Server(store)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def there(city: Settings, server: Server) -> Settings:
    words = {
        "chirpstack_url": server.url,
        "chirpstack_token": SecretStr(TOKEN),
        "chirpstack_downlink": "grpc",
        "chirpstack_sync_s": 0,
    }
    return city.model_copy(update=words)


def queued(server: Server) -> Any:
    (item,) = server.store.queue[LORA_LAMP]
    return item


async def test_a_downlink_and_its_answers(
    there: Settings, admin_bus: NatsBus, planted: Database, server: Server
) -> None:
    command = await ask(planted, LORA_LAMP)
    async with running(there):
        await give(admin_bus, command)
        item = (await receipts(admin_bus, 3))[1:]
        stored = queued(server)
        assert item == [("queued", f"queue item {stored.id}"), ("sent", "")]
        assert (stored.confirmed, stored.f_port) == (True, 21)
        read = codecs()["lamp-lora"].read
        assert read is not None
        assert read(stored.data, stored.f_port) == ("dim", {"level": 40.0})
        assert abs(stored.expires_at.ToDatetime(UTC) - command.deadline) < timedelta(milliseconds=2)
        answer(there, stored.id)
        assert await receipts(admin_bus, 2) == [("radiated", "gw-1"), ("acknowledged", "")]


def answer(settings: Settings, item: str) -> None:
    """What ChirpStack tells by MQTT of one of its queue items, and of one of somebody else's."""
    event = {"deviceInfo": {"devEui": LORA_LAMP}, "queueItemId": item}
    with mqtt(settings, "lorawan") as network:
        network.publish(f"{TOPIC}/event/txack", {**event, "queueItemId": str(uuid.uuid4())})
        network.publish(f"{TOPIC}/event/txack", {**event, "gatewayId": "gw-1"})
        network.publish(f"{TOPIC}/event/ack", {**event, "acknowledged": True})


async def test_answers_find_their_command_after_a_restart(
    there: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    command, item = await ask(planted, LORA_LAMP), str(uuid.uuid4())
    await remember(there, command, "queued", f"queue item {item}")
    async with running(there) as part:
        answer(there, item)
        assert await receipts(admin_bus, 2) == [("radiated", "gw-1"), ("acknowledged", "")]
        assert part.counters["foreign_answers"] == 1


async def remember(settings: Settings, command: Command, kind: str, detail: str = "") -> None:
    """A receipt as ingest stores it."""
    ingest = await Database(dsn(settings, "ingest")).open()
    async with ingest.transaction("part:ingest") as conn:
        row = [command.command_id, kind, datetime.now(UTC), detail]
        await conn.execute("INSERT INTO receipt (command_id, kind, time, detail) VALUES (%s, %s, %s, %s)", row)
    await ingest.close()


FAULTS: list[tuple[str, tuple[StatusCode, bool], str, str]] = [
    ("refused", (StatusCode.INVALID_ARGUMENT, False), "rejected", "INVALID_ARGUMENT planted"),
    ("no right", (StatusCode.PERMISSION_DENIED, False), "failed", "PERMISSION_DENIED planted"),
    ("broke before it was done", (StatusCode.INTERNAL, False), "unknown", "INTERNAL planted"),
    ("broke after it was done", (StatusCode.INTERNAL, True), "sent", ""),
    ("went away after it was done", (StatusCode.UNAVAILABLE, True), "sent", ""),
]


@pytest.mark.parametrize(("fault", "kind", "detail"), [one[1:] for one in FAULTS], ids=[one[0] for one in FAULTS])
async def test_what_a_fault_of_the_server_means(
    there: Settings, admin_bus: NatsBus, planted: Database, server: Server, fault: Any, kind: str, detail: str
) -> None:
    server.store.fault = lambda name: fault if name == "Enqueue" else None
    async with running(there):
        await give(admin_bus, await ask(planted, LORA_LAMP))
        told = await receipts(admin_bus, 3 if kind == "sent" else 2)
    assert told[0][0] == "intent"
    assert told[-1][0] == kind
    assert told[-1][1].endswith(detail)
    assert len(server.store.queue[LORA_LAMP]) == (kind == "sent")


async def test_a_device_that_chirpstack_does_not_know_and_a_wrong_key(
    there: Settings, admin_bus: NatsBus, planted: Database, server: Server
) -> None:
    server.store.devices.clear()
    async with running(there):
        await give(admin_bus, await ask(planted, LORA_LAMP))
        assert (await receipts(admin_bus, 2))[1][0] == "rejected"
    async with running(there.model_copy(update={"chirpstack_token": SecretStr("another")})):
        await give(admin_bus, await ask(planted, LORA_LAMP))
        assert (await receipts(admin_bus, 2))[1] == ("failed", "ChirpStack refused: UNAUTHENTICATED invalid token")


async def test_no_answer_in_time(
    there: Settings, admin_bus: NatsBus, planted: Database, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that ran out of time may have been done: the queue is asked; when that is silent too nobody knows."""
    monkeypatch.setattr(road, "CALL_S", 0.3)
    monkeypatch.setattr(road, "LOOK_S", 0.3)
    server.store.silent.add("Enqueue")
    async with running(there):
        await give(admin_bus, await ask(planted, LORA_LAMP))
        assert [kind for kind, _ in await receipts(admin_bus, 3)] == ["intent", "queued", "sent"]
        server.store.queue.clear()
        server.store.fault = lambda name: (StatusCode.UNAVAILABLE, False) if name == "GetQueue" else None
        await give(admin_bus, await ask(planted, LORA_LAMP))
        kind, detail = (await receipts(admin_bus, 2))[1]
    assert kind == "unknown"
    assert "DEADLINE_EXCEEDED" in detail


async def test_a_server_that_is_away_has_been_told_nothing(
    there: Settings, admin_bus: NatsBus, planted: Database, server: Server
) -> None:
    await server.stop()
    async with running(there) as part:
        late = {"deadline": wall_clock().now() + timedelta(seconds=0.5)}
        await give(admin_bus, await ask(planted, LORA_LAMP, **late))
        assert (await receipts(admin_bus, 2))[1] == (
            "expired",
            "ChirpStack could not be reached before the deadline",
        )
        await give(admin_bus, await ask(planted, LORA_LAMP))
        await until(lambda: part.counters["commands_intent"] == 2)
        await server.start()
        assert [kind for kind, _ in await receipts(admin_bus, 3)] == ["intent", "queued", "sent"]


@pytest.mark.parametrize("there_already", [True, False], ids=["in the queue", "not in the queue"])
async def test_after_a_crash_the_queue_is_asked(
    there: Settings, admin_bus: NatsBus, planted: Database, server: Server, there_already: bool
) -> None:
    command = await ask(planted, LORA_LAMP)
    if there_already:
        async with running(there):
            await give(admin_bus, command)
            await receipts(admin_bus, 3)
        item = queued(server)
        other = api.DeviceQueueItem(id=str(uuid.uuid4()), f_port=item.f_port, data=item.data)
        server.store.queue[LORA_LAMP].insert(0, other)
        command = await ask(planted, LORA_LAMP, deadline=command.deadline)
    await remember(there, command, "intent")
    async with running(there):
        await give(admin_bus, command)
        told = await receipts(admin_bus, 2 if there_already else 1)
    if there_already:
        assert told == [("queued", f"queue item {item.id}"), ("sent", "")]
    else:
        assert told == [("unknown", "the gateway stopped while sending")]
    assert server.store.calls.count("Enqueue") == there_already


async def test_a_multicast_group(there: Settings, admin_bus: NatsBus, planted: Database, server: Server) -> None:
    group = {"application_id": APPLICATION, "multicast_group_id": GROUP}
    by_mqtt = there.model_copy(update={"chirpstack_downlink": "mqtt"})
    async with running(by_mqtt):
        await give(admin_bus, await ask(planted, LORA_LAMP, attributes=group))
        assert (await receipts(admin_bus, 3))[1:] == [("queued", "multicast frame 7"), ("sent", "")]
        await give(admin_bus, await ask(planted, LORA_LAMP, attributes={**group, "downlink_queue": "replace"}))
        await receipts(admin_bus, 3)
    (item,) = server.store.groups[GROUP]
    assert (item.f_port, item.f_cnt) == (21, 7)
    assert server.store.calls == ["GroupEnqueue", "GroupFlushQueue", "GroupEnqueue"]


async def test_a_newer_wish_replaces_what_waits(
    there: Settings, admin_bus: NatsBus, planted: Database, server: Server
) -> None:
    async with running(there):
        await give(admin_bus, await ask(planted, LORA_LAMP))
        await receipts(admin_bus, 3)
        attributes = {"application_id": APPLICATION, "downlink_queue": "replace"}
        await give(admin_bus, await ask(planted, LORA_LAMP, attributes=attributes, args={"level": 70.0}))
        await receipts(admin_bus, 3)
    read = codecs()["lamp-lora"].read
    assert read is not None
    assert read(queued(server).data, 21) == ("dim", {"level": 70.0})


async def test_a_chirpstack_that_speaks_protobuf(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    command = await ask(planted, LORA_LAMP)
    async with running(city.model_copy(update={"chirpstack_marshaler": "protobuf"})):
        with mqtt(city, "lorawan") as network:
            network.subscribe("application/+/device/+/command/down")
            await give(admin_bus, command)
            await receipts(admin_bus, 2)
            topic, body = network.inbox.get(timeout=10)
    assert topic == f"{TOPIC}/command/down"
    down = integration.DownlinkCommand.FromString(body)
    assert (down.id, down.dev_eui, down.confirmed, down.f_port) == (str(command.command_id), LORA_LAMP, True, 21)
    assert abs(down.expires_at.ToDatetime(UTC) - command.deadline) < timedelta(milliseconds=2)
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(body)


async def wanted_back(database: Database, command: Command) -> None:
    """A person wants it back; ingest has stored that it was handed over, as the wish needs it."""
    async with database.transaction("person:anna") as conn:
        await conn.execute(
            "UPDATE command SET cancel_asked = 'person:anna' WHERE command_id = %s", [command.command_id]
        )


def spoke(seconds_ago: float) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(datetime.now(UTC) - timedelta(seconds=seconds_ago))
    return made


def _nothing(server: Server) -> None: ...


def _sent(server: Server) -> None:
    queued(server).f_cnt_down = 12


def _with_others(server: Server) -> None:
    server.store.queue[LORA_LAMP].append(api.DeviceQueueItem(id=str(uuid.uuid4()), f_port=3))


def _gone(server: Server) -> None:
    server.store.queue.clear()


def _always_listening(server: Server) -> None:
    server.store.classes[LORA_LAMP] = common.DeviceClass.CLASS_C


def _speaks_meanwhile(server: Server) -> None:
    def strike(name: str) -> None:
        if name == "FlushQueue":
            server.store.seen[LORA_LAMP] = spoke(0)

    server.store.fault = strike


def _answers_too_late(server: Server) -> None:
    server.store.fault = lambda name: (StatusCode.UNAVAILABLE, True) if name == "FlushQueue" else None


RECALLS = [
    (_nothing, ("withdrawn", "flushed")), (_sent, ("kept", "radiated")), (_with_others, ("kept", "others")),
    (_gone, ("kept", "gone")), (_always_listening, ("kept", "class")), (_speaks_meanwhile, ("kept", "spoke")),
    (_answers_too_late, ("withdrawn", "flushed")),
]  # fmt: skip


@pytest.mark.parametrize(("happens", "told"), RECALLS, ids=[one[0].__name__.strip("_") for one in RECALLS])
async def test_a_command_is_taken_back_only_with_proof(
    there: Settings, admin_bus: NatsBus, planted: Database, server: Server, happens: Any, told: tuple[str, str]
) -> None:
    server.store.seen[LORA_LAMP] = spoke(60)
    command = await ask(planted, LORA_LAMP)
    async with running(there):
        await give(admin_bus, command)
        for kind, detail in await receipts(admin_bus, 3):
            await remember(there, command, kind, detail)
        happens(server)
        others = len(server.store.queue[LORA_LAMP]) > 1
        await wanted_back(planted, command)
        assert await receipts(admin_bus, 1) == [told]
    assert ("FlushQueue" in server.store.calls) == (told[1] in ("flushed", "spoke"))
    assert not (others and len(server.store.queue[LORA_LAMP]) < 2)


async def test_a_device_that_spoke_just_now_is_asked_about_later(
    there: Settings, admin_bus: NatsBus, planted: Database, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recalls, "LOOK_S", 0.1)
    server.store.seen[LORA_LAMP] = spoke(1)
    command = await ask(planted, LORA_LAMP)
    async with running(there):
        await give(admin_bus, command)
        for kind, detail in await receipts(admin_bus, 3):
            await remember(there, command, kind, detail)
        await wanted_back(planted, command)
        await until(lambda: server.store.calls.count("Get") > 2)
        assert "FlushQueue" not in server.store.calls
        server.store.seen[LORA_LAMP] = spoke(30)
        assert await receipts(admin_bus, 1) == [("withdrawn", "flushed")]


async def test_what_was_handed_over_without_the_api_cannot_be_taken_back(
    city: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    lora, lamp = await ask(planted, LORA_LAMP), await ask(planted, LAMP)
    for command in (lora, lamp):
        await remember(city, command, "sent")
        await wanted_back(planted, command)
    async with running(city):
        assert sorted(await receipts(admin_bus, 2)) == [("kept", "left"), ("kept", "no_api")]


async def test_nothing_is_thrown_away_while_another_command_is_on_its_way(
    there: Settings, admin_bus: NatsBus, planted: Database, server: Server
) -> None:
    command, _ = await ask(planted, LORA_LAMP), await ask(planted, LORA_LAMP)
    await remember(there, command, "sent")
    await wanted_back(planted, command)
    async with running(there):
        assert await receipts(admin_bus, 1) == [("kept", "others")]
    assert server.store.calls == []
