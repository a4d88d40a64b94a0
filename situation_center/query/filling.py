"""Fills gaps in a line of values, and says which values it made up. Pure; called by window.py."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Fill = Literal["none", "last", "linear"]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
# Devices are not punctual: what comes a little late leaves no gap.
LATE = 1.5


def usual_step(at: Ints) -> int:
    """The usual distance between values, 0 with fewer than three."""
    return int(np.median(np.diff(at))) if len(at) > 2 else 0


def fill(at: Ints, value: Floats, *, step: int, how: Fill, longest: int, most: int) -> tuple[Ints, Floats, Flags]:
    """Values a step apart in each gap that is not longer than longest; at strictly rising, all in one unit of time.

    A longer gap stays as it is, and so does everything from where more than `most` values would be made up.
    """
    distance = np.diff(at)
    missing = np.zeros(len(distance), np.int64)
    if how != "none" and step > 0:
        fits = (distance > LATE * step) & (distance <= longest)
        missing[fits] = np.maximum(np.round(distance[fits] / step).astype(np.int64) - 1, 0)
    missing[np.cumsum(missing) > most] = 0
    if not missing.any():
        return at, value, np.zeros(len(at), bool)
    before = np.repeat(np.arange(len(distance)), missing)
    number = np.arange(len(before)) - np.repeat(np.cumsum(missing) - missing, missing) + 1
    made_at = at[before] + number * step
    made = value[before]
    if how == "linear":
        made = made + (value[before + 1] - made) * (made_at - at[before]) / distance[before]
    order = np.argsort(np.concatenate([at, made_at]), kind="stable")
    filled = np.concatenate([np.zeros(len(at), bool), np.ones(len(made_at), bool)])
    return np.concatenate([at, made_at])[order], np.concatenate([value, made])[order], filled[order]
