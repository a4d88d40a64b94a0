"""The way to ChirpStack's gRPC API: address, key, certificates, and what its errors mean to us."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
from grpc import StatusCode

from citynet.errors import CitynetError, ConfigError
from citynet.settings import Settings

# The server has read the request and will not do it.
REFUSALS = frozenset(
    {
        StatusCode.INVALID_ARGUMENT,
        StatusCode.NOT_FOUND,
        StatusCode.ALREADY_EXISTS,
        StatusCode.FAILED_PRECONDITION,
        StatusCode.OUT_OF_RANGE,
        StatusCode.UNIMPLEMENTED,
        StatusCode.UNAUTHENTICATED,
        StatusCode.PERMISSION_DENIED,
        StatusCode.RESOURCE_EXHAUSTED,
    }
)
OURS_TO_MEND = frozenset({StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED})


class Refused(CitynetError):
    """ChirpStack said no. ours = the key or its rights are wrong, not the request."""

    def __init__(self, code: StatusCode, detail: str) -> None:
        self.ours = code in OURS_TO_MEND
        super().__init__(f"ChirpStack refused: {code.name} {detail}"[:300])


class Uncertain(CitynetError):
    """The request went out and no answer came: it may have been done."""


def api_key(settings: Settings) -> str:
    """The key of the API: the setting, else <home>/secrets/chirpstack_token. Raises ConfigError."""
    given = settings.chirpstack_token.get_secret_value()
    path = settings.home / "secrets" / "chirpstack_token"
    if not given and path.is_file():
        given = path.read_text(encoding="utf-8").strip()
    if not given:
        raise ConfigError(f"no API key of ChirpStack: set CITYNET_CHIRPSTACK_TOKEN or write it into {path}")
    return given


def channel(settings: Settings) -> grpc.aio.Channel:
    parts = urlsplit(settings.chirpstack_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("CITYNET_CHIRPSTACK_URL must look like http://chirpstack:8080 or https://host:443")
    secure = parts.scheme == "https"
    target = f"{parts.hostname}:{parts.port or (443 if secure else 8080)}"
    if not secure:
        return grpc.aio.insecure_channel(target)
    ca = settings.chirpstack_ca
    try:
        roots = Path(ca).read_bytes() if ca else None
    except OSError as error:
        raise ConfigError(f"CITYNET_CHIRPSTACK_CA: {ca} cannot be read: {error.strerror}") from error
    return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(roots))


async def call(method: Callable[..., Awaitable[Any]], request: Any, **told: Any) -> Any:
    """One call with its metadata and timeout. Raises Refused, Uncertain."""
    try:
        return await method(request, **told)
    except grpc.aio.AioRpcError as error:
        if error.code() in REFUSALS:
            raise Refused(error.code(), error.details() or "") from error
        raise Uncertain(f"ChirpStack did not answer: {error.code().name} {error.details()}"[:300]) from error
