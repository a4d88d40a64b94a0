"""Takes a downlink back from the queue of The Things Stack by its HTTP API. Used by recalls.py.

The queue can only be replaced as a whole. The network server notes the moment of a device's last downlink in the same
step in which it takes one from the queue: the same moment before and after proves that nothing went in between.
"""

from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

import httpx
import msgspec

from citynet import __version__
from citynet.errors import CitynetError
from citynet.registry import Device
from gateway.protocols.things_stack import MARK
from gateway.things_stack.orders import Api, Downlinks
from gateway.wire import Told

TIMEOUT_S = 10.0
T = TypeVar("T")


class Sent(msgspec.Struct):
    """Of the state of a device in the network server."""

    last_downlink_at: str = ""
    pending_application_downlink: dict[str, Any] | None = None


class NetworkDevice(msgspec.Struct):
    """A device in the network server."""

    mac_state: Sent = msgspec.field(default_factory=Sent)


class NoAnswer(CitynetError):
    """Nothing that could be used came back. final: and nothing will."""

    def __init__(self, status: int, text: str) -> None:
        self.final = 400 <= status < 500 and status not in (408, 429)
        super().__init__(f"HTTP {status}: {text[:120]}")


async def recall(client: httpx.AsyncClient, apis: dict[str, Api], device: Device, *, command_id: UUID) -> Told | None:
    """What became of it; None where a later look may know more."""
    api = apis.get(str(device.attributes.get("application_id", "")))
    if api is None:
        return Told("kept", "no_api")
    try:
        return await _recall(Asked(client, api, device), f"{MARK}{command_id}")
    except NoAnswer as error:
        return Told("kept", str(error)) if error.final else None


class Asked:
    """The API about one device. All raise NoAnswer."""

    def __init__(self, client: httpx.AsyncClient, api: Api, device: Device) -> None:
        application = quote(str(device.attributes["application_id"]).partition("@")[0], safe="")
        self._client, self._base = client, f"{api.url.rstrip('/')}/api/v3"
        self._device = f"devices/{quote(device.external_id, safe='')}"
        self._application = f"applications/{application}"
        self._headers = {"Authorization": f"Bearer {api.key}", "User-Agent": f"citynet/{__version__}"}

    async def _ask(self, method: str, path: str, **more: Any) -> bytes:
        try:
            answer = await self._client.request(method, f"{self._base}/{path}", headers=self._headers, **more)
        except httpx.HTTPError as error:
            raise NoAnswer(0, type(error).__name__) from error
        if not answer.is_success:
            raise NoAnswer(answer.status_code, answer.text)
        return answer.content

    async def queue(self) -> Downlinks:
        """What waits for the device."""
        return _read(await self._ask("GET", f"as/{self._application}/{self._device}/down"), Downlinks)

    async def sent(self) -> Sent:
        """What the network server has sent last."""
        fields = {"field_mask": "mac_state.last_downlink_at,mac_state.pending_application_downlink"}
        body = await self._ask("GET", f"ns/{self._application}/{self._device}", params=fields)
        return _read(body, NetworkDevice).mac_state

    async def empty(self) -> None:
        """Replace the queue by nothing."""
        await self._ask("POST", f"as/{self._application}/{self._device}/down/replace", json={"downlinks": []})


async def _recall(asked: Asked, mark: str) -> Told | None:
    before, queued = await asked.sent(), (await asked.queue()).downlinks
    if not any(mark in one.correlation_ids for one in queued):
        return Told("kept", "gone")
    if len(queued) > 1:
        return Told("kept", "others")
    await asked.empty()
    left, after = (await asked.queue()).downlinks, await asked.sent()
    if any(mark in one.correlation_ids for one in left):
        return None
    return Told("withdrawn", "flushed") if before == after else Told("kept", "spoke")


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise NoAnswer(0, str(error)) from error
