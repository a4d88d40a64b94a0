"""A headless screen: signs in like a person, follows the map's socket, notes when each value is shown."""

import asyncio
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import httpx
import numpy as np
import websockets
from numpy.typing import NDArray

from citynet.errors import Unavailable
from citynet.registry import Registry
from simulators.ledger import Note

SOCKET = "/map/live"
QUANTITY, KEY = "pm25", "pm25"  # once a minute from 25 stations, hardly ever twice the same
HEADER_BYTES = 16
SNAPSHOT = 1


@dataclass
class Screen:
    """When each value of QUANTITY reached the browser: object id -> (value, wall ns)."""

    shown: dict[int, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    _objects: NDArray[np.uint32] = field(default_factory=lambda: np.array([], np.uint32))

    async def follow(self, url: str, link: Callable[[], str]) -> None:
        """Until cancelled. Raises Unavailable when the web part refuses the sign-in."""
        cookie = await _sign_in(url, await asyncio.to_thread(link))
        address = url.replace("http", "ws", 1) + SOCKET
        async with websockets.connect(
            address, additional_headers={"cookie": cookie, "origin": url}, max_size=None
        ) as socket:
            await socket.send(json.dumps({"ask": "snapshot", "heat": QUANTITY}))
            async for message in socket:
                if isinstance(message, bytes):
                    self.take(message)

    def take(self, frame: bytes) -> None:
        """A frame as web/src/wire.js describes it: header, then columns padded to 4 bytes."""
        now = time.time_ns()
        n, kind = (int(x) for x in np.frombuffer(frame, "<u4", 2, offset=8))
        index = np.frombuffer(frame, "<u4", n, offset=HEADER_BYTES)
        value = np.frombuffer(frame, "<f4", n, offset=len(frame) - 4 * n)
        if kind == SNAPSHOT:
            self._objects = index.copy()
            self.opened.set()
        objects = index if kind == SNAPSHOT else self._objects[index]
        for object_id, shown in zip(objects.tolist(), value.tolist(), strict=True):
            self.shown[object_id].append((shown, now))

    def percentiles_ms(self, registry: Registry, notes: list[Note]) -> tuple[float, float]:
        """(p50, p99) from publish until the socket brought that value or a newer one of the same object."""
        published: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for note in notes:
            device = registry.devices.get(note.external_id)
            if device and not note.history and KEY in note.keys and note.sample:
                value = float(np.float32(note.sample[note.keys.index(KEY)]))
                published[device.point_id or 0].append((note.published_ns, value))
        spans = [span for point, values in published.items() for span in _spans_ms(sorted(values), self.shown[point])]
        if not spans:
            return float("nan"), float("nan")
        p50, p99 = np.percentile(spans, [50, 99])
        return round(float(p50), 1), round(float(p99), 1)


def _spans_ms(published: list[tuple[int, float]], shown: list[tuple[float, int]]) -> list[float]:
    """Milliseconds from each publish of a new value to the first push that stands for it or for a later one."""
    # The same value again changes nothing on a screen, so nothing is pushed for it.
    published = [one for before, one in pairwise([(0, math.nan), *published]) if one[1] != before[1]]
    spans: list[float] = []
    for value, at in shown:
        # A push stands for the newest publish of its value so far: an older equal one was shown or overtaken.
        known = [n for n, (sent, said) in enumerate(published) if sent <= at and said == value]
        spans += [(at - sent) / 1e6 for sent, _ in published[len(spans) : known[-1] + 1]] if known else []
    return spans


async def _sign_in(url: str, link: str) -> str:
    """The session cookie for a one-time link."""
    token = link.rpartition("/")[2].rpartition("link=")[2].partition("?")[0]
    async with httpx.AsyncClient(base_url=url, follow_redirects=False, timeout=20) as client:
        answer = await client.post("/signin", data={"link": token}, headers={"origin": url})
    if answer.status_code != 303 or not answer.cookies:
        raise Unavailable(f"the screen refused the one-time link: {answer.status_code}")
    return "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
