"""A headless screen: signs in like a person, follows the map's socket, notes when each value is shown."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

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
            return
        for object_id, shown in zip(self._objects[index].tolist(), value.tolist(), strict=True):
            self.shown[object_id].append((shown, now))

    def percentiles_ms(self, registry: Registry, notes: list[Note]) -> tuple[float, float]:
        """(p50, p99) from publish to the socket, over the values that were shown."""
        spans = []
        for note in notes:
            if note.history or KEY not in note.keys or not note.sample:
                continue
            device = registry.devices.get(note.external_id)
            value = float(np.float32(note.sample[note.keys.index(KEY)]))
            seen = self.shown.get(device.point_id or 0, []) if device else []
            at = next((ns for shown, ns in seen if shown == value and ns >= note.published_ns), None)
            if at is not None:
                spans.append((at - note.published_ns) / 1e6)
        if not spans:
            return float("nan"), float("nan")
        p50, p99 = np.percentile(spans, [50, 99])
        return round(float(p50), 1), round(float(p99), 1)


async def _sign_in(url: str, link: str) -> str:
    """The session cookie for a one-time link."""
    token = link.rpartition("/")[2].rpartition("link=")[2].partition("?")[0]
    async with httpx.AsyncClient(base_url=url, follow_redirects=False, timeout=20) as client:
        answer = await client.post("/signin", data={"link": token}, headers={"origin": url})
    if answer.status_code != 303 or not answer.cookies:
        raise Unavailable(f"the screen refused the one-time link: {answer.status_code}")
    return "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
