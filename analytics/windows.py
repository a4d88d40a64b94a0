"""Sliding windows in event time: buckets on a fixed grid, so that live, replay and dry run see the same window."""

from typing import Literal

import numpy as np

from analytics.columns import NEVER, SECOND_US, Array, Floats, Ints, grown

How = Literal["mean", "max", "min", "last"]
BUCKETS = 16


class Window:
    """The last seconds of some series in 16 buckets: a window covers at least seconds, at most 1/15 more.

    Rows are engine rows; cells exist only for rows that were taken in. Unknown (NaN) until the values in the window
    reach back over half of it, so that one value after a silence is no mean.
    """

    def __init__(self, seconds: int) -> None:
        self.width_us = seconds * SECOND_US // (BUCKETS - 1)
        self.cell: Ints = np.empty(0, np.int64)
        self.stamp: Ints = np.full((BUCKETS, 0), NEVER)
        self.total: Floats = np.zeros((BUCKETS, 0))
        self.count: Floats = np.zeros((BUCKETS, 0))
        self.high: Floats = np.zeros((BUCKETS, 0))
        self.low: Floats = np.zeros((BUCKETS, 0))
        self.last: Floats = np.zeros((1, 0))

    def resize(self, size: int) -> None:
        """Make room for size engine rows."""
        self.cell = grown(self.cell, size, -1)

    def add(self, rows: Ints, time_us: Ints, value: Floats) -> None:
        """Take one value of each row in; rows are distinct, times of a row ascend."""
        self._admit(rows[self.cell[rows] < 0])
        number = time_us // self.width_us
        at = (number % BUCKETS, self.cell[rows])
        fresh = self.stamp[at] != number
        self.stamp[at] = number
        self.total[at] = np.where(fresh, value, self.total[at] + value)
        self.count[at] = np.where(fresh, 1.0, self.count[at] + 1.0)
        self.high[at] = np.where(fresh, value, np.maximum(self.high[at], value))
        self.low[at] = np.where(fresh, value, np.minimum(self.low[at], value))
        self.last[0, self.cell[rows]] = value

    def _admit(self, rows: Ints) -> None:
        start = self.stamp.shape[1]
        self.cell[rows] = np.arange(start, start + len(rows))
        self._grow(start + len(rows))

    def _grow(self, size: int) -> None:
        self.stamp = grown(self.stamp, size, NEVER)
        self.total, self.count = grown(self.total, size, 0.0), grown(self.count, size, 0.0)
        self.high, self.low = grown(self.high, size, 0.0), grown(self.low, size, 0.0)
        self.last = grown(self.last, size, 0.0)

    def get(self, rows: Ints, time_us: Ints, how: How) -> Floats:
        """mean, max, min or last over the window that ends at time_us; row -1 and too little data give NaN."""
        result = np.full(len(rows), np.nan)
        known = np.flatnonzero((rows >= 0) & (self.cell[rows] >= 0)) if len(self.cell) else np.empty(0, np.int64)
        cells, number = self.cell[rows[known]], time_us[known] // self.width_us
        stamp = self.stamp[:, cells]
        inside = (stamp > number - BUCKETS) & (stamp <= number)
        enough = (inside & (stamp <= number - BUCKETS // 2)).any(axis=0)
        result[known] = np.where(enough, self._fold(cells, inside, how), np.nan)
        return result

    def _fold(self, cells: Ints, inside: Array, how: How) -> Floats:
        if how == "max":
            return np.asarray(np.where(inside, self.high[:, cells], -np.inf).max(axis=0))
        if how == "min":
            return np.asarray(np.where(inside, self.low[:, cells], np.inf).min(axis=0))
        if how == "last":
            return np.asarray(self.last[0, cells])
        total = np.where(inside, self.total[:, cells], 0.0).sum(axis=0)
        count = np.where(inside, self.count[:, cells], 0.0).sum(axis=0)
        return np.asarray(np.divide(total, count, out=np.full(len(cells), np.nan), where=count > 0))

    def dump(self) -> dict[str, Array]:
        """All state as columns."""
        names = ("cell", "stamp", "total", "count", "high", "low", "last")
        return {name: getattr(self, name) for name in names}

    def load(self, columns: dict[str, Array]) -> None:
        """Take the state of dump()."""
        size = len(self.cell)
        for name, column in columns.items():
            setattr(self, name, column)
        self.resize(size)
