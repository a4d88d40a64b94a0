"""The form of the file that CITYNET_BRIDGES names: docs/how-to/bridge.md describes it."""

from typing import Literal

from pydantic import Field, SecretStr

from citynet.catalog import Strict


class Route(Strict):
    """Topics that match from go on as to; {1}, {2} .. stand for what + and # matched. No to = the same topic."""

    from_: str = Field(alias="from")
    to: str = ""


def _same(topic_filter: str) -> Route:
    return Route.model_validate({"from": topic_filter})


# What a LoRaWAN network server has for us and takes from us: ChirpStack, The Things Stack.
UP = (_same("application/+/device/+/event/+"), _same("v3/+/devices/+/#"))
DOWN = (
    _same("application/+/device/+/command/down"),
    _same("v3/+/devices/+/down/push"),
    _same("v3/+/devices/+/down/replace"),
)


class Broker(Strict):
    """One outside broker."""

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    url: str
    version: Literal["3.1.1", "5"] = "3.1.1"
    user: str = ""
    password: SecretStr = SecretStr("")
    password_file: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    client_id: str = ""
    group: str = ""
    in_flight: int = Field(200, ge=1, le=10_000)
    keepalive_s: int = Field(30, ge=5, le=3_600)
    session_expiry_s: int = Field(604_800, ge=60)
    quiet_s: int = Field(900, ge=30)
    subscribe: tuple[str, ...] = ()
    up: tuple[Route, ...] = UP
    down: tuple[Route, ...] = DOWN


class File(Strict):
    """The whole file."""

    bridge: list[Broker] = Field(min_length=1)
