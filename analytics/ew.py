"""Exponentially weighted mean and variance of many series at once: the maths of river.stats.EWMean and EWVar."""

import numpy as np

from analytics.columns import Floats, Ints, grown


class EwMoments:
    """float64 mean and variance; the first value of a series is its mean.

    river keeps EW(x^2) - EW(x)^2. This is the same number in a form that does not cancel: with d = x - mean,
    mean += a d and var = (1 - a)(var + a d^2). Source: T. Finch, Incremental calculation of weighted mean (2009).
    """

    def __init__(self) -> None:
        self.mean: Floats = np.empty(0)
        self.var: Floats = np.empty(0)
        self.count: Ints = np.empty(0, np.int64)

    def resize(self, size: int) -> None:
        """Make room for size series."""
        self.mean = grown(self.mean, size, 0.0)
        self.var = grown(self.var, size, 0.0)
        self.count = grown(self.count, size, 0)

    def update(self, rows: Ints, value: Floats, alpha: Floats | float) -> None:
        """Take one value of each row (rows are distinct); alpha in (0, 1] is river's fading factor."""
        mean, count = self.mean[rows], self.count[rows]
        first = count == 0
        delta = np.where(first, 0.0, value - mean)
        self.mean[rows] = np.where(first, value, mean + alpha * delta)
        self.var[rows] = (1.0 - alpha) * (self.var[rows] + alpha * delta * delta)
        self.count[rows] = count + 1

    def z(self, rows: Ints, value: Floats) -> Floats:
        """(value - mean) / standard deviation; 0 while the variance is 0."""
        spread = np.sqrt(self.var[rows])
        return np.divide(value - self.mean[rows], spread, out=np.zeros_like(value), where=spread > 0)
