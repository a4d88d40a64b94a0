"""Streams of single JSON messages (events, receipts): decode, store all, set aside what is refused, tell the ids."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import msgspec

from citynet.bus import Frame
from citynet.db import Connection
from citynet.model import LiveChanged, Quarantined
from ingest import bisect, quarantine
from ingest.lane import Outcome

BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Timed(Protocol):
    """A message with a time."""

    @property
    def time(self) -> datetime:
        """City time, aware."""


M = TypeVar("M", bound=Timed)
# Stores messages; gives, for each that was new, the id of the row to tell about, or None where none changed.
Store = Callable[[Connection, list[M]], Awaitable[list[str | None]]]


@dataclass(frozen=True)
class MessageWriter(Generic[M]):
    """Writer of one stream; see lane.Write. counter counts new messages, live is the subject that tells their ids."""

    stream: str
    kind: type[M]
    store: Store[M]
    counter: str
    live: str
    payload_bytes: int

    async def __call__(self, conn: Connection, frames: list[Frame]) -> Outcome:
        """Store all messages of frames."""
        pairs, aside = self._decode(frames)

        async def store(conn: Connection, some: list[tuple[Frame, M]]) -> list[str | None]:
            return await self.store(conn, [message for _, message in some])

        results, refused = await bisect.put(conn, pairs, store)
        new = [changed for result in results for changed in result]
        aside += [self._aside(pair[0][0], "refused", error) for pair, error in refused]
        outcome = await quarantine.add(conn, aside, payload_bytes=self.payload_bytes)
        outcome.counters[self.counter] = len(new)
        ids = list(dict.fromkeys(changed for changed in new if changed))
        if ids:
            outcome.pushes.append((self.live, msgspec.json.encode(LiveChanged(ids))))
        return outcome

    def _decode(self, frames: list[Frame]) -> tuple[list[tuple[Frame, M]], list[Quarantined]]:
        pairs, aside = [], []
        for frame in frames:
            try:
                message = msgspec.json.decode(frame.data, type=self.kind)
                if message.time.tzinfo is None:
                    raise msgspec.ValidationError("the time has no zone")
            except BAD_JSON as error:
                aside.append(self._aside(frame, "bad_message", error))
            else:
                pairs.append((frame, message))
        return pairs, aside

    def _aside(self, frame: Frame, reason: str, error: BaseException) -> Quarantined:
        words = str(error).partition("\n")[0]
        return quarantine.of_frame(frame, stream=self.stream, reason=reason, detail=words)
