"""On-delay, off-delay and repetition of one rule over all objects of its class, counted in event time."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.columns import NEVER, SECOND_US, Array, Bools, Ints, grown

AGAIN_US = 300 * SECOND_US  # an active condition repeats at most this often


@dataclass(frozen=True, slots=True)
class Edges:
    """Masks over the objects of one call, and since when the deciding truth held."""

    opened: Bools
    again: Bools
    closed: Bools
    since: Ints

    def any(self) -> bool:
        """Whether anything happened."""
        return bool((self.opened | self.again | self.closed).any())


class Track:
    """State over the objects of a class: is it active, since when is the opposite true, when was it said last.

    A delay is over when a reading (or a tick) at or after its end still says so: one outlier opens nothing.
    """

    def __init__(self) -> None:
        self.active: Bools = np.empty(0, np.bool_)
        self.since: Ints = np.empty(0, np.int64)
        self.opened: Ints = np.empty(0, np.int64)
        self.said: Ints = np.empty(0, np.int64)
        self.times: Ints = np.empty(0, np.int64)
        self.busy = False  # whether any condition is open or on its way

    def resize(self, size: int) -> None:
        """Make room for size objects."""
        self.active = grown(self.active, size, False)
        self.since = grown(self.since, size, NEVER)
        self.opened, self.said = grown(self.opened, size, NEVER), grown(self.said, size, NEVER)
        self.times = grown(self.times, size, 0)

    def advance(self, at: Ints, time_us: Ints, truth: Array, *, hold_us: int, clear_us: int) -> Edges:
        """Take the truth (1, 0, NaN = unknown changes nothing) of objects at; edges that follow are already in."""
        yes, no = truth == 1, truth == 0
        if not self.busy and not yes.any():
            none = np.zeros(len(at), np.bool_)
            return Edges(none, none, none, at)
        active, since = self.active[at], self.since[at]
        due, against = np.where(active, no, yes), np.where(active, yes, no)
        since = np.where(against, NEVER, np.where(due & (since == NEVER), time_us, since))
        ripe = due & (time_us - since >= np.where(active, clear_us, hold_us))
        opened, closed = ripe & ~active, ripe & active
        again = active & yes & (time_us - self.said[at] >= AGAIN_US)
        edges = Edges(opened, again, closed, since)
        self._take(at, time_us, edges)
        self.since[at] = np.where(ripe, NEVER, since)
        self.busy = bool((self.active | (self.since != NEVER)).any())
        return edges

    def _take(self, at: Ints, time_us: Ints, edges: Edges) -> None:
        self.active[at] = (self.active[at] | edges.opened) & ~edges.closed
        self.opened[at] = np.where(edges.opened, time_us, self.opened[at])
        self.said[at] = np.where(edges.opened | edges.again, time_us, self.said[at])
        self.times[at] = np.where(edges.opened, 0, self.times[at] + edges.again)

    def forget_pending(self, at: Ints) -> None:
        """Start the on-delay of inactive objects anew."""
        self.since[at] = np.where(self.active[at], self.since[at], NEVER)

    def dump(self, object_ids: Ints) -> dict[str, Array]:
        """State of the objects that have any, by object id."""
        kept = np.flatnonzero(self.active | (self.since != NEVER))
        columns: dict[str, Array] = {"object_id": object_ids[kept]}
        return columns | {name: getattr(self, name)[kept] for name in ("active", "since", "opened", "said", "times")}

    def load(self, places: Ints, columns: dict[str, Any]) -> None:
        """Take the state of dump(); places are where its objects are now."""
        for name in ("active", "since", "opened", "said", "times"):
            getattr(self, name)[places] = columns[name]
        self.busy = len(places) > 0
