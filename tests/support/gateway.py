"""What the tests of the gateway share: a small city of six devices, frames, an MQTT client, a running gateway."""

import asyncio
import queue
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast
from weakref import WeakKeyDictionary

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from citynet.bus import Consumer, Frame, NatsBus, Puller
from citynet.catalog import catalog
from citynet.db import Database
from citynet.model import DeviceSpec, Proposal, ProposalRequest, unpack_readings
from citynet.part import Part, close_part
from citynet.registry import Device, Registry, Series
from citynet.settings import Settings
from gateway import app
from gateway.decoding import Decoder
from gateway.directory import Directory
from situation_center import registry_write
from tests.conftest import make_part

LIMITS = Settings()
PULLERS: WeakKeyDictionary[NatsBus, dict[str, Puller]] = WeakKeyDictionary()
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOON_US = round(NOON.timestamp() * 1e6)
LAMP, BIN, LORA_LAMP, METER = "lamp-1", "0011223344556677", "0011223344556688", "0011223344556699"
TTS_BIN, TTS_LAMP, TTS_APPLICATION = "eui-70b3d57ed0061234", "lamp-70b3d57e", "city-bins@ttn"
APPLICATION = "6f2b1c0e-0d0a-4c55-9d57-3f5a8c3b7e10"
DEVICES = {
    LAMP: ("native", "lamp", "lamp"),
    BIN: ("chirpstack", "bin-lora", "bin"),
    LORA_LAMP: ("chirpstack", "lamp-lora", "lamp"),
    METER: ("chirpstack", "heat-registers-lora", "heat_meter"),
    TTS_BIN: ("things_stack", "bin-lora", "bin"),
    TTS_LAMP: ("things_stack", "lamp-lora", "lamp"),
}


def attributes(external_id: str) -> dict[str, str]:
    """Of a device: the application of its network server."""
    network = {"chirpstack": APPLICATION, "things_stack": TTS_APPLICATION}
    protocol = DEVICES[external_id][0]
    return {"application_id": network[protocol]} if protocol in network else {}


def proposals() -> list[Proposal]:
    """The devices, each at a point of its own."""
    return [
        Proposal(
            key=f"{class_}/{name}",
            cls=class_,
            name_ru=name,
            name_en=name,
            lon=37.77,
            lat=44.72,
            device=DeviceSpec(external_id=name, protocol=protocol, profile=profile, attributes=attributes(name)),
        )
        for name, (protocol, profile, class_) in DEVICES.items()
    ]


async def plant(database: Database) -> None:
    """Write catalogue and devices as the situation centre does."""
    await registry_write.seed_catalog(database, catalog())
    await registry_write.apply(database, ProposalRequest("test", proposals()), catalog())


async def series_of(database: Database, external_id: str) -> dict[str, int]:
    """Quantity -> series of the point that a device measures."""
    rows = await database.rows(
        "SELECT s.quantity, s.series_id FROM series s JOIN device_point p ON p.object_id = s.object_id"
        " JOIN object_now d ON d.object_id = p.device_id WHERE d.attributes->>'external_id' = %s",
        [external_id],
    )
    return {row["quantity"]: row["series_id"] for row in rows}


@cache
def small_registry() -> Registry:
    """The devices without a database: point = 10 x number, series count from 1."""
    profiles = {name: (1, profile) for name, profile in catalog().profiles.items()}
    devices: dict[str, Device] = {}
    by_point: dict[tuple[int, str, str], int] = {}
    for number, (name, (protocol, profile, _)) in enumerate(DEVICES.items(), 1):
        devices[name] = Device(number, name, protocol, profile, number * 10, dict(attributes(name)))
        for mapping in profiles[profile][1].map.values():
            by_point[number * 10, mapping.quantity, mapping.channel] = len(by_point) + 1
    series = {n: Series(n, point, quantity, channel, "") for (point, quantity, channel), n in by_point.items()}
    return Registry(("test",), devices, series, by_point, profiles=profiles)


def directory_of(registry: Registry) -> Directory:
    """A directory that has met every device of a snapshot; it never asks a database."""
    directory = Directory(cast(Part, None), registry.profiles)
    for device in registry.devices.values():
        found = [one for one in registry.series.values() if one.object_id == device.point_id]
        directory.add(device, {(one.quantity, one.channel): one.series_id for one in found})
    return directory


def decoder(stream: str = "UPLINKS") -> Decoder:
    """A decoder of the small registry; it never asks part or database."""
    return Decoder(stream, directory_of(small_registry()), LIMITS)


def native(data: bytes | dict[str, Any] | list[Any], *, device: str = LAMP, seq: int = 1, event: str = "up") -> Frame:
    """A frame of our own JSON that arrived at noon."""
    body = data if isinstance(data, bytes) else msgspec.json.encode(data)
    root = "hist" if event == "history" else "up"
    return Frame(f"{root}.0.{device}.native.{event}", body, seq, NOON_US * 1000)


def chirpstack(data: bytes | dict[str, Any], *, device: str = BIN, seq: int = 1, event: str = "up") -> Frame:
    """A ChirpStack event that arrived at noon."""
    body = data if isinstance(data, bytes) else msgspec.json.encode(data)
    return Frame(f"up.0.{device}.chirpstack.{APPLICATION}.{event}", body, seq, NOON_US * 1000)


def things_stack(data: bytes | dict[str, Any], *, device: str = TTS_BIN, seq: int = 1, event: str = "up") -> Frame:
    """A message of The Things Stack that arrived at noon; event as the topic ends, with dots."""
    body = data if isinstance(data, bytes) else msgspec.json.encode(data)
    return Frame(f"up.0.{device}.things_stack.{TTS_APPLICATION}.{event}", body, seq, NOON_US * 1000)


class Mqtt:
    """An MQTT 3.1.1 client of a test; publishing waits for the broker's answer."""

    def __init__(self, settings: Settings, user: str, name: str, *, in_flight: int) -> None:
        self.inbox: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._ready: queue.Queue[bool] = queue.Queue()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        self.client.username_pw_set(user, settings.secret(f"nats_{user}"))
        self.client.max_inflight_messages_set(in_flight)
        self.client.on_message = lambda _, __, message: self.inbox.put((message.topic, bytes(message.payload)))
        self.client.on_connect = lambda *_: self._ready.put(True)
        self.client.on_subscribe = lambda *_: self._ready.put(True)
        self.client.connect(settings.mqtt_host, settings.mqtt_port)
        self.client.loop_start()
        self._ready.get(timeout=10)

    def subscribe(self, topic: str) -> None:
        """At QoS 1, until the broker has confirmed."""
        self.client.subscribe(topic, qos=1)
        self._ready.get(timeout=10)

    def publish(self, topic: str, data: bytes | dict[str, Any] | list[Any], *, qos: int = 1) -> None:
        """Until PUBACK, for QoS 1."""
        body = data if isinstance(data, bytes) else msgspec.json.encode(data)
        self.client.publish(topic, body, qos=qos).wait_for_publish(10)

    def received(self, timeout_s: float = 10) -> tuple[str, Any]:
        """Topic and JSON of the next message. Raises queue.Empty."""
        topic, body = self.inbox.get(timeout=timeout_s)
        return topic, msgspec.json.decode(body)


@contextmanager
def mqtt(settings: Settings, user: str, name: str = "", *, in_flight: int = 20) -> Iterator[Mqtt]:
    """A connected client."""
    client = Mqtt(settings, user, name or f"test-{user}", in_flight=in_flight)
    try:
        yield client
    finally:
        client.client.disconnect()
        client.client.loop_stop()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Part]:
    """A gateway at work inside the test."""
    part = await make_part(settings, "gateway", role="gateway")
    work = asyncio.create_task(app.run(part))
    try:
        yield part
        assert not work.done(), work.exception()
    finally:
        work.cancel()
        await asyncio.wait([work])
        await close_part(part)


async def collect(
    bus: NatsBus, consumer: Consumer, count: int, *, weight: Callable[[Frame], int] = lambda _: 1
) -> list[Frame]:
    """Exactly count messages of a durable (or as many as weigh count), acknowledged; fails after 45 s.

    One puller for all calls: what the broker hands to the last pull of one that is given up comes again after 30 s.
    """
    known = PULLERS.setdefault(bus, {})
    puller = known.get(consumer.durable) or known.setdefault(consumer.durable, await bus.puller(consumer))
    frames: list[Frame] = []
    found = [Frame("", b"", 0, 0)]
    async with asyncio.timeout(45):
        while sum(map(weight, frames)) < count or found:
            found = await puller.fetch(100, 0.2)
            await puller.ack(found)
            frames += found
    assert sum(map(weight, frames)) == count, [(frame.subject, frame.data[:200]) for frame in frames]
    return frames


def rows(frame: Frame) -> int:
    """Number of readings in a READINGS message."""
    return int(unpack_readings(frame.data).num_rows)


async def until(condition: Callable[[], Awaitable[bool] | bool], limit_s: float = 45) -> None:
    """Wait for a state; fails after limit_s."""
    async with asyncio.timeout(limit_s):
        while True:
            found = condition()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.01)
