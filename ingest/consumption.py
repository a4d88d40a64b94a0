"""Consumption by a cumulative register: what flowed between readings, over any periods. Pure; called by rollups.py.

What a register does besides counting up: it rolls over, is exchanged, starts again, or runs backwards."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from citynet.model import Used

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Marks = NDArray[np.int16]
# A register rolls over only near its end, and only to near its beginning.
NEAR = 0.1


@dataclass(frozen=True)
class Swap:
    """An exchange of the meter: at (us), the last register of the old one and the first of the new one."""

    at: int
    final: float
    initial: float


@dataclass(frozen=True)
class Register:
    """How a series counts. wraps: value at which it starts again at 0, None = not known. swaps in order of time.

    factors: (from when in us, multiplier of the register), in order; 1 before the first. A transformer ratio or the
    weight of a pulse that the profile does not know.
    """

    wraps: float | None = None
    swaps: Sequence[Swap] = ()
    factors: Sequence[tuple[int, float]] = field(default=())


def flows(register: Register, time: Ints, value: Floats) -> tuple[Floats, Marks]:
    """A register that never jumps, in units of consumption, and what each step from one reading to the next was.

    time (us) strictly rising, value finite, both n >= 1; gives n values, n - 1 marks.
    """
    factor = np.ones(len(time))
    for since, multiplier in register.factors:
        factor[time >= since] = multiplier
    step, marks = np.diff(value) * factor[1:], np.zeros(max(len(time) - 1, 0), np.int16)
    odd = np.diff(value) < 0
    for swap in register.swaps:
        at = int(np.searchsorted(time, swap.at, "left")) - 1  # the step that the exchange lies in
        if 0 <= at < len(step):
            before = (swap.final - value[at]) * factor[at]
            step[at] = before + (value[at + 1] - swap.initial) * factor[at + 1]
            marks[at], odd[at] = Used.SWAP, False
    for at in np.flatnonzero(odd).tolist():
        change, marks[at] = _fall(float(value[at]), float(value[at + 1]), register.wraps)
        step[at] = change * factor[at + 1]
    # Exact where nothing happened: values as they are, and a sum of corrections that is 0.
    smooth = value * factor
    return smooth + np.concatenate([[0.0], np.cumsum(step - np.diff(smooth))]), marks


def _fall(before: float, after: float, wraps: float | None) -> tuple[float, Used]:
    """What flowed while a register fell."""
    if wraps is not None and before > (1 - NEAR) * wraps and 0 <= after < NEAR * wraps:
        return wraps - before + after, Used.ROLLOVER
    if after < NEAR * before:
        return 0.0, Used.RESET  # what it counted since is known, what it lost is not: nothing is made up
    return after - before, Used.REVERSE


def over(register: Register, time: Ints, value: Floats, *, edges: Ints) -> tuple[Floats, Marks]:
    """Consumption in each period [edges[k], edges[k + 1]), NaN where nothing is known, and its marks.

    Between two readings the flow is taken as even, so that periods add up to the unit whatever their bounds; one whose
    bound lies in a gap that is longer than itself says that it is estimated.
    A period that readings cover in part counts that part and says so.
    """
    count = len(edges) - 1
    if len(time) < 2 or count < 1:
        return np.full(max(count, 0), np.nan), np.zeros(max(count, 0), np.int16)
    smooth, steps = flows(register, time, value)
    inside = np.clip(edges, time[0], time[-1])
    used = np.diff(np.interp(inside, time, smooth))
    marks = np.where((edges[:-1] < time[0]) | (edges[1:] > time[-1]), np.int16(Used.PARTIAL), np.int16(0))
    # The step that each edge lies inside of, none where it is at a reading or outside.
    step = np.clip(np.searchsorted(time, inside, "right") - 1, 0, len(time) - 2)
    between = (time[step] < inside) & (inside < time[step + 1])
    wide = np.where(between, time[step + 1] - time[step], 0)
    period = np.diff(edges)
    marks |= np.where((wide[:-1] > period) | (wide[1:] > period), np.int16(Used.ESTIMATED), np.int16(0))
    for at in np.flatnonzero(steps).tolist():
        touched = (edges[:-1] < time[at + 1]) & (edges[1:] > time[at])
        marks[touched] |= steps[at]
    used[(edges[1:] <= time[0]) | (edges[:-1] >= time[-1])] = np.nan
    return used, np.where(np.isnan(used), 0, marks).astype(np.int16)


def of_times(moments: Sequence[datetime]) -> Ints:
    """us since 1970 of aware moments."""
    return np.array([round(moment.timestamp() * 1e6) for moment in moments], np.int64)
