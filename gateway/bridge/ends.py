"""The two ends of a bridge as they are to be connected."""

import ssl
from dataclasses import dataclass, field

from pydantic import SecretStr

from gateway.bridge.topics import Topics


@dataclass(frozen=True)
class End:
    """One end of a bridge: where to connect as whom, and what to subscribe to."""

    side: str
    host: str
    port: int
    client_id: str
    filters: tuple[str, ...]
    version: str = "3.1.1"
    tls: ssl.SSLContext | None = None
    user: str = ""
    password: SecretStr = field(default_factory=lambda: SecretStr(""))
    in_flight: int = 200
    keepalive_s: int = 30
    session_expiry_s: int = 604_800


@dataclass(frozen=True)
class Plan:
    """A bridge as it is to be built."""

    name: str
    outside: End
    inside: End
    up: Topics
    down: Topics
    quiet_s: int
