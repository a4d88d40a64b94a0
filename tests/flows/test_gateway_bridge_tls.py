"""How the bridge signs in to outside brokers: certificates both ways, user and password, and nothing of it in a log."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from citynet import embedded
from citynet.bus import NatsBus
from citynet.settings import Settings
from tests.flows.test_gateway_bridge import TOPIC, bridged, bridging, connected, up_numbers
from tests.support.authority import Authority, Identity
from tests.support.gateway import until
from tests.support.mosquitto import Mosquitto, needs_mosquitto, password_file

pytestmark = needs_mosquitto


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_tls_with_a_client_certificate(city: Settings, admin_bus: NatsBus, tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    server, client, foreign = authority.issue("server"), authority.issue("citynet"), stranger.issue("foreign")
    outside = Mosquitto(
        tmp_path,
        f"cafile {authority.file}\ncertfile {server.certificate}\nkeyfile {server.key}",
        "require_certificate true\nallow_anonymous false\nuse_identity_as_username true",
    )
    url = f"mqtts://127.0.0.1:{outside.port}"
    try:
        for version in ("3.1.1", "5"):
            files = {"ca": authority.file, "certificate": client.certificate, "key": client.key}
            words = {name: f'"{path.name}"' for name, path in files.items()} | {"version": f'"{version}"'}
            async with bridging(bridged(city, url, **words)) as part:
                await until(connected(part))
                with planted(outside.port, authority, client) as sender:
                    sender.publish(f"{TOPIC}/event/up", version[:1].encode(), qos=1).wait_for_publish(10)
                await until(lambda part=part: part.counters["carried_up"] == 1)  # type: ignore[misc]
        assert await up_numbers(admin_bus) == [3, 5]
        for wrong in ({"certificate": foreign.certificate, "key": foreign.key}, {"ca": stranger.file}):
            words |= {name: f'"{path.name}"' for name, path in wrong.items()}
            async with bridging(bridged(city, url, **words)) as part:
                await until(lambda part=part: part.gauges.get("failures_there", 0) > 0)  # type: ignore[misc]
                assert part.gauges["connected_there"] == 0
            words |= {name: f'"{path.name}"' for name, path in files.items()}
    finally:
        outside.stop()


@contextmanager
def planted(port: int, authority: Authority, identity: Identity) -> Iterator[paho.Client]:
    """A client with a certificate."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="sender")
    context = ssl.create_default_context(cafile=str(authority.file))
    context.load_cert_chain(identity.certificate, identity.key)
    client.tls_set_context(context)
    client.connect("127.0.0.1", port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


async def test_user_and_password(
    city: Settings, broker: embedded.Nats, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    outside = Mosquitto(tmp_path, f"password_file {password_file(tmp_path, 'city', 's3cret-word')}")
    try:
        for password, there in (("s3cret-word", 1), ("wr0ng-word", 0)):
            url = f"mqtt://city:{password}@127.0.0.1:{outside.port}"
            async with bridging(bridged(city, url, version='"5"')) as part:
                if there:
                    await until(connected(part))
                else:
                    await until(lambda part=part: part.gauges.get("failures_there", 0) > 0)  # type: ignore[misc]
                assert part.gauges["connected_there"] == there
    finally:
        outside.stop()
    said = capfd.readouterr()
    assert "connected" in said.out
    assert "-word" not in said.out + said.err
