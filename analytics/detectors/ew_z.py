"""Robust exponentially weighted z for each local hour of the week: the usual for a Tuesday at 03:00."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from analytics.columns import NEVER, SECOND_US, Array, Floats, Ints, grown, pack, unpack
from analytics.detectors import DETECTORS, Scored
from analytics.ew import EwMoments
from analytics.hours import WEEK_HOURS, LocalHours

DAY_HOURS = 24
LEVELS = WEEK_HOURS + DAY_HOURS  # rows of the profile: hours of the week, then hours of any day
MEMORY_VISITS = np.concatenate([np.full(WEEK_HOURS, 6.0), np.full(DAY_HOURS, 30.0)])  # weeks, days
OVERALL_VISITS = 336.0  # hours
CLIP = 3.0  # Huber: a value pulls no more than this many scales
CLIP_AFTER_SAMPLES, CLIP_AFTER_VISITS = 8, 3.0  # whichever is less: then the scale can be trusted to clip
GAUSS = 1.2533141373155  # standard deviation of a normal law over its mean absolute deviation
SMALLEST_WEIGHT = 1 / 64  # float16 still adds it; faster series weigh as if slower
PAUSE_US = 2 * 3_600 * SECOND_US  # after a longer gap the expected interval is the weight
WARM_UP_VISITS = 24.0
SCORE_MAX = 99.0
HOUR_US = 3_600 * SECOND_US
VALUE_MAX = 1e30  # float32 and squares hold it
BAND = 3.0
FLOOR_RELATIVE, FLOOR_OVERALL, FLOOR_ABSOLUTE = 0.01, 0.05, 1e-6


class Level:
    """Mean, scale and evidence (in visits) of some cells of the profile, gathered for one row each."""

    def __init__(self, detector: "EwZ", level: Ints, rows: Ints) -> None:
        at = (level, rows)
        self.mean = detector.mean[at].astype(np.float64)
        self.scale = detector.scale[at].astype(np.float64)
        self.visits = detector.visits[at].astype(np.float64)


@DETECTORS.register("ew_z")
class EwZ:
    """A float32 profile of 168 hours of the week and 24 hours of the day, and a float64 overall level, a series.

    A visit is one hour's worth of values: a value weighs the share of an hour since the one before it, so that hourly
    history and live minutes of one series count alike. An hour of the week with few visits leans on its neighbours and
    on the same hour of other days, and its band is wider by their disagreement.
    """

    def __init__(self, hours: LocalHours) -> None:
        self._hours = hours
        self._usual_weight: Floats = np.empty(0)
        self.mean: npt.NDArray[np.float32] = np.empty((LEVELS, 0), np.float32)
        self.scale: npt.NDArray[np.float32] = np.empty((LEVELS, 0), np.float32)
        self.visits: npt.NDArray[np.float16] = np.empty((LEVELS, 0), np.float16)
        self.seen: Ints = np.empty(0, np.int64)
        self.evidence: Floats = np.empty(0)
        self.overall = EwMoments()
        self._touched = np.zeros(LEVELS, np.bool_)

    def resize(self, interval_s: Floats) -> None:
        """See Detector."""
        size = len(interval_s)
        self._usual_weight = np.clip(interval_s / 3600.0, SMALLEST_WEIGHT, 1.0)
        self.mean, self.scale = grown(self.mean, size, 0.0), grown(self.scale, size, 0.0)
        self.visits, self.seen = grown(self.visits, size, 0.0), grown(self.seen, size, NEVER)
        self.evidence = grown(self.evidence, size, 0.0)
        self.overall.resize(size)

    def score(self, rows: Ints, time_us: Ints, value: Floats) -> Scored:
        """See Detector."""
        expected, scale = self._usual(rows, self._hours.of(time_us))
        score = np.clip((value - expected) / scale, -SCORE_MAX, SCORE_MAX)
        return Scored(score, expected - BAND * scale, expected + BAND * scale)

    def _usual(self, rows: Ints, hour: Ints) -> tuple[Floats, Floats]:
        slot = Level(self, hour, rows)
        day = Level(self, WEEK_HOURS + hour % DAY_HOURS, rows)
        overall, spread = self.overall.mean[rows], np.sqrt(self.overall.var[rows])
        prior = self._prior(rows, hour, day)
        trust = slot.visits / (slot.visits + 0.5)
        expected = prior + trust * (slot.mean - prior)
        own = slot.visits / (slot.visits + 2.0)
        variance = own * slot.scale**2 + (1 - own) * np.where(day.visits > 0, day.scale, spread) ** 2
        disagreement = np.where(slot.visits > 0, (1 - trust) * np.abs(slot.mean - prior), 0.0)
        floor = FLOOR_RELATIVE * np.maximum(np.abs(expected), np.abs(overall)) + FLOOR_OVERALL * spread
        scale = np.maximum(np.sqrt(variance) + disagreement, np.maximum(floor, FLOOR_ABSOLUTE))
        warm = (self.evidence[rows] >= WARM_UP_VISITS) & (day.visits > 0)
        return np.where(warm, expected, np.nan), scale

    def _prior(self, rows: Ints, hour: Ints, day: Level) -> Floats:
        """Expectation from everything but the hour of the week itself: same hour of any day, neighbours, overall."""
        total, mass = day.mean * np.minimum(day.visits, 2.0), np.minimum(day.visits, 2.0)
        for step in (-1, 1):
            beside = Level(self, (hour + step) % WEEK_HOURS, rows)
            share = 0.25 * np.minimum(beside.visits, 1.0)
            total, mass = total + share * beside.mean, mass + share
        return np.asarray(np.divide(total, mass, out=self.overall.mean[rows].copy(), where=mass > 0))

    def learn(self, rows: Ints, time_us: Ints, value: Floats) -> None:
        """See Detector."""
        hour, value = self._hours.of(time_us), np.clip(value, -VALUE_MAX, VALUE_MAX)
        weight = self._weight(rows, time_us)
        self._learn_level(rows, hour, value=value, weight=weight)
        self._learn_level(rows, WEEK_HOURS + hour % DAY_HOURS, value=value, weight=weight)
        evidence = self.evidence[rows] + weight
        usual, spread = self.overall.mean[rows], np.sqrt(self.overall.var[rows])
        reach = np.where(self.overall.count[rows] >= CLIP_AFTER_SAMPLES, 6 * spread + 0.3 * np.abs(usual), np.inf)
        gain = weight / np.minimum(evidence, OVERALL_VISITS)
        self.overall.update(rows, np.clip(value, usual - reach, usual + reach), gain)
        self.evidence[rows], self.seen[rows] = evidence, time_us

    def _weight(self, rows: Ints, time_us: Ints) -> Floats:
        apart = np.abs(time_us - self.seen[rows])
        known = (apart > 0) & (apart <= PAUSE_US)
        share = np.clip(apart / HOUR_US, SMALLEST_WEIGHT, 1.0)
        return np.where(known, share, self._usual_weight[rows])

    def _learn_level(self, rows: Ints, level: Ints, *, value: Floats, weight: Floats) -> None:
        at, cell = (level, rows), Level(self, level, rows)
        floor = FLOOR_RELATIVE * np.abs(cell.mean) + FLOOR_ABSOLUTE
        trusted = cell.visits >= np.minimum(CLIP_AFTER_SAMPLES * weight, CLIP_AFTER_VISITS)
        reach = np.where(trusted, CLIP * np.maximum(cell.scale, floor), np.inf)
        step = np.clip(value - cell.mean, -reach, reach)
        known, memory = cell.visits > 0, MEMORY_VISITS[level]
        self.mean[at] = np.where(known, cell.mean + step * weight / np.minimum(cell.visits + weight, memory), value)
        gain = weight / np.clip(cell.visits, weight, memory)
        self.scale[at] = np.where(known, cell.scale + gain * (GAUSS * np.abs(step) - cell.scale), 0.0)
        self.visits[at] = np.minimum(cell.visits + weight, memory)
        self._touched[level] = True

    def changed(self) -> dict[str, bytes]:
        """See Detector: one chunk an hour, so that an hour of operation writes two chunks and not the profile."""
        levels = np.flatnonzero(self._touched).tolist()
        self._touched[:] = False
        chunks = {f"level/{level}": pack(self._cells(level)) for level in levels}
        overall = {"mean": self.overall.mean, "var": self.overall.var, "count": self.overall.count}
        return {**chunks, "overall": pack(overall), "rows": pack({"seen": self.seen, "evidence": self.evidence})}

    def _cells(self, level: int) -> dict[str, Array]:
        return {"mean": self.mean[level], "scale": self.scale[level], "visits": self.visits[level]}

    def load(self, chunks: Mapping[str, bytes]) -> None:
        """See Detector."""
        for name, body in chunks.items():
            kind, _, level = name.partition("/")
            for column, known in unpack(body).items():
                target = getattr(self.overall if kind == "overall" else self, column)
                (target[int(level)] if kind == "level" else target)[: len(known)] = known

    @property
    def nbytes(self) -> int:
        """See Detector."""
        overall = self.overall.mean.nbytes + self.overall.var.nbytes + self.overall.count.nbytes
        rows = self.seen.nbytes + self.evidence.nbytes
        return self.mean.nbytes + self.scale.nbytes + self.visits.nbytes + overall + rows
