"""What was refused or seen at sign-in: counted exactly, logged and kept for the pipeline page within a limit."""

import asyncio
import time
from collections import OrderedDict

import structlog

from citynet.errors import Unavailable
from citynet.model import Quarantined
from citynet.part import Part
from gateway import quarantine
from gateway.quarantine import clean

log = structlog.get_logger()
STAGE = "sign_in"
STREAM = "SIGN_IN"
AGAIN_S = 60.0
REMEMBERED = 10_000
WAITING_MAX = 200
NAME_CHARS = 100


class Notices:
    """One notice for a device, reason and address a minute; a flood of them is counted but neither logged nor kept."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._waiting: asyncio.Queue[Quarantined] = asyncio.Queue(WAITING_MAX)
        self._said: OrderedDict[tuple[str, str, str], tuple[float, int]] = OrderedDict()

    def note(self, reason: str, external_id: str, *, host: str = "", detail: str = "") -> None:
        """Somebody was refused, or seen to do what is not theirs. detail never holds what was given as a password."""
        self.part.counters[reason] += 1
        external_id, key = clean(external_id, NAME_CHARS), (reason, external_id[:NAME_CHARS], host)
        at, more = self._said.pop(key, (0.0, 0))
        now = time.monotonic()
        quiet = at and now - at < AGAIN_S
        self._said[key] = (at, more + 1) if quiet else (now, 0)
        while len(self._said) > REMEMBERED:
            self._said.popitem(last=False)
        if not quiet:
            self._say(reason, external_id, clean(_words(host, detail, more)))

    def _say(self, reason: str, external_id: str, detail: str) -> None:
        if self._waiting.full():
            self.part.counters["notices_dropped"] += 1
            return
        log.warning("sign-in", reason=reason, device=external_id, detail=detail)
        notice = Quarantined(
            stage=STAGE,
            reason=reason,
            detail=detail,
            external_id=external_id,
            stream=STREAM,
            stream_seq=time.time_ns() // 1000,
        )
        self._waiting.put_nowait(notice)

    async def run(self) -> None:
        """Publish what was said until cancelled. A broker that is away costs notices, never a sign-in."""
        while True:
            one = await self._waiting.get()
            try:
                await quarantine.publish(self.part.bus, [one])
            except Unavailable:
                self.part.counters["notices_dropped"] += 1


def _words(host: str, detail: str, more: int) -> str:
    parts = [f"from {host}" if host else "", detail, f"{more} more before" if more else ""]
    return ", ".join(part for part in parts if part)
