"""Every detector passes the same checks: pure score, learning after it, gaps, bytes, memory, a planted fault."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analytics.columns import SECOND_US, Floats, Ints
from analytics.detectors import DETECTORS, Detector
from analytics.hours import LocalHours

HOUR_US = 3_600 * SECOND_US
START_US = 1_767_214_800 * SECOND_US  # Thursday, 1 January 2026, 00:00 in Moscow
SERIES, HOURS = 5, 28 * 24
Make = Callable[[], Detector]


@pytest.fixture(params=sorted(DETECTORS.load("analytics.detectors")))
def make(request: pytest.FixtureRequest) -> Make:
    factory = DETECTORS.load("analytics.detectors")[request.param]

    def build(size: int = SERIES) -> Detector:
        detector = factory(LocalHours("Europe/Moscow"))
        detector.resize(np.full(size, 3_600.0))
        return detector

    return build


def rhythm(hour: int, seed: int = 7) -> Floats:
    """A value of each series: a daily rhythm with noise, the same for the same hour."""
    noise = np.random.default_rng(seed * 100_000 + hour).normal(0, 1, SERIES)
    level = 50 + 10 * np.arange(SERIES)
    return np.asarray(level * (1 + 0.3 * np.sin(2 * np.pi * hour / 24)) + noise)


def at(hour: int) -> Ints:
    return np.full(SERIES, START_US + hour * HOUR_US)


ALL = np.arange(SERIES)


def taught(detector: Detector, hours: range = range(HOURS)) -> Detector:
    for hour in hours:
        detector.learn(ALL, at(hour), rhythm(hour))
    return detector


def arrays(thing: Any) -> dict[str, bytes]:
    """All arrays in the state, also of parts."""
    found = {}
    for name, value in vars(thing).items():
        if isinstance(value, np.ndarray):
            found[name] = value.tobytes()
        elif hasattr(value, "__dict__") and not isinstance(value, LocalHours):
            found |= {f"{name}.{inner}": body for inner, body in arrays(value).items()}
    return found


def same(a: Any, b: Any) -> None:
    for name in ("score", "low", "high"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_score_changes_nothing(make: Make) -> None:
    detector = taught(make())
    before = arrays(detector)
    first = detector.score(ALL, at(HOURS), rhythm(HOURS))
    same(first, detector.score(ALL, at(HOURS), rhythm(HOURS)))
    assert arrays(detector) == before


def test_learning_changes_the_next_score(make: Make) -> None:
    detector = taught(make())
    before = detector.score(ALL, at(HOURS + 1), rhythm(HOURS) * 2)
    detector.learn(ALL, at(HOURS), rhythm(HOURS) * 2)
    after = detector.score(ALL, at(HOURS + 1), rhythm(HOURS) * 2)
    assert (before.score != after.score).all()


def test_finds_a_planted_fault_and_keeps_still_before_it(make: Make) -> None:
    """The fault: 20 hours of silence, then twice the usual."""
    detector = taught(make())
    for hour in range(HOURS, HOURS + 48):
        assert (np.abs(detector.score(ALL, at(hour), rhythm(hour)).score) < 6).all()
        detector.learn(ALL, at(hour), rhythm(hour))
    fault = detector.score(ALL, at(HOURS + 67), 2 * rhythm(HOURS + 67))
    assert (fault.score > 8).all()
    assert (fault.low < fault.high).all()


def test_an_untaught_row_is_unknown(make: Make) -> None:
    scored = make().score(ALL, at(0), rhythm(0))
    assert np.isnan(scored.score).all()


def test_survives_constant_series(make: Make) -> None:
    detector = make()
    for hour in range(HOURS):
        detector.learn(ALL, at(hour), np.array([0.0, 5.0, -3.0, 1e12, 1e-12]))
    scored = detector.score(ALL, at(HOURS), np.array([0.0, 5.0, -3.0, 1e12, 1e-12]))
    assert (np.abs(scored.score) < 2).all()


def test_survives_gaps_outliers_and_going_back_in_time(make: Make) -> None:
    detector = taught(make(), range(0, HOURS, 37))
    detector.learn(ALL, at(HOURS), np.array([1e12, -1e12, 0, 1e300, 1e-300]))
    detector.learn(ALL, at(3), rhythm(3))
    detector.learn(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    scored = detector.score(ALL, at(HOURS + 1), rhythm(HOURS + 1))
    assert not np.isinf(scored.score).any()


def test_state_goes_through_bytes_in_pieces(make: Make) -> None:
    detector = make()
    kept: dict[str, bytes] = {}
    for hour in range(HOURS):
        detector.learn(ALL, at(hour), rhythm(hour))
        if hour % 50 == 0:
            kept |= detector.changed()
    kept |= detector.changed()
    other = make()
    other.load(kept)
    same(detector.score(ALL, at(HOURS), rhythm(HOURS)), other.score(ALL, at(HOURS), rhythm(HOURS)))


def test_state_of_fewer_rows_can_be_taken(make: Make) -> None:
    detector = taught(make())
    other: Detector = make(SERIES + 3)  # type: ignore[call-arg]
    other.load(detector.changed())
    same(detector.score(ALL, at(HOURS), rhythm(HOURS)), other.score(ALL, at(HOURS), rhythm(HOURS)))


def test_an_hour_of_operation_writes_little(make: Make) -> None:
    detector = taught(make())
    detector.changed()
    detector.learn(ALL, at(HOURS), rhythm(HOURS))
    assert sum(map(len, detector.changed().values())) < detector.nbytes / 5 + 1_000


def test_memory_is_bounded(make: Make) -> None:
    detector = taught(make(), range(48))
    size = detector.nbytes
    taught(detector, range(48, HOURS))
    assert detector.nbytes == size
    assert size / SERIES <= 2_048


def test_is_deterministic(make: Make) -> None:
    assert arrays(taught(make())) == arrays(taught(make()))
