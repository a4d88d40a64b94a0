"""What a network server must say for itself to be synchronised with; gateway/chirpstack and gateway/things_stack do."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from citynet.db import Database
from citynet.settings import Settings
from gateway.sync.found import Found
from gateway.wire import Radio


class Said(NamedTuple):
    """An uplink as far as its values go: the radio bytes, and what the network server has decoded already."""

    radio: Radio | None
    decoded: Any


class Look(Protocol):
    """Compares all that a network server has with the registry. since: what was not touched from then on is the same.

    Raises ConfigError and Unavailable, and what else of CitynetError the server's own client does.
    """

    def __call__(self, db: Database, settings: Settings, *, since: datetime | None = None) -> Awaitable[Found]:
        """What is new or changed."""


class Network(NamedTuple):
    """source: its name in the registry; title for people; uplink: the subject of a device's newest frames."""

    source: str
    title: str
    uplink: str
    look: Look
    read: Callable[[bytes, Settings], Said]
