"""Silence: intervals since an object was last heard, on the city clock. Rows are objects, values do not matter."""

from collections.abc import Mapping

import numpy as np

from analytics.columns import NEVER, SECOND_US, Floats, Ints, grown, pack, unpack
from analytics.detectors import DETECTORS, Scored
from analytics.hours import LocalHours

USUAL_INTERVALS = 2.0


@DETECTORS.register("nodata")
class NoData:
    """score = expected intervals since the row was heard; NaN while it was never heard."""

    def __init__(self, hours: LocalHours) -> None:
        self._interval_us: Floats = np.empty(0)
        self.heard: Ints = np.empty(0, np.int64)

    def resize(self, interval_s: Floats) -> None:
        """See Detector."""
        self._interval_us = np.maximum(interval_s, 1.0) * SECOND_US
        self.heard = grown(self.heard, len(interval_s), NEVER)

    def score(self, rows: Ints, time_us: Ints, value: Floats) -> Scored:
        """See Detector."""
        heard = self.heard[rows]
        silent = np.maximum(time_us - heard, 0) / self._interval_us[rows]
        silent[heard == NEVER] = np.nan
        return Scored(silent, np.zeros(len(rows)), np.full(len(rows), USUAL_INTERVALS))

    def learn(self, rows: Ints, time_us: Ints, value: Floats) -> None:
        """See Detector."""
        self.heard[rows] = np.maximum(self.heard[rows], time_us)

    def forgive(self, rows: Ints, time_us: int) -> None:
        """Count silence from time_us at the earliest: rows could not have been heard before."""
        heard = self.heard[rows]
        self.heard[rows] = np.where(heard == NEVER, NEVER, np.maximum(heard, time_us))

    def changed(self) -> dict[str, bytes]:
        """See Detector."""
        return {"heard": pack({"heard": self.heard})}

    def load(self, chunks: Mapping[str, bytes]) -> None:
        """See Detector."""
        known = unpack(chunks["heard"])["heard"]
        self.heard[: len(known)] = known

    @property
    def nbytes(self) -> int:
        """See Detector."""
        return self.heard.nbytes
