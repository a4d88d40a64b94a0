"""What HTTP push and the gateway say to each other of commands that devices fetch themselves; decision 0022."""

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

ASK, TOLD = "rpc.commands.fetch", "rpc.commands.handed"
CALL = "live.fetch."  # and the device: something waits for it


class Ask(msgspec.Struct, frozen=True):
    """Body of ASK: a device is there and would take its commands."""

    device: str


class Given(msgspec.Struct, frozen=True):
    """The answer: commands in their order, each as it is written for the device."""

    commands: list[msgspec.Raw] = []


class Handed(msgspec.Struct, frozen=True):
    """Body of TOLD: what became of them. left = written to the device's connection; else they never left us."""

    device: str
    ids: list[uuid.UUID]
    left: bool


def fetches(protocol: str, attributes: Mapping[str, Any]) -> bool:
    """Whether a device fetches its commands by HTTP instead of taking them by MQTT."""
    return protocol == "native" and attributes.get("downlink") == "http"
