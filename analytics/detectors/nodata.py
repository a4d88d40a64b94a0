"""Silence: intervals since an object was last heard, on the city clock. Rows are objects, values do not matter.

How often each really reports is learned from its gaps; until enough were seen the interval of its profile counts.
"""

from collections.abc import Mapping

import numpy as np

from analytics.columns import NEVER, SECOND_US, Floats, Ints, grown, pack, unpack
from analytics.detectors import DETECTORS, Scored
from analytics.hours import LocalHours

USUAL_INTERVALS = 2.0
# The gap that nine of ten stay below, followed by steps in its logarithm: an outage moves it as little as any gap.
QUANTILE = 0.9
FIRST_STEP, LAST_STEP = 0.5, 0.05
GAPS_ENOUGH = 20
SAME_REPORT_US = SECOND_US  # values of one report may come in several frames
SHORTEST_S, LONGEST_S = 10.0, 7 * 86_400.0


@DETECTORS.register("nodata")
class NoData:
    """score = expected intervals since the row was heard; NaN while it was never heard."""

    def __init__(self, hours: LocalHours) -> None:
        self._given_us: Floats = np.empty(0)
        self.heard: Ints = np.empty(0, np.int64)
        self._log_gap: Floats = np.empty(0)  # ln(us), NaN while no gap was seen
        self._gaps: Ints = np.empty(0, np.int64)

    def resize(self, interval_s: Floats) -> None:
        """See Detector."""
        self._given_us = np.maximum(interval_s, 1.0) * SECOND_US
        self.heard = grown(self.heard, len(interval_s), NEVER)
        self._log_gap = grown(self._log_gap, len(interval_s), np.nan)
        self._gaps = grown(self._gaps, len(interval_s), 0)

    def interval_us(self, rows: Ints) -> Floats:
        """How often rows report: as learned, or as their profile says."""
        with np.errstate(invalid="ignore"):
            learned = np.clip(np.exp(self._log_gap[rows]), SHORTEST_S * SECOND_US, LONGEST_S * SECOND_US)
        return np.where(self._gaps[rows] >= GAPS_ENOUGH, learned, self._given_us[rows])

    def score(self, rows: Ints, time_us: Ints, value: Floats) -> Scored:
        """See Detector."""
        heard = self.heard[rows]
        silent = np.maximum(time_us - heard, 0) / self.interval_us(rows)
        silent[heard == NEVER] = np.nan
        return Scored(silent, np.zeros(len(rows)), np.full(len(rows), USUAL_INTERVALS))

    def learn(self, rows: Ints, time_us: Ints, value: Floats) -> None:
        """See Detector. Here a row may come several times."""
        order = np.lexsort((time_us, rows))
        row, time = rows[order], time_us[order]
        first = np.r_[True, row[1:] != row[:-1]][: len(row)]
        before = np.where(first, self.heard[row], np.r_[0, time[:-1]][: len(row)])
        gap = time - before
        real = (before != NEVER) & (gap >= SAME_REPORT_US)
        if real.any():
            self._learn_gaps(row[real], gap[real])
        last = np.r_[row[1:] != row[:-1], True][: len(row)]
        self.heard[row[last]] = np.maximum(self.heard[row[last]], time[last])

    def _learn_gaps(self, row: Ints, gap: Ints) -> None:
        """One step a row: several gaps of one call count as their longest."""
        where, place = np.unique(row, return_inverse=True)
        longest = np.zeros(len(where), np.int64)
        np.maximum.at(longest, place, gap)
        seen, known = np.log(longest), self._log_gap[where]
        known = np.where(np.isnan(known), seen, known)
        step = np.maximum(FIRST_STEP / np.sqrt(self._gaps[where] + 1.0), LAST_STEP)
        self._log_gap[where] = known + step * np.where(seen > known, QUANTILE, QUANTILE - 1)
        self._gaps[where] += 1

    def forgive(self, rows: Ints, time_us: int) -> None:
        """Count silence from time_us at the earliest: rows could not have been heard before."""
        heard = self.heard[rows]
        self.heard[rows] = np.where(heard == NEVER, NEVER, np.maximum(heard, time_us))

    def changed(self) -> dict[str, bytes]:
        """See Detector."""
        return {"heard": pack({"heard": self.heard, "log_gap": self._log_gap, "gaps": self._gaps})}

    def load(self, chunks: Mapping[str, bytes]) -> None:
        """See Detector. Gaps that an older version did not keep are learned anew."""
        known = unpack(chunks["heard"])
        size = len(known["heard"])
        self.heard[:size] = known["heard"]
        if "gaps" in known:
            self._log_gap[:size], self._gaps[:size] = known["log_gap"], known["gaps"]

    @property
    def nbytes(self) -> int:
        """See Detector."""
        return self.heard.nbytes + self._log_gap.nbytes + self._gaps.nbytes
