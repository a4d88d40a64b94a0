"""Local hour of the week of many instants at once; seasons follow the city's wall clock across DST and zone changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from analytics.columns import SECOND_US, Ints

WEEK_HOURS = 168
QUARTER_US = 900 * SECOND_US  # no zone's offset is finer than a quarter of an hour
CACHE_LIMIT = 20_000


class LocalHours:
    """Hours of one IANA zone."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)
        self._known: dict[int, int] = {}

    def of(self, time_us: Ints) -> Ints:
        """Hour of the week 0..167, Monday 00 = 0, of UTC instants in us since 1970."""
        quarters = time_us // QUARTER_US
        if len(quarters) == 0:
            return quarters
        if quarters[0] == quarters[-1] and (quarters == quarters[0]).all():
            return np.full(len(quarters), self._hour(int(quarters[0])))
        distinct, back = np.unique(quarters, return_inverse=True)
        return np.array([self._hour(quarter) for quarter in distinct.tolist()], dtype=np.int64)[back]

    def _hour(self, quarter: int) -> int:
        if quarter not in self._known:
            if len(self._known) >= CACHE_LIMIT:
                self._known.clear()
            local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=15 * quarter)).astimezone(self._zone)
            self._known[quarter] = local.weekday() * 24 + local.hour
        return self._known[quarter]
