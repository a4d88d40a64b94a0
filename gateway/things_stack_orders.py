"""Which applications of The Things Stack take downlinks by HTTP, and what a downlink of ours says of its command."""

from datetime import datetime
from uuid import UUID

import msgspec

from citynet.errors import ConfigError
from citynet.settings import Settings
from gateway.protocols.things_stack import DEADLINE, MARK


class Api(msgspec.Struct, forbid_unknown_fields=True):
    """One application: address of the cluster, its webhook there, an API key that may write downlinks."""

    url: str
    webhook: str
    key: str


class Downlink(msgspec.Struct):
    """What of a downlink matters here."""

    correlation_ids: list[str] = []


class Downlinks(msgspec.Struct):
    """The body of down/push and down/replace."""

    downlinks: list[Downlink] = []


def apis(settings: Settings) -> dict[str, Api]:
    """Applications by their name in topics. Raises ConfigError."""
    text = settings.things_stack_api.get_secret_value()
    if not text:
        return {}
    try:
        found = msgspec.json.decode(text, type=dict[str, Api])
    except msgspec.DecodeError as error:
        example = '{"app@tenant": {"url": "https://..", "webhook": "..", "key": ".."}}'
        raise ConfigError(f"CITYNET_THINGS_STACK_API is not like {example}: {error}") from error
    for name, api in found.items():
        if not api.url.startswith(("https://", "http://")):
            raise ConfigError(f"CITYNET_THINGS_STACK_API: the url of {name} must begin with https://")
    return found


def marked(payload: bytes) -> tuple[UUID | None, datetime | None]:
    """Command and wall deadline of a body of ours, from its correlation ids."""
    command, deadline = None, None
    try:
        for downlink in msgspec.json.decode(payload, type=Downlinks).downlinks:
            for told in downlink.correlation_ids:
                if told.startswith(MARK):
                    command = UUID(told.removeprefix(MARK))
                elif told.startswith(DEADLINE):
                    deadline = datetime.fromisoformat(told.removeprefix(DEADLINE))
    except (msgspec.DecodeError, ValueError):
        return None, None
    return command, deadline
