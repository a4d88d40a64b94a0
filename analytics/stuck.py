"""Stuck values: a gauge that says the same for much longer than it ever did. Rows are series; called by the engine.

A run is the time for which a value stays. The longest run is remembered and fades over months, so a valve that is shut
every night, and a setting that nobody changes, are not called stuck.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.columns import NEVER, SECOND_US, Array, Bools, Floats, Ints, grown, pack, unpack

HOUR_S, DAY_S = 3_600.0, 86_400.0
FACTOR = 4.0
SHORTEST_S = 6 * HOUR_S
REPORTS_MIN = 30
# Only a series that has changed so often over so long says what is usual.
RUNS_MIN, WATCHED_S_MIN = 50, 7 * DAY_S
FADES_S = 90 * DAY_S
COUNT_MAX = 60_000


@dataclass(frozen=True, slots=True)
class Stuck:
    """A series that got stuck (or is free again): since when, and the longest time it ever stayed before."""

    row: int
    time_us: int
    value: float
    lasted_s: float
    usual_s: float
    over: bool


class Runs:
    """State over all rows of a partition. rows of one call are distinct; time in us since 1970."""

    def __init__(self) -> None:
        self.value: npt.NDArray[np.float32] = np.empty(0, np.float32)
        self.since: Ints = np.empty(0, np.int64)
        self.longest_s: npt.NDArray[np.float32] = np.empty(0, np.float32)
        self.watched_s: npt.NDArray[np.float32] = np.empty(0, np.float32)
        self.runs: npt.NDArray[np.uint16] = np.empty(0, np.uint16)
        self.reports: npt.NDArray[np.uint16] = np.empty(0, np.uint16)
        self.stuck: Bools = np.empty(0, np.bool_)

    def resize(self, size: int) -> None:
        """Make room for size rows."""
        self.value, self.since = grown(self.value, size, np.nan), grown(self.since, size, NEVER)
        self.longest_s, self.watched_s = grown(self.longest_s, size, 0.0), grown(self.watched_s, size, 0.0)
        self.runs, self.reports = grown(self.runs, size, 0), grown(self.reports, size, 0)
        self.stuck = grown(self.stuck, size, False)

    def usual_s(self, rows: Ints) -> Floats:
        """How long a value of these rows may stay; infinite until enough is known."""
        known = (self.runs[rows] >= RUNS_MIN) & (self.watched_s[rows] >= WATCHED_S_MIN)
        limit = np.maximum(FACTOR * self.longest_s[rows].astype(np.float64), SHORTEST_S)
        return np.where(known, limit, np.inf)

    def take(self, rows: Ints, time_us: Ints, value: Floats) -> list[Stuck]:
        """Values in the order of their time; what got stuck with them, and what is free again."""
        told = value.astype(np.float32)
        lasted_s = (time_us - self.since[rows]) / SECOND_US
        fresh = self.since[rows] == NEVER
        same = (told == self.value[rows]) & ~fresh & (lasted_s >= 0)
        count = np.minimum(self.reports[rows].astype(np.int64) + 1, COUNT_MAX)
        late = same & ~self.stuck[rows] & (count >= REPORTS_MIN) & (lasted_s > self.usual_s(rows))
        over = ~same & self.stuck[rows]
        found = [
            Stuck(
                row=int(rows[place]),
                time_us=int(time_us[place]),
                value=float(told[place]),
                lasted_s=float(lasted_s[place]),
                usual_s=float(self.longest_s[rows[place]]),
                over=bool(over[place]),
            )
            for place in np.flatnonzero(late | over).tolist()
        ]
        self.reports[rows] = np.where(same, count, 1)
        self.stuck[rows] = (self.stuck[rows] & same) | late
        lasted = np.where(fresh | over, 0.0, lasted_s)[~same]
        self._end(rows[~same], time_us[~same], told[~same], lasted_s=lasted)
        return found

    def _end(self, rows: Ints, time_us: Ints, told: Array, *, lasted_s: Floats) -> None:
        """Runs end here and others begin. The run of a stuck value teaches nothing."""
        lasted_s = np.maximum(lasted_s, 0.0)
        faded = self.longest_s[rows] * np.exp(-lasted_s / FADES_S)
        self.longest_s[rows] = np.maximum(faded, lasted_s)
        self.watched_s[rows] += lasted_s
        self.runs[rows] = np.minimum(self.runs[rows].astype(np.int64) + (lasted_s > 0), COUNT_MAX)
        self.value[rows], self.since[rows] = told, time_us

    def dump(self) -> bytes:
        """The state."""
        return pack({name: column for name, column in vars(self).items()})

    def load(self, data: bytes) -> None:
        """The state of dump(); rows added since have none."""
        for name, known in unpack(data).items():
            getattr(self, name)[: len(known)] = known
