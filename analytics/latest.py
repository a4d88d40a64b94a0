"""Newest judged value of each series with the one before, its score and its usual band. Written by the engine."""

import numpy as np

from analytics.columns import NEVER, SECOND_US, Array, Floats, Ints, grown
from analytics.detectors import Scored

HOUR_US = 3_600 * SECOND_US
NAMES = ("value", "time", "value_before", "time_before", "score", "low", "high")


class Latest:
    """Columns over the rows of a partition; row -1 reads as NaN everywhere."""

    def __init__(self) -> None:
        self.value: Floats = np.empty(0)
        self.time: Ints = np.empty(0, np.int64)
        self.value_before: Floats = np.empty(0)
        self.time_before: Ints = np.empty(0, np.int64)
        self.score: Floats = np.empty(0)
        self.low: Floats = np.empty(0)
        self.high: Floats = np.empty(0)

    def resize(self, size: int) -> None:
        """Make room for size rows."""
        for name in NAMES:
            fill = NEVER if name.startswith("time") else np.nan
            setattr(self, name, grown(getattr(self, name), size, fill))

    def set(self, rows: Ints, time_us: Ints, value: Floats) -> None:
        """A newer value of each row; its score is unknown until judged()."""
        self.value_before[rows], self.time_before[rows] = self.value[rows], self.time[rows]
        self.value[rows], self.time[rows] = value, time_us
        self.score[rows] = self.low[rows] = self.high[rows] = np.nan

    def judged(self, rows: Ints, scored: Scored) -> None:
        """What the detector says of the newest value."""
        self.score[rows], self.low[rows], self.high[rows] = scored.score, scored.low, scored.high

    def get(self, name: str, rows: Ints) -> Floats:
        """A column at rows; NaN where row is -1."""
        return np.where(rows < 0, np.nan, getattr(self, name)[rows])

    def rate(self, rows: Ints) -> Floats:
        """Change per hour between the last two values."""
        span = (self.time[rows] - self.time_before[rows]).astype(np.float64) / HOUR_US
        change = self.value[rows] - self.value_before[rows]
        known = (rows >= 0) & (self.time_before[rows] != NEVER) & (span > 0)
        return np.asarray(np.divide(change, span, out=np.full(len(rows), np.nan), where=known))

    def dump(self) -> dict[str, Array]:
        """All state as columns."""
        return {name: getattr(self, name) for name in NAMES}

    def load(self, columns: dict[str, Array]) -> None:
        """Take the state of dump()."""
        for name, column in columns.items():
            setattr(self, name, column)
