"""The bridge between outside brokers (Debian's mosquitto) and ours: nothing lost, whoever is away meanwhile."""

import asyncio
import ctypes
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as paho
import pytest
from pydantic import SecretStr

from citynet import embedded
from citynet.bus import GATEWAY_UPLINKS, INGEST_DEAD, NatsBus
from citynet.errors import ConfigError
from citynet.model import Quarantined
from citynet.part import Part, close_part
from citynet.settings import Settings
from gateway.bridge import app
from gateway.bridge.carrier import Carrier
from gateway.bridge.link import Link
from gateway.qos0 import partition
from tests.conftest import make_part
from tests.support.gateway import APPLICATION, BIN, Mqtt, collect, until
from tests.support.mosquitto import Mosquitto, needs_mosquitto

TOPIC = f"application/{APPLICATION}/device/{BIN}"
pytestmark = needs_mosquitto


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    yield broker
    broker.stop()


@pytest.fixture
async def field(city: Settings, outside: Mosquitto) -> AsyncIterator[Mqtt]:
    """A client of the outside broker, as the network server is."""
    await until(lambda: embedded.port_taken("127.0.0.1", outside.port))
    client = Mqtt(city.model_copy(update={"mqtt_port": outside.port}), "lorawan", "network-server", in_flight=100)
    yield client
    client.client.disconnect()
    client.client.loop_stop()


def bridged(city: Settings, url: str, **words: Any) -> Settings:
    """Settings with one bridge, called outside."""
    lines = [f"{key} = {value}" for key, value in words.items()]
    path = city.home / "bridges.toml"
    path.write_text("\n".join(["[[bridge]]", 'name = "there"', f'url = "{url}"', *lines]))
    return city.model_copy(update={"bridges": str(path)})


@asynccontextmanager
async def bridging(settings: Settings) -> AsyncIterator[Part]:
    part = await make_part(settings, "bridge", role="gateway")
    work = asyncio.create_task(app.run(part))
    try:
        yield part
    finally:
        part.stopping.set()
        await asyncio.wait([work], timeout=10)
        await close_part(part)
    work.result()


def numbers(field: Mqtt, which: range) -> None:
    """Uplinks that the outside broker has acknowledged."""
    waiting = [field.client.publish(f"{TOPIC}/event/up", str(number).encode(), qos=1) for number in which]
    for one in waiting:
        one.wait_for_publish(10)


def connected(part: Part) -> Callable[[], bool]:
    return lambda: part.gauges.get("connected_there") == 1


async def up_numbers(bus: NatsBus) -> list[int]:
    puller = await bus.puller(GATEWAY_UPLINKS[partition(BIN)])
    frames = await puller.fetch(2000, 0.2)
    assert {frame.subject.split(".", 2)[2] for frame in frames} <= {f"{BIN}.chirpstack.{APPLICATION}.up"}
    return [int(frame.data) for frame in frames]


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_up_and_down(city: Settings, admin_bus: NatsBus, outside: Mosquitto, field: Mqtt, version: str) -> None:
    field.subscribe(f"{TOPIC}/command/down")
    field.client.publish(f"{TOPIC}/event/up", b"0", qos=1, retain=True).wait_for_publish(10)
    everything = bridged(city, outside.url, version=f'"{version}"', subscribe='["application/#"]')
    async with bridging(everything) as part:
        await until(connected(part))
        field.publish(f"{TOPIC}/state/x", b"nobody reads this")
        for number in range(1, 200):
            field.client.publish(f"{TOPIC}/event/up", str(number).encode(), qos=number % 2)
        await until(lambda: part.counters["carried_up"] == 199)
        subject = f"$MQTT.msgs.{TOPIC.replace('/', '.')}.command.down"
        await admin_bus.publish(subject, b'{"id": 7}', headers={"Nmqtt-Pub": "1"})
        await until(lambda: part.counters["carried_down"] == 1)
        assert field.received() == (f"{TOPIC}/command/down", {"id": 7})
        # 3.1.1 has no way to ask that one's own message stays away; it is mapped by nobody.
        strays = 1 if version == "5" else 2
        await until(lambda: part.counters["unmapped_up"] == strays)
        assert part.counters["retained_up"] == (version == "3.1.1")
    assert sorted(await up_numbers(admin_bus)) == list(range(1, 200))


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_what_comes_while_somebody_is_away(
    city: Settings, admin_bus: NatsBus, outside: Mosquitto, field: Mqtt, version: str
) -> None:
    """First the bridge is away, then the outside broker is stopped and back, with its sessions."""
    there = bridged(city, outside.url, version=f'"{version}"')
    async with bridging(there) as part:
        await until(connected(part))
        field.publish(f"{TOPIC}/event/up", b"0")
        await until(lambda: part.counters["carried_up"] == 1)
    numbers(field, range(1, 50))
    async with bridging(there) as part:
        await until(lambda: part.counters["carried_up"] >= 25)
        outside.stop()
        for number in range(50, 100):
            field.client.publish(f"{TOPIC}/event/up", str(number).encode(), qos=1)  # kept by the client until then
        outside.start()
        await until(lambda: part.counters["carried_up"] >= 99, 20)
        await until(lambda: part.gauges["waiting_up"] == 0)
    assert sorted(set(await up_numbers(admin_bus))) == list(range(100))


async def test_our_broker_is_killed_meanwhile(
    city: Settings, admin_bus: NatsBus, broker: embedded.Nats, outside: Mosquitto, field: Mqtt
) -> None:
    """The source holds back what we cannot store: no more than its window is under way."""
    async with bridging(bridged(city, outside.url, version='"5"', in_flight=20)) as part:
        await until(connected(part))
        field.publish(f"{TOPIC}/event/up", b"0")
        await until(lambda: part.counters["carried_up"] == 1)
        assert broker.process is not None
        broker.process.kill()
        broker.process.wait()
        numbers(field, range(1, 60))
        await until(lambda: part.gauges["waiting_up"] == 20)
        broker.start()
        await until(lambda: part.counters["carried_up"] >= 60, 20)
    assert sorted(set(await up_numbers(admin_bus))) == list(range(60))


async def test_the_bridge_is_killed_meanwhile(
    city: Settings, admin_bus: NatsBus, outside: Mosquitto, field: Mqtt
) -> None:
    words = {"HOME": city.home, "DATABASE_URL": city.database_url, "NATS_PORT": city.nats_port,
             "MQTT_PORT": city.mqtt_port, "BRIDGE_URL": outside.url}  # fmt: skip
    environment = os.environ | {f"CITYNET_{name}": str(value) for name, value in words.items()}

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "citynet.cli", "run", "bridge"]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    async def stored() -> bool:
        return (await admin_bus.stream_state("UPLINKS"))[0] > 20

    process = start()
    try:
        waiting: list[paho.MQTTMessageInfo] = []
        async with asyncio.timeout(20):
            while not await stored():  # until it has subscribed nothing is kept for it
                number = str(len(waiting)).encode()
                waiting.append(field.client.publish(f"{TOPIC}/event/up", number, qos=1))
                await asyncio.to_thread(waiting[-1].wait_for_publish, 5)
        process.kill()
        process.wait()
        first = min(await up_numbers(admin_bus))
        numbers(field, range(len(waiting), len(waiting) + 100))
        process = start()
        whole = set(range(first, len(waiting) + 100))
        found: set[int] = set()

        async def all_there() -> bool:
            found.update(await up_numbers(admin_bus))
            return found == whole

        await until(all_there, 20)
    finally:
        process.kill()
        process.wait()


async def test_topics_of_any_broker_become_ours(
    city: Settings, admin_bus: NatsBus, outside: Mosquitto, field: Mqtt
) -> None:
    """Two brokers' worth of words: a shared subscription, other topics, and what our broker would not take."""
    mapped = bridged(
        city,
        outside.url,
        version='"5"',
        group='"citynet"',
        up='[{from = "plant/+/meter/+", to = "devices/{1}-{2}/up"}]',
        down='[{from = "devices/+/down/#", to = "plant/orders/{1}/{2}"}]',
    )
    async with bridging(mapped) as part:
        await until(connected(part))
        field.subscribe("plant/orders/#")
        body = b'{"values": {"flow": 1}}'
        for topic in ("plant/north/meter/7", "plant/no rth/meter/7", "plant/north/meter/7"):
            field.publish(topic, body)
        field.publish("plant/north/meter/8", bytes(city.payload_bytes + 1))
        await until(lambda: part.counters["unfit_up"] == 2)
        await until(lambda: part.counters["carried_up"] == 2)
        await admin_bus.publish("$MQTT.msgs.devices.north-7.down.command", b'{"id": 1}', headers={"Nmqtt-Pub": "1"})
        assert await asyncio.to_thread(field.received) == ("plant/orders/north-7/command", {"id": 1})
    puller = await admin_bus.puller(GATEWAY_UPLINKS[partition("north-7")])
    frames = await puller.fetch(10, 1)
    assert [(frame.subject.split(".", 2)[2], frame.data) for frame in frames] == [("north-7.native.up", body)] * 2
    dead = [msgspec.json.decode(frame.data, type=Quarantined) for frame in await collect(admin_bus, INGEST_DEAD, 2)]
    assert {(one.reason, one.subject) for one in dead} == {
        ("bad_topic", "plant/no rth/meter/7"),
        ("too_large", "plant/north/meter/8"),
    }
    assert {len(one.payload) for one in dead} == {len(body), city.payload_bytes}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_no_fault_ends_the_bridge(
    city: Settings, admin_bus: NatsBus, outside: Mosquitto, field: Mqtt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A callback that fails costs nothing but this message's time; a thread that ends is replaced."""
    whole, poisoned = Carrier._send, threading.Event()

    def fails_once(self: Carrier, topic: str, payload: bytes, origin: Any) -> None:
        if payload == b"1" and not poisoned.is_set():
            poisoned.set()
            raise ZeroDivisionError
        whole(self, topic, payload, origin)

    monkeypatch.setattr(Carrier, "_send", fails_once)
    async with bridging(bridged(city, outside.url)) as part:
        await until(connected(part))
        for number in range(3):
            field.publish(f"{TOPIC}/event/up", str(number).encode())
        await until(lambda: part.counters["carried_up"] == 2)
        assert part.counters["errors_up"] == 1
        reader = next(one for one in threading.enumerate() if one.name == "bridge-there-outside")
        end_thread(reader)
        await until(lambda: part.counters["bridge_restarts"] == 1)
        await until(lambda: part.counters["carried_up"] == 3)
    assert sorted(await up_numbers(admin_bus)) == [0, 1, 2]


def end_thread(thread: threading.Thread) -> None:
    """As a fault inside the library would: an exception that nobody caught."""
    number = ctypes.c_ulong(thread.ident or 0)
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(SystemExit)) == 1


async def test_a_silent_session_is_opened_anew(
    city: Settings, broker: embedded.Nats, outside: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Link, "ill", lambda link: "" if time.monotonic() - link.up.last < 0.5 else "silent")
    async with bridging(bridged(city, outside.url)) as part:
        await until(lambda: part.counters["bridge_restarts"] >= 2)
        await until(connected(part))


async def test_without_an_address(city: Settings, broker: embedded.Nats) -> None:
    with pytest.raises(ConfigError, match="CITYNET_BRIDGES"):
        async with bridging(city) as part:
            assert not part.gauges


async def test_the_address_alone_is_enough(city: Settings, broker: embedded.Nats, outside: Mosquitto) -> None:
    async with bridging(city.model_copy(update={"bridge_url": SecretStr(outside.url)})) as part:
        await until(lambda: part.gauges.get("connected_outside") == part.gauges.get("connected_inside") == 1)
