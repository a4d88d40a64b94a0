"""The bridge between an outside broker (Debian's mosquitto) and ours: nothing lost, whoever is away meanwhile."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from citynet import embedded
from citynet.broker_config import THINGS_STACK_EVENTS
from citynet.bus import GATEWAY_UPLINKS, NatsBus
from citynet.errors import ConfigError
from citynet.part import Part, close_part
from citynet.settings import Settings
from gateway.protocols import mqtt_bridge
from gateway.qos0 import partition
from tests.conftest import make_part
from tests.support.gateway import APPLICATION, BIN, TTS_APPLICATION, TTS_BIN, Mqtt, until

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
TOPIC = f"application/{APPLICATION}/device/{BIN}"
needs_mosquitto = pytest.mark.skipif(not MOSQUITTO, reason="no mosquitto: apt-get install mosquitto")


class Outside:
    """A mosquitto that keeps its sessions in memory while it runs."""

    def __init__(self, folder: Path) -> None:
        self.port = embedded.free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_inflight_messages 100\n"
            "max_queued_messages 100000\n"
        )
        self.process = subprocess.Popen([MOSQUITTO or "", "-c", str(self._config)], stderr=subprocess.DEVNULL)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"


@pytest.fixture
async def outside(tmp_path: Path) -> AsyncIterator[Outside]:
    broker = Outside(tmp_path)
    await until(lambda: embedded.port_taken("127.0.0.1", broker.port))
    yield broker
    broker.process.terminate()
    broker.process.wait(10)


@asynccontextmanager
async def bridging(settings: Settings) -> AsyncIterator[Part]:
    part = await make_part(settings, "bridge", role="gateway")
    work = asyncio.create_task(mqtt_bridge.run(part))
    try:
        yield part
    finally:
        part.stopping.set()
        await asyncio.wait([work], timeout=10)
        await close_part(part)
    work.result()


@pytest.fixture
def bridged(city: Settings, outside: Outside) -> Settings:
    return city.model_copy(update={"bridge_url": SecretStr(outside.url)})


@pytest.fixture
def field(city: Settings, outside: Outside) -> Iterator[Mqtt]:
    """A client of the outside broker, as the network server is."""
    there = city.model_copy(update={"mqtt_port": outside.port})
    client = Mqtt(there, "lorawan", "network-server", in_flight=100)
    yield client
    client.client.disconnect()
    client.client.loop_stop()


async def up_numbers(bus: NatsBus) -> list[int]:
    puller = await bus.puller(GATEWAY_UPLINKS[partition(BIN)])
    frames = await puller.fetch(2000, 0.2)
    assert {frame.subject.split(".", 2)[2] for frame in frames} <= {f"{BIN}.chirpstack.{APPLICATION}.up"}
    return [int(frame.data) for frame in frames]


@needs_mosquitto
async def test_up_and_down(bridged: Settings, admin_bus: NatsBus, field: Mqtt) -> None:
    async with bridging(bridged) as part:
        await until(lambda: part.gauges.get("connected_outside") == part.gauges.get("connected_inside") == 1)
        field.subscribe(f"{TOPIC}/command/down")
        for number in range(200):
            field.publish(f"{TOPIC}/event/up", str(number).encode())
        await until(lambda: part.counters["carried_up"] == 200)
        headers = {"Nmqtt-Pub": "1"}
        subject = f"$MQTT.msgs.{TOPIC.replace('/', '.')}.command.down"
        await admin_bus.publish(subject, b'{"id": 7}', headers=headers)
        await until(lambda: part.counters["carried_down"] == 1)
        assert field.received() == (f"{TOPIC}/command/down", {"id": 7})
    assert await up_numbers(admin_bus) == list(range(200))


@needs_mosquitto
async def test_the_things_stack_both_ways(bridged: Settings, admin_bus: NatsBus, field: Mqtt) -> None:
    place = f"v3/{TTS_APPLICATION}/devices/{TTS_BIN}"
    async with bridging(bridged) as part:
        await until(lambda: part.gauges.get("connected_outside") == part.gauges.get("connected_inside") == 1)
        field.subscribe(f"{place}/down/push")
        for event in THINGS_STACK_EVENTS:
            field.publish(f"{place}/{event.replace('.', '/')}", event.encode(), qos=0)
        await until(lambda: part.counters["carried_up"] == len(THINGS_STACK_EVENTS))
        headers = {"Nmqtt-Pub": "1"}
        await admin_bus.publish(
            f"$MQTT.msgs.{place.replace('/', '.')}.down.push", b'{"downlinks": []}', headers=headers
        )
        assert field.received() == (f"{place}/down/push", {"downlinks": []})
        await until(lambda: part.counters["carried_down"] == 1)
    frames = await (await admin_bus.puller(GATEWAY_UPLINKS[partition(TTS_BIN)])).fetch(100, 0.2)
    found = {frame.subject.split(".", 2)[2]: frame.data.decode() for frame in frames}
    assert found == {f"{TTS_BIN}.things_stack.{TTS_APPLICATION}.{event}": event for event in THINGS_STACK_EVENTS}


@needs_mosquitto
async def test_what_comes_while_the_bridge_is_away(bridged: Settings, admin_bus: NatsBus, field: Mqtt) -> None:
    async with bridging(bridged) as part:
        await until(lambda: part.gauges.get("connected_outside") == 1)
        field.publish(f"{TOPIC}/event/up", b"0")
        await until(lambda: part.counters["carried_up"] == 1)
    for number in range(1, 50):
        field.publish(f"{TOPIC}/event/up", str(number).encode())
    async with bridging(bridged) as part:
        await until(lambda: part.counters["carried_up"] == 49)
    assert await up_numbers(admin_bus) == list(range(50))


@needs_mosquitto
async def test_our_broker_is_killed_meanwhile(
    bridged: Settings, admin_bus: NatsBus, broker: embedded.Nats, field: Mqtt
) -> None:
    async with bridging(bridged) as part:
        await until(lambda: part.gauges.get("connected_outside") == part.gauges.get("connected_inside") == 1)
        field.publish(f"{TOPIC}/event/up", b"0")
        await until(lambda: part.counters["carried_up"] == 1)
        assert broker.process is not None
        broker.process.kill()
        broker.process.wait()
        for number in range(1, 60):
            field.publish(f"{TOPIC}/event/up", str(number).encode())
        await until(lambda: part.gauges["waiting_up"] == 59)
        broker.start()
        await until(lambda: part.counters["carried_up"] >= 60, 20)
    assert sorted(set(await up_numbers(admin_bus))) == list(range(60))


async def test_an_error_in_a_callback_never_kills_it(city: Settings, broker: embedded.Nats) -> None:
    side = mqtt_bridge.Side(mqtt_bridge.inside_url(city), "inside", mqtt_bridge.DOWN)
    errors: list[Any] = []

    def fails(*arguments: Any) -> None:
        errors.append(arguments)
        raise ZeroDivisionError

    side.client.on_publish = fails
    side.client.loop_start()
    try:
        await until(side.client.is_connected)
        for number in (1, 2):
            side.client.publish(f"{TOPIC}/event/up", b"{}", qos=1)
            await until(lambda number=number: len(errors) == number)  # type: ignore[misc]
    finally:
        side.client.disconnect()
        side.client.loop_stop()


async def test_without_an_address(city: Settings, broker: embedded.Nats) -> None:
    with pytest.raises(ConfigError, match="CITYNET_BRIDGE_URL"):
        async with bridging(city) as part:
            assert not part.gauges
