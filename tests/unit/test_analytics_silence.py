"""How often an object reports is learned from its gaps, not believed from its profile."""

import numpy as np
import pytest

from analytics.columns import SECOND_US, Floats, Ints
from analytics.detectors.nodata import GAPS_ENOUGH, NoData
from analytics.hours import LocalHours

START = 1_767_214_800 * SECOND_US
NOTHING: Floats = np.empty(0)
ROW: Ints = np.array([0])


def detector(interval_s: float = 3600.0) -> NoData:
    made = NoData(LocalHours("Europe/Moscow"))
    made.resize(np.array([interval_s]))
    return made


def heard(made: NoData, gaps_s: Floats) -> int:
    """Reports with these gaps between them; the time of the last in us."""
    times = START + np.r_[0, np.cumsum(gaps_s * SECOND_US)].astype(np.int64)
    for time in times:
        made.learn(ROW, np.array([time]), NOTHING)
    return int(times[-1])


def silent(made: NoData, at_us: int) -> float:
    return float(made.score(ROW, np.array([at_us]), NOTHING).score[0])


def test_until_enough_gaps_the_profile_counts() -> None:
    made = detector()
    last = heard(made, np.full(GAPS_ENOUGH - 1, 60.0))
    assert silent(made, last + 3600 * SECOND_US) == pytest.approx(1.0)


@pytest.mark.parametrize("interval_s", [60.0, 900.0, 20_000.0])
def test_a_steady_interval_is_found(interval_s: float) -> None:
    made = detector()
    last = heard(made, np.full(200, interval_s))
    assert silent(made, last + round(10 * interval_s) * SECOND_US) == pytest.approx(10.0, rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_an_irregular_one_is_judged_by_its_long_gaps(seed: int) -> None:
    """Reports by event: gaps of 30 s to an hour. What nine of ten stay below is what is expected."""
    gaps = np.random.default_rng(seed).exponential(600.0, 2_000).clip(30, 3600)
    made = detector()
    heard(made, gaps)
    expected = float(made.interval_us(ROW)[0]) / SECOND_US
    assert np.quantile(gaps, 0.8) < expected < np.quantile(gaps, 0.97)


def test_an_outage_is_forgotten_and_repeats_do_not_count() -> None:
    made = detector()
    heard(made, np.r_[np.full(100, 60.0), 40_000.0, np.full(30, 60.0)])
    assert float(made.interval_us(ROW)[0]) / SECOND_US == pytest.approx(60.0, rel=0.2)
    again = detector()
    again.learn(np.zeros(4, np.int64), START + np.array([0, 0, 60, 60]) * SECOND_US, NOTHING)
    assert int(again._gaps[0]) == 1


def test_state_without_gaps_is_taken() -> None:
    from analytics.columns import pack

    made = detector()
    made.load({"heard": pack({"heard": np.array([START])})})
    assert silent(made, START + 7200 * SECOND_US) == pytest.approx(2.0)
