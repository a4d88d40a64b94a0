"""Where a moving object was: fixes from readings of latitude and longitude with one time (decision 0042). Pure.

Used by the live map and by the track on the page of an object.
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

# Nothing in a city drives faster; what a receiver errs by is never called a jump.
FASTEST_MPS = 70.0
ERROR_M = 200.0
DEGREE_M = 111_195.0


@dataclass(frozen=True, slots=True)
class Fix:
    """A place at a moment: us since 1970 (city), degrees of WGS 84; km/h and degrees from north where they are said."""

    time_us: int
    lon: float
    lat: float
    speed_kmh: float | None = None
    course_deg: float | None = None


def is_place(lon: float, lat: float) -> bool:
    """Whether it is a place: receivers without a fix say 0, 0."""
    return -180 <= lon <= 180 and -90 <= lat <= 90 and not (lon == 0 and lat == 0)


def metres(a: Fix, b: Fix) -> float:
    """Distance of two fixes; flat, exact enough within a city."""
    east = ((b.lon - a.lon + 180) % 360 - 180) * math.cos(math.radians((a.lat + b.lat) / 2))
    return DEGREE_M * math.hypot(b.lat - a.lat, east)


def possible(a: Fix, b: Fix) -> bool:
    """Whether something can have come from a to b in the time between."""
    way = metres(a, b)
    return way <= ERROR_M or way <= FASTEST_MPS * abs(b.time_us - a.time_us) / 1e6


@dataclass(slots=True)
class Trail:
    """Fixes of one object as they come. A jump counts only once the next fix is where it led."""

    kept: Fix | None = None
    doubtful: Fix | None = None

    def take(self, fix: Fix) -> bool:
        """Whether the object is there now; False for a jump, for an older fix and for what is no place."""
        if not is_place(fix.lon, fix.lat) or (self.kept and fix.time_us <= self.kept.time_us):
            return False
        if self.kept and not possible(self.kept, fix) and not (self.doubtful and possible(self.doubtful, fix)):
            self.doubtful = fix
            return False
        self.kept, self.doubtful = fix, None
        return True


def believed(fixes: Iterable[Fix]) -> list[Fix]:
    """Fixes in the order of time without jumps: the way that was really driven."""
    trail, found = Trail(), list[Fix]()
    for fix in fixes:
        before = trail.doubtful
        if trail.take(fix):
            confirmed = [before] if before and found and not possible(found[-1], fix) else []
            found += [*confirmed, fix]
    return found


def length_m(fixes: list[Fix]) -> float:
    """How far the way is."""
    return sum(metres(a, b) for a, b in itertools.pairwise(fixes))


def moment(time: datetime) -> int:
    """us since 1970."""
    return round(time.timestamp() * 1e6)
