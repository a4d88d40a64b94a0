"""Detectors, one file each: what is usual for a series, and how far a value is from it. Called by the engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from analytics.columns import Floats, Ints
from analytics.hours import LocalHours
from citynet.plugins import Family


@dataclass(frozen=True, slots=True)
class Scored:
    """How unusual values are (signed, in robust standard deviations or intervals) and the usual band; NaN = unknown."""

    score: Floats
    low: Floats
    high: Floats


class Detector(Protocol):
    """State over all rows of a partition. rows of one call are distinct; time in us since 1970."""

    def resize(self, interval_s: Floats) -> None:
        """Make room for len(interval_s) rows; interval_s is how often each is expected to report."""

    def score(self, rows: Ints, time_us: Ints, value: Floats) -> Scored:
        """Judge values by what was learned before; changes nothing."""

    def learn(self, rows: Ints, time_us: Ints, value: Floats) -> None:
        """Take the values in."""

    def changed(self) -> dict[str, bytes]:
        """The chunks of state that changed since the last call; all chunks ever given together are the state."""

    def load(self, chunks: Mapping[str, bytes]) -> None:
        """Take the state from chunks; rows added since have none."""

    @property
    def nbytes(self) -> int:
        """Bytes of state in memory."""


DETECTORS: Family[Callable[[LocalHours], Detector]] = Family("detector")
