"""The Compose profile `lorawan`, its own pieces run natively: broker with users and rights, bridge, region files."""

import os
import shutil
import subprocess
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from citynet import embedded
from citynet.bus import GATEWAY_UPLINKS, NatsBus
from citynet.settings import Settings
from gateway.qos0 import partition
from tests.contracts.test_tidy import ROOT
from tests.flows.test_gateway_bridge import bridging, numbers
from tests.support.gateway import APPLICATION, BIN, Mqtt, until
from tests.support.mosquitto import MOSQUITTO, needs_mosquitto

LORAWAN = ROOT / "deploy" / "lorawan"
USERS = ("chirpstack", "citynet", "gateway")
TOPIC = f"application/{APPLICATION}/device/{BIN}"


class Broker:
    """The profile's mosquitto on a free port, started by its own script."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, embedded.free_port()
        for user in USERS:
            (folder / f"lorawan_{user}").write_text(f"secret-of-{user}\n")
        config = (LORAWAN / "mosquitto" / "mosquitto.conf").read_text()
        places = {
            "listener 1883": f"listener {self.port} 127.0.0.1\nuser {folder.owner()}",
            "/tmp/users": str(folder / "users"),
            "/mosquitto/config/acl": str(LORAWAN / "mosquitto" / "acl"),
            "/mosquitto/data/": f"{folder}/",
        }
        for theirs, ours in places.items():
            assert theirs in config
            config = config.replace(theirs, ours)
        (folder / "mosquitto.conf").write_text(config)
        words = {"USERS_FILE": folder / "users", "SECRETS": folder, "CONFIG": folder / "mosquitto.conf"}
        environment = os.environ | {name: str(value) for name, value in words.items()}
        environment["PATH"] = f"{environment['PATH']}:{Path(MOSQUITTO or '').parent}"
        command = ["/bin/sh", str(LORAWAN / "mosquitto" / "start.sh")]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def client(self, user: str, settings: Settings, password: str = "") -> Mqtt:
        """A client of one of the users."""
        there = settings.model_copy(update={"mqtt_port": self.port})
        os.environ[f"CITYNET_SECRET_NATS_{user.upper()}"] = password or f"secret-of-{user}"
        try:
            return Mqtt(there, user, f"test-{user}", in_flight=100)
        finally:
            del os.environ[f"CITYNET_SECRET_NATS_{user.upper()}"]


@pytest.fixture
async def outside(tmp_path: Path) -> AsyncIterator[Broker]:
    broker = Broker(tmp_path)
    await until(lambda: embedded.port_taken("127.0.0.1", broker.port))
    yield broker
    broker.process.terminate()
    broker.process.wait(10)


@needs_mosquitto
async def test_broker_and_bridge_of_the_profile(
    city: Settings, admin_bus: NatsBus, outside: Broker, tmp_path: Path
) -> None:
    text = (LORAWAN / "bridges.toml").read_text()
    text = text.replace("lorawan-broker:1883", f"127.0.0.1:{outside.port}").replace("/run/secrets", str(tmp_path))
    (tmp_path / "bridges.toml").write_text(text)
    network, radio = outside.client("chirpstack", city), outside.client("gateway", city)
    try:
        async with bridging(city.model_copy(update={"bridges": str(tmp_path / "bridges.toml")})) as part:
            await until(lambda: part.gauges.get("connected_chirpstack") == 1)
            network.subscribe("application/+/device/+/command/down")
            numbers(radio, range(900, 901))  # no right to: must not arrive
            numbers(network, range(20))
            await until(lambda: part.counters["carried_up"] == 20)
            subject = f"$MQTT.msgs.{TOPIC.replace('/', '.')}.command.down"
            await admin_bus.publish(subject, b'{"id": 7}', headers={"Nmqtt-Pub": "1"})
            await until(lambda: not network.inbox.empty())
            assert network.received() == (f"{TOPIC}/command/down", {"id": 7})
    finally:
        for client in (network, radio):
            client.client.disconnect()
            client.client.loop_stop()
    frames = await (await admin_bus.puller(GATEWAY_UPLINKS[partition(BIN)])).fetch(100, 0.5)
    assert [int(frame.data) for frame in frames] == list(range(20))


@needs_mosquitto
async def test_nobody_is_anonymous(outside: Broker) -> None:
    for user, password in (("", ""), ("citynet", "wrong"), ("root", "")):
        refused: list[bool] = []
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="stranger")
        if user:
            client.username_pw_set(user, password)
        client.on_connect = lambda *told, seen=refused: seen.append(told[3].is_failure)
        client.connect("127.0.0.1", outside.port)
        client.loop_start()
        await until(lambda seen=refused: bool(seen))  # type: ignore[misc]
        client.disconnect()
        client.loop_stop()
        assert all(refused)


def test_regions_and_configuration_agree() -> None:
    files = {path.name: tomllib.loads(path.read_text()) for path in (LORAWAN / "chirpstack").glob("*.toml")}
    main = files.pop("chirpstack.toml")
    regions = [region for file in files.values() for region in file["regions"]]
    assert sorted(region["id"] for region in regions) == main["network"]["enabled_regions"] == ["eu868", "ru864"]
    assert main["integration"]["mqtt"]["qos"] == 1
    limits = {"eu868": (863_000_000, 870_000_000), "ru864": (864_000_000, 870_000_000)}
    for region in regions:
        low, high = limits[region["id"]]
        channels = [one["frequency"] for one in region["gateway"]["channels"]]
        extra = [one["frequency"] for one in region["network"].get("extra_channels", [])]
        assert all(low <= one <= high for one in [*channels, *extra, region["network"]["rx2_frequency"]])
        assert set(extra) <= set(channels)
        assert region["gateway"]["backend"]["mqtt"]["topic_prefix"] == region["id"]


def test_scripts_are_shell() -> None:
    shell = shutil.which("sh")
    assert shell
    for script in (LORAWAN / "chirpstack.sh", LORAWAN / "mosquitto" / "start.sh"):
        assert subprocess.run([shell, "-n", str(script)], capture_output=True).returncode == 0
