"""The file that names outside brokers: what it may say, how topics are led, and that no password is ever shown."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from citynet.errors import BadInput, ConfigError
from citynet.settings import Settings
from gateway.bridge.config import plans
from gateway.bridge.topics import Topics

FILE = """
[[bridge]]
name = "meters"
url = "mqtts://broker.example"
version = "5"
user = "city"
password_file = "pass"
group = "citynet"
subscribe = ["plant/#"]
quiet_s = 60
up = [{from = "plant/+/meter/+", to = "devices/{1}-{2}/up"}]
down = [{from = "devices/+/down/#", to = "plant/{1}/orders/{2}"}]

[[bridge]]
name = "lorawan"
url = "mqtt://me:pa%20ss@broker.example:1884"
"""


def settings(folder: Path, text: str = "", url: str = "") -> Settings:
    (folder / "bridges.toml").write_text(text)
    bridges = str(folder / "bridges.toml") if text else ""
    return Settings(home=folder, bridges=bridges, bridge_url=SecretStr(url))


def test_a_file_of_two_brokers(tmp_path: Path) -> None:
    (tmp_path / "pass").write_text("s3cret\n")
    meters, lorawan = plans(settings(tmp_path, FILE))
    assert (meters.outside.host, meters.outside.port, meters.outside.version) == ("broker.example", 8883, "5")
    assert (meters.outside.user, meters.outside.password.get_secret_value()) == ("city", "s3cret")
    assert meters.outside.tls is not None
    assert meters.outside.filters == ("$share/citynet/plant/#",)
    assert meters.inside.filters == ("devices/+/down/#",)
    assert (meters.outside.client_id, meters.inside.user) == ("citynet-bridge-meters", "bridge")
    assert (lorawan.outside.port, lorawan.outside.password.get_secret_value()) == (1884, "pa ss")
    assert lorawan.outside.filters == ("application/+/device/+/event/+", "v3/+/devices/+/#")
    assert "s3cret" not in repr(meters)


def test_the_address_alone(tmp_path: Path) -> None:
    (plan,) = plans(settings(tmp_path, url="mqtt://me:secret@127.0.0.1"))
    assert (plan.name, plan.outside.client_id, plan.outside.port) == ("default", "citynet-bridge", 1883)


WRONG = {
    "": "CITYNET_BRIDGES to a file",
    "[[bridge]]": "bridge.0.name: Field required",
    "[[bridge": "is not TOML",
    "[[bridge]]\nname = 'a b'\nurl = 'mqtt://h'": "bridge.0.name",
    "[[bridge]]\nname = 'a'\nurl = 'http://me:secret@h'": "must look like mqtt://",
    "[[bridge]]\nname = 'a'\nurl = 'mqtt://h'\ngroup = 'g'": 'needs version = "5"',
    "[[bridge]]\nname = 'a'\nurl = 'mqtt://h'\nfrobnicate = 1": "bridge.0.frobnicate",
    "[[bridge]]\nname = 'a'\nurl = 'mqtt://h'\npassword_file = 'nowhere'": "password_file",
    "[[bridge]]\nname = 'a'\nurl = 'mqtts://h'\nca = 'nowhere'": "ca, certificate or key",
    "[[bridge]]\nname = 'a'\nurl = 'mqtt://h'\npassword = 'secret'\nversion = '4'": "bridge.0.version",
    "[[bridge]]\nname = 'a'\nurl = 'mqtt://h'\nup = [{from = 'x/+'}]": "no topic that our broker stores",
    "[[bridge]]\nname = 'a'\nurl = 'mqtt://h'\nup = [{from = 'x/+', to = 'devices/{2}/up'}]": "names a wildcard",
    "[[bridge]]\nname = 'a'\nurl = 'mqtt://h'\nup = [{from = 'x/#/y', to = 'devices/{1}/up'}]": "no topic filter",
    "[[bridge]]\nname = 'a'\nurl = 'mqtt://h'\ndown = [{from = 'x/+'}]": "no topic of ours",
    "[[bridge]]\nname = 'a'\nurl = 'mqtt://h'\n[[bridge]]\nname = 'a'\nurl = 'mqtt://h'": "two bridges",
}


@pytest.mark.parametrize("text", WRONG, ids=list(WRONG.values()))
def test_what_a_file_may_not_say(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plans(settings(tmp_path, text))
    assert WRONG[text] in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        plans(Settings(home=tmp_path, bridges=str(tmp_path / "nowhere.toml")))


LEADS = [
    ("application/a/device/b/event/up", "application/a/device/b/event/up"),
    ("application/a/device/b/command/down", None),
    ("v3/app@ttn/devices/dev/up", "v3/app@ttn/devices/dev/up"),
    ("v3/app@ttn/devices/dev/down/queued", "v3/app@ttn/devices/dev/down/queued"),
    ("v3/app@ttn/devices/dev/down/push", None),
    ("v3/app@ttn/devices/dev/new/thing", None),
    ("application//device/b/event/up", None),
    ("other", None),
]


@pytest.mark.parametrize(("topic", "goal"), LEADS)
def test_where_topics_go_by_default(tmp_path: Path, topic: str, goal: str | None) -> None:
    (plan,) = plans(settings(tmp_path, url="mqtt://h"))
    assert plan.up.lead(topic) == goal


@pytest.mark.parametrize("topic", ["x/a b", "x/a*", "x/>", "x/\u00a0"])
def test_topics_that_no_subject_can_be(topic: str) -> None:
    with pytest.raises(BadInput) as caught:
        Topics([("x/+", "devices/{1}/up")]).lead(topic)
    assert caught.value.reason == "bad_topic"


def test_the_first_filter_that_matches_counts() -> None:
    topics = Topics([("x/1", "devices/one/up"), ("x/#", "devices/{1}/up"), ("+/y", "")])
    assert [topics.lead(t) for t in ("x/1", "x/2", "z/y", "z")] == ["devices/one/up", "devices/2/up", "z/y", None]
