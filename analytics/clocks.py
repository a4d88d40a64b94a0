"""Clocks of devices: reports stamped a constant time before or after they came; places are objects. For the engine.

Only the live road is asked, not history. Delays of a backlog shrink, of late meters vary: only constant ones tell."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.columns import NEVER, SECOND_US, Bools, Floats, Ints, grown, pack, unpack

# Wrong from LIMIT_S on, right again within half of it; a delay is constant while it stays so near its first. On a city
# clock that runs fast the seconds of the network count as many.
LIMIT_S, NETWORK_S = 60.0, 5.0
# Delays that vary between 1 and 15 min look constant so often in a row once in a thousand years of a device.
REPORTS_MIN, HOLD_US = 10, 600 * SECOND_US
COUNT_MAX = 60_000


@dataclass(frozen=True, slots=True)
class Skew:
    """A clock that is wrong (or right again): seconds by which it is behind, negative when ahead."""

    place: int
    time_us: int
    behind_s: float
    lasted_s: float
    over: bool


class Clocks:
    """State over all objects of a partition. speed of the city clock."""

    def __init__(self) -> None:
        self.speed = 1.0
        self.behind_s: npt.NDArray[np.float32] = np.empty(0, np.float32)
        self.since: Ints = np.empty(0, np.int64)
        self.reports: npt.NDArray[np.uint16] = np.empty(0, np.uint16)
        self.wrong: Bools = np.empty(0, np.bool_)

    def resize(self, size: int) -> None:
        """Make room for size objects."""
        self.behind_s, self.since = grown(self.behind_s, size, 0.0), grown(self.since, size, NEVER)
        self.reports, self.wrong = grown(self.reports, size, 0), grown(self.wrong, size, False)

    def take(self, obj: Ints, received: Ints, behind_s: Floats) -> list[Skew]:
        """Readings of a message; what became wrong with them, and what is right again.

        The report nearest to its arrival counts for its object: the older values of one frame are its memory.
        """
        order = np.lexsort((np.abs(behind_s), obj))
        order = order[np.r_[True, obj[order][1:] != obj[order][:-1]]] if len(order) else order
        obj, received, behind = obj[order], received[order], behind_s[order]
        limit = max(LIMIT_S, NETWORK_S * self.speed)
        off = np.abs(behind) > limit
        same = off & (self.reports[obj] > 0) & (np.abs(behind - self.behind_s[obj]) <= limit)
        count = np.where(same, np.minimum(self.reports[obj].astype(np.int64) + 1, COUNT_MAX), off)
        self.behind_s[obj] = np.where(same, self.behind_s[obj], behind)
        self.since[obj] = np.where(same, self.since[obj], received)
        self.reports[obj] = count
        lasted = received - self.since[obj]
        late = off & ~self.wrong[obj] & (count >= REPORTS_MIN) & (lasted >= HOLD_US)
        over = self.wrong[obj] & (np.abs(behind) <= limit / 2)
        self.wrong[obj] = (self.wrong[obj] | late) & ~over
        return [
            Skew(
                place=int(obj[n]),
                time_us=int(received[n]),
                behind_s=float(behind[n]),
                lasted_s=float(lasted[n]) / SECOND_US,
                over=bool(over[n]),
            )
            for n in np.flatnonzero(late | over).tolist()
        ]

    def dump(self) -> bytes:
        """The state."""
        return pack({name: getattr(self, name) for name in ("behind_s", "since", "reports", "wrong")})

    def load(self, data: bytes) -> None:
        """The state of dump(); objects added since have none."""
        for name, known in unpack(data).items():
            getattr(self, name)[: len(known)] = known
