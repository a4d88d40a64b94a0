"""Event time: readings wait here, sorted, until the watermark of their object passes them; older ones are late."""

from dataclasses import dataclass, fields

import numpy as np

from analytics.columns import NEVER, Array, Floats, Ints, grown

BUFFER_ROWS_MAX = 500_000


@dataclass(frozen=True, slots=True)
class Rows:
    """Readings as columns of equal length. row and obj are places in the engine; times in us since 1970."""

    row: Ints
    obj: Ints
    time: Ints
    received: Ints
    value: Floats
    quality: Ints

    def take(self, where: Array) -> "Rows":
        """Rows by index or mask."""
        return Rows(*(getattr(self, f.name)[where] for f in fields(self)))

    def join(self, other: "Rows") -> "Rows":
        """Both."""
        return Rows(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))

    def __len__(self) -> int:
        """How many."""
        return len(self.row)


def no_rows() -> Rows:
    """Rows of length 0."""
    none = np.empty(0, np.int64)
    return Rows(none, none, none, none, np.empty(0), none)


class Reorder:
    """Watermark of each object: its newest event time, moved on by received time while it is silent, less lateness.

    A device whose clock is two minutes behind is not late for that: its own offset is part of its event time.
    """

    def __init__(self) -> None:
        self.newest: Ints = np.empty(0, np.int64)
        self.newest_received: Ints = np.empty(0, np.int64)
        self.done: Ints = np.empty(0, np.int64)
        self.lateness: Ints = np.empty(0, np.int64)
        self.waiting = no_rows()

    def resize(self, lateness_us: Ints) -> None:
        """Make room for len(lateness_us) objects."""
        size = len(lateness_us)
        self.lateness = lateness_us
        self.newest, self.newest_received = grown(self.newest, size, NEVER), grown(self.newest_received, size, NEVER)
        self.done = grown(self.done, size, NEVER)

    def offer(self, rows: Rows) -> Array:
        """Take the rows of one message; gives the mask of those that are too late to be judged."""
        newest = self.newest[rows.obj]
        elapsed = np.maximum(rows.received - self.newest_received[rows.obj], 0)
        mark = np.where(newest == NEVER, NEVER, newest + elapsed - self.lateness[rows.obj])
        late = (rows.time <= mark) | (rows.time <= self.done[rows.obj])
        self.waiting = self.waiting.join(rows.take(~late))
        np.maximum.at(self.newest, rows.obj, rows.time)
        ahead = rows.time == self.newest[rows.obj]
        moved = ahead & (rows.time > newest)
        self.newest_received[rows.obj[moved]] = rows.received[moved]
        return late

    def ripe(self, now_us: int) -> Rows:
        """Rows at or below their object's watermark when received time stands at now_us, sorted by object and time."""
        if len(self.waiting) == 0:
            return self.waiting
        mark = self.newest + np.maximum(now_us - self.newest_received, 0) - self.lateness
        ready = self.waiting.time <= mark[self.waiting.obj]
        if len(self.waiting) > BUFFER_ROWS_MAX:
            ready[:] = True
        rows = self.waiting.take(ready)
        self.waiting = self.waiting.take(~ready)
        rows = rows.take(np.lexsort((rows.row, rows.time, rows.obj)))
        np.maximum.at(self.done, rows.obj, rows.time)
        return rows

    def dump(self) -> dict[str, Array]:
        """All state as columns."""
        waiting = {f"waiting_{f.name}": getattr(self.waiting, f.name) for f in fields(self.waiting)}
        return {"newest": self.newest, "newest_received": self.newest_received, "done": self.done, **waiting}

    def load(self, columns: dict[str, Array]) -> None:
        """Take the state of dump()."""
        self.newest, self.newest_received = columns["newest"], columns["newest_received"]
        self.done = columns["done"]
        self.waiting = Rows(*(columns[f"waiting_{f.name}"] for f in fields(Rows)))
