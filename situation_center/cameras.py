"""One picture from one camera: a request that trusts neither address nor answer. Called by album.py. Decision 0046."""

import asyncio
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass

import httpx

from citynet.errors import CitynetError
from citynet.settings import Network
from situation_center.guard import Refused, checked_address

# What browsers show, by its first bytes. SVG is none of them: it is a document that may hold scripts.
SIGNS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
SIGN_BYTES = 12
# Every reason has a word in texts, `camera.<reason>`.


@dataclass(frozen=True, slots=True)
class Picture:
    """What a camera showed, and when we got it by the monotonic clock."""

    data: bytes
    kind: str
    at: float


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask. sign_in is user:password."""

    url: str
    sign_in: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one request."""

    seconds: float
    size: int
    inside: tuple[Network, ...]
    trust: ssl.SSLContext


class NoPicture(CitynetError):
    """The camera gave none; reason is a short stable word, the text is safe to show."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def kind_of(data: bytes) -> str | None:
    """The type of a picture by its first bytes, whatever the camera calls it."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for sign, kind in SIGNS.items() if data.startswith(sign)), None)


async def ask(request: Request, limits: Limits) -> Picture:
    """The picture at an address, within time and size; no redirect is followed. Raises NoPicture."""
    try:
        async with asyncio.timeout(limits.seconds):
            address = await checked_address(request.url, http=True, inside=limits.inside)
            return await _ask(request, address, limits)
    except Refused as error:
        raise NoPicture("refused", str(error)) from error
    except TimeoutError as error:
        raise NoPicture("away", f"no whole picture within {limits.seconds:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise NoPicture("certificate", "its certificate is not trusted") from error
        raise NoPicture("away", "it does not answer") from error


async def _ask(request: Request, address: str, limits: Limits) -> Picture:
    """Connect to the address that was checked, while TLS and Host still speak the name."""
    url = httpx.URL(request.url)
    headers = {"Host": url.netloc.decode(), "Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "citynet"}
    named = {"sni_hostname": url.host}
    async with httpx.AsyncClient(trust_env=False, timeout=limits.seconds, verify=limits.trust) as client:
        first = client.build_request("GET", url.copy_with(host=address), headers=headers, extensions=named)
        answer = await client.send(first, stream=True)
        try:
            if answer.status_code != 401 or request.sign_in is None:
                return await _read(answer, limits.size)
            second = _signed(first, answer, request.sign_in)
        finally:
            await answer.aclose()
        answer = await client.send(second, stream=True)
        try:
            return await _read(answer, limits.size)
        finally:
            await answer.aclose()


def _signed(sent: httpx.Request, answer: httpx.Response, sign_in: str) -> httpx.Request:
    """The request again, signed as the camera asks: Basic, which tells the password, only where it knows no Digest."""
    user, _, password = sign_in.partition(":")
    offered = {one.partition(" ")[0].lower() for one in answer.headers.get_list("www-authenticate")}
    if "digest" in offered:
        flow = httpx.DigestAuth(user, password).auth_flow(sent)
        next(flow)
        with suppress(KeyError, NotImplementedError):  # an algorithm that nobody knows
            return flow.send(answer)
    elif "basic" in offered:
        return next(httpx.BasicAuth(user, password).auth_flow(sent))
    raise NoPicture("sign_in", "it wants a sign-in of another kind")


async def _read(answer: httpx.Response, size: int) -> Picture:
    """The body as long as it is a picture: an endless stream is known by its first bytes."""
    if answer.status_code in (401, 403):
        raise NoPicture("sign_in", "it wants another user or password")
    if answer.status_code != 200:
        raise NoPicture("answer", f"it answers {answer.status_code}")
    data = bytearray()
    async for chunk in answer.aiter_raw():
        data += chunk
        if len(data) >= SIGN_BYTES and kind_of(bytes(data[:SIGN_BYTES])) is None:
            break
        if len(data) > size:
            raise NoPicture("size", f"more than {size} bytes")
    kind = kind_of(bytes(data[:SIGN_BYTES]))
    if kind is None:
        raise NoPicture("image", "what it sends is no JPEG, PNG, WebP or GIF")
    return Picture(bytes(data), kind, time.monotonic())
