"""How many days a battery still lasts: a robust line through its daily values. Pure; views/health.py shows it."""

from collections.abc import Sequence

import numpy as np

EMPTY_PERCENT = 10.0
DAYS_MIN = 7
DAYS_MAX = 3650.0
FALLING = -0.001  # percent a day: less than that is not falling


def slope(days: Sequence[float], percent: Sequence[float]) -> float | None:
    """Percent a day: the median of the slopes between all pairs (Theil and Sen), so that single values do not count.

    None with fewer than DAYS_MIN different days.
    """
    x, y = np.asarray(days, float), np.asarray(percent, float)
    if len(np.unique(x)) < DAYS_MIN:
        return None
    first, second = np.triu_indices(len(x), 1)
    apart = x[second] - x[first]
    return float(np.median((y[second] - y[first])[apart > 0] / apart[apart > 0]))


def days_left(days: Sequence[float], percent: Sequence[float]) -> float | None:
    """Days from the last value until EMPTY_PERCENT; None where nothing falls or too little is known."""
    falling = slope(days, percent)
    if falling is None or falling > FALLING:
        return None
    # From the line, not from the last value: cold nights lower a battery for hours.
    level = float(np.median(np.asarray(percent, float) - falling * np.asarray(days, float))) + falling * max(days)
    return float(np.clip((EMPTY_PERCENT - level) / falling, 0.0, DAYS_MAX))
