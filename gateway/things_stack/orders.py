"""Which applications of The Things Stack we know, and what a downlink of ours says of its command."""

from datetime import datetime
from uuid import UUID

import msgspec

from citynet.errors import ConfigError
from citynet.settings import Settings
from gateway.protocols.things_stack import DEADLINE, MARK


class Api(msgspec.Struct, forbid_unknown_fields=True):
    """One application: address of the cluster, an API key, and what of it is used.

    webhook: downlinks go by HTTP through it; empty = by MQTT. identity: address of the identity server where it is
    another cluster. gateway_key: key of a user or an organisation that may list gateways.
    """

    url: str
    key: str
    webhook: str = ""
    identity: str = ""
    gateway_key: str = ""


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
        example = '{"app@tenant": {"url": "https://..", "key": "..", "webhook": ".."}}'
        raise ConfigError(f"CITYNET_THINGS_STACK_API is not like {example}: {error}") from error
    for name, api in found.items():
        if not all(one.startswith(("https://", "http://")) for one in (api.url, api.identity or api.url)):
            raise ConfigError(f"CITYNET_THINGS_STACK_API: the addresses of {name} must begin with https://")
    return found


def by_webhook(settings: Settings) -> dict[str, Api]:
    """Those of them that take downlinks by HTTP. Raises ConfigError."""
    return {name: api for name, api in apis(settings).items() if api.webhook}


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
