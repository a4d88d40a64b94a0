"""Days that a battery still lasts: right for a line, unmoved by single values, silent where nothing is known."""

import numpy as np
import pytest

from situation_center.battery import DAYS_MIN, days_left, slope


def test_a_line_gives_its_days() -> None:
    days = list(range(30))
    percent = [80 - 0.5 * day for day in days]
    assert slope(days, percent) == pytest.approx(-0.5)
    assert days_left(days, percent) == pytest.approx((percent[-1] - 10) / 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_cold_nights_and_a_wrong_value_move_it_little(seed: int) -> None:
    chance = np.random.default_rng(seed)
    days = np.arange(60.0)
    percent = 90 - 0.4 * days + chance.normal(0, 1, 60)
    percent[10], percent[40] = 0.0, 100.0
    left = days_left(days.tolist(), percent.tolist())
    assert left == pytest.approx((90 - 0.4 * 59 - 10) / 0.4, rel=0.15)


def test_what_does_not_fall_or_is_new_has_no_end() -> None:
    assert days_left([0, 1, 2], [90, 80, 70]) is None
    assert days_left(list(range(DAYS_MIN)), [50.0] * DAYS_MIN) is None
    assert days_left(list(range(30)), [50 + day for day in range(30)]) is None


def test_below_ten_percent_is_now() -> None:
    days = list(range(20))
    assert days_left(days, [12 - 0.5 * day for day in days]) == 0.0
