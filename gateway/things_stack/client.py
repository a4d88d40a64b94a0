"""The HTTP API of The Things Stack as a synchronisation needs it: lists of devices and gateways, formatters, radio.

Identity server: devices, gateways. Application server: formatters. Network server: radio. Device repository: codecs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from citynet import __version__
from citynet.errors import ConfigError, Unavailable
from gateway.things_stack.orders import Api

T = TypeVar("T")
PAGE, TIMEOUT_S, TRIES, PAUSE_S, PAUSE_MAX_S = 200, 20.0, 4, 0.5, 60.0
BUSY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
DEVICE_FIELDS = "name,description,attributes,version_ids,locations,network_server_address,application_server_address"
GATEWAY_FIELDS = "name,description,antennas"
JAVASCRIPT, REPOSITORY = "FORMATTER_JAVASCRIPT", "FORMATTER_REPOSITORY"


class Location(msgspec.Struct):
    """Degrees and metres; what is 0 is left out."""

    latitude: float = 0.0
    longitude: float = 0.0
    altitude: float = 0.0


class Version(msgspec.Struct, frozen=True):
    """What the device is, in the words of the device repository."""

    brand_id: str = ""
    model_id: str = ""
    hardware_version: str = ""
    firmware_version: str = ""
    band_id: str = ""


class Formatters(msgspec.Struct):
    """What en- and decodes; the parameter of FORMATTER_JAVASCRIPT is the script."""

    up_formatter: str = ""
    up_formatter_parameter: str = ""
    down_formatter: str = ""
    down_formatter_parameter: str = ""

    @property
    def script(self) -> str:
        """One script for both ways; empty where there is none in JavaScript."""
        up = self.up_formatter_parameter if self.up_formatter == JAVASCRIPT else ""
        down = self.down_formatter_parameter if self.down_formatter == JAVASCRIPT else ""
        return up if "encodeDownlink" in up or down in ("", up) else f"{up}\n{down}".strip()


class Ids(msgspec.Struct):
    """Names of a device, or of a gateway."""

    device_id: str = ""
    dev_eui: str = ""
    gateway_id: str = ""
    eui: str = ""


class Antenna(msgspec.Struct):
    """Of a gateway."""

    location: Location | None = None


class Item(msgspec.Struct):
    """An EndDevice or a Gateway, from whichever of the registries."""

    ids: Ids = msgspec.field(default_factory=Ids)
    name: str = ""
    description: str = ""
    updated_at: str = ""
    attributes: dict[str, str] = {}
    version_ids: Version = msgspec.field(default_factory=Version)
    locations: dict[str, Location] = {}
    application_server_address: str = ""
    network_server_address: str = ""
    antennas: list[Antenna] = []
    formatters: Formatters | None = None
    supports_class_b: bool = False
    supports_class_c: bool = False
    frequency_plan_id: str = ""


class Items(msgspec.Struct):
    """A page of a list."""

    end_devices: list[Item] = []
    gateways: list[Item] = []


class Link(msgspec.Struct):
    """What the application server knows of an application."""

    default_formatters: Formatters | None = None


class Decoder(msgspec.Struct):
    """An answer of the device repository."""

    formatter_parameter: str = ""


class Client:
    """One application and its key. Close it."""

    def __init__(self, application: str, api: Api) -> None:
        self.application, self.api = application, api
        self._name = quote(application.partition("@")[0], safe="")
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)

    async def close(self) -> None:
        """End the connections."""
        await self._http.aclose()

    def serves(self, address: str) -> bool:
        """Whether a server is the one that we were told of: no other is ever shown the key."""
        return not address or address.partition(":")[0].lower() == (urlsplit(self.api.url).hostname or "")

    def devices(self) -> AsyncIterator[Item]:
        """All devices of the application, as the identity server has them. Raises ConfigError, Unavailable."""
        return self._list(f"applications/{self._name}/devices", DEVICE_FIELDS, key=self.api.key)

    def gateways(self) -> AsyncIterator[Item]:
        """Gateways that the second key sees. Raises ConfigError, Unavailable."""
        return self._list("gateways", GATEWAY_FIELDS, key=self.api.gateway_key)

    async def formatters(self, device: str) -> Formatters | None:
        """Those of one device, None where the application's count. Raises ConfigError, Unavailable."""
        place = f"as/applications/{self._name}/devices/{quote(device, safe='')}"
        found = await self._one(place, Item, field_mask="formatters")
        return found.formatters if found else None

    async def default_formatters(self) -> Formatters:
        """Those of the application. Raises ConfigError, Unavailable."""
        found = await self._one(f"as/applications/{self._name}/link", Link, field_mask="default_formatters")
        return (found.default_formatters if found else None) or Formatters()

    async def radio(self, device: str) -> Item | None:
        """What the network server knows of one device. Raises ConfigError, Unavailable."""
        place = f"ns/applications/{self._name}/devices/{quote(device, safe='')}"
        return await self._one(place, Item, field_mask="supports_class_b,supports_class_c,frequency_plan_id")

    async def codec(self, version: Version) -> str:
        """The script that the device repository has, empty where it has none. Raises ConfigError, Unavailable."""
        if not (version.brand_id and version.model_id and version.firmware_version and version.band_id):
            return ""
        brand, model, firmware, band = (
            quote(part, safe="")
            for part in (version.brand_id, version.model_id, version.firmware_version, version.band_id)
        )
        model_place = f"dr/applications/{self._name}/brands/{brand}/models/{model}/{firmware}/{band}"
        found = await self._one(f"{model_place}/formatters/uplink/decoder", Decoder, field_mask="formatter_parameter")
        return found.formatter_parameter if found else ""

    async def _list(self, place: str, fields: str, *, key: str) -> AsyncIterator[Item]:
        """All pages; a list that grows meanwhile is read to its new end."""
        seen, page = 0, 1
        while True:
            words = {"field_mask": fields, "limit": str(PAGE), "page": str(page)}
            answer = await self._get(self.api.identity or self.api.url, place, words, key=key)
            if answer is None:
                raise ConfigError(f"The Things Stack has no {place}")
            read = self._read(answer, Items)
            items = read.end_devices or read.gateways
            for item in items:
                yield item
            seen, page = seen + len(items), page + 1
            total = answer.headers.get("x-total-count", "")
            if not items or seen >= (int(total) if total.isdecimal() else 0 if len(items) < PAGE else seen + 1):
                return

    async def _one(self, place: str, kind: type[T], **words: str) -> T | None:
        answer = await self._get(self.api.url, place, words, key=self.api.key)
        return None if answer is None else self._read(answer, kind)

    def _read(self, answer: httpx.Response, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{answer.url.host} does not answer like The Things Stack: {error}"[:300]) from error

    async def _get(self, base: str, place: str, words: dict[str, str], *, key: str) -> httpx.Response | None:
        """An answer of 200, None for 404. What is busy is asked again."""
        url, wait_s = f"{base.rstrip('/')}/api/v3/{place}", PAUSE_S
        headers = {"Authorization": f"Bearer {key}", "User-Agent": f"citynet/{__version__}"}
        told = ""
        for attempt in range(TRIES):
            try:
                answer = await self._http.get(url, params=words, headers=headers)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                told = type(error).__name__
            else:
                if answer.status_code == HTTPStatus.OK:
                    return answer
                if answer.status_code == HTTPStatus.NOT_FOUND:
                    return None
                told = _refusal(answer)
                if answer.status_code < 500 and answer.status_code not in BUSY:
                    raise ConfigError(f"The Things Stack refuses {place} of {self.application}: {told}")
                wait_s = _asked_wait_s(answer) or wait_s * 2
            if attempt + 1 < TRIES:
                await asyncio.sleep(min(wait_s, PAUSE_MAX_S))
        raise Unavailable(f"The Things Stack does not answer for {place}: {told}")


def _asked_wait_s(answer: httpx.Response) -> float:
    """How long a limited caller is asked to wait; 0 = nothing is said."""
    for name in ("x-rate-limit-retry", "retry-after"):
        with suppress(ValueError):
            return float(answer.headers.get(name, ""))
    return 0.0


def _refusal(answer: httpx.Response) -> str:
    """Status and the words of an error: {"code": 7, "message": "error:pkg/..:no_rights (..)", "details": [..]}."""
    words: Any = None
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        body = msgspec.json.decode(answer.content)
        words = body.get("message") if isinstance(body, dict) else None
    return f"HTTP {answer.status_code} {str(words or '')[:200]}".strip()
