"""A value that stays for much longer than it ever did; not a setting, not a pump that rests at night."""

import random

import numpy as np
import pytest

from analytics.columns import SECOND_US
from analytics.engine import Engine
from analytics.hours import LocalHours
from analytics.stuck import REPORTS_MIN, Runs, Stuck
from tests.unit.test_analytics_engine import Reading, city, message

STEP_S, DAY = 900, 96
ROW = np.array([0])


def told(values: list[float], *, runs: Runs | None = None, start: int = 0) -> tuple[Runs, list[tuple[int, Stuck]]]:
    """A value each quarter of an hour; what was found, by the number of its value."""
    made = runs or Runs()
    made.resize(1)
    found = []
    for n, value in enumerate(values, start):
        time = np.array([1_767_214_800 * SECOND_US + n * STEP_S * SECOND_US])
        found += [(n, one) for one in made.take(ROW, time, np.array([value]))]
    return made, found


def lively(days: int, seed: int = 1) -> list[float]:
    noise = np.random.default_rng(seed)
    return [round(20 + float(noise.normal()), 1) for _ in range(days * DAY)]


def test_a_frozen_sensor_is_found_and_comes_back() -> None:
    runs, found = told(lively(10))
    assert found == []
    runs, found = told([21.7] * DAY, runs=runs, start=10 * DAY)
    ((number, one),) = found
    assert (one.over, round(one.value, 3)) == (False, 21.7)
    assert 6 * 3600 < one.lasted_s <= 8 * 3600
    assert number - 10 * DAY >= REPORTS_MIN - 1 > 6 * 4
    _, found = told([20.0], runs=runs, start=11 * DAY)
    assert [one.over for _, one in found] == [True]


@pytest.mark.parametrize("night_hours", [8, 16])
def test_what_rests_every_night_is_not_stuck(night_hours: int) -> None:
    noise = random.Random(3)
    day = [0.0 if n < night_hours * 4 else None for n in range(DAY)]
    values = [noise.uniform(1, 9) if value is None else value for _ in range(30) for value in day]
    runs, found = told(values)
    assert found == []
    _, found = told([0.0] * 4 * DAY, runs=runs, start=30 * DAY)
    assert len(found) == 1
    assert found[0][1].lasted_s > 4 * (night_hours - 1) * 3600


@pytest.mark.parametrize("every_days", [0, 1, 3])
def test_a_setting_is_not_stuck(every_days: int) -> None:
    _, found = told([float(n // (every_days * DAY)) if every_days else 5.0 for n in range(60 * DAY)])
    assert found == []


def test_a_device_that_reports_seldom_needs_reports() -> None:
    runs, _ = told(lively(10))
    times = np.array([1_767_214_800 + 10 * 86_400]) * SECOND_US
    for n in range(REPORTS_MIN - 1):
        assert runs.take(ROW, times + n * 86_400 * SECOND_US, np.array([3.0])) == []
    assert len(runs.take(ROW, times + REPORTS_MIN * 86_400 * SECOND_US, np.array([3.0]))) == 1


def test_the_state_goes_through_bytes() -> None:
    values = [*lively(10), *[5.0] * 60, 6.0]
    half = 10 * DAY + 7
    whole = told(values)[1]
    first, found = told(values[:half])
    other = Runs()
    other.resize(1)
    other.load(first.dump())
    assert found + told(values[half:], runs=other, start=half)[1] == whole
    assert len(whole) == 2


def test_the_engine_tells_it_in_both_languages() -> None:
    made = Engine(LocalHours("Europe/Moscow"))
    made.configure(city())
    rows = [Reading(n * STEP_S, value) for n, value in enumerate([*lively(10), *[21.7] * 60, 20.0, 20.0, 20.0])]
    events = [event for row in rows for event in made.live([message([row])])]
    assert [(event.rule_id, event.edge) for event in events] == [("device.stuck", "open"), ("device.stuck", "close")]
    assert events[0].why_en.startswith("The value 21.7 has not changed for 7 h; before, ")
    assert events[0].why_ru.startswith("Значение 21,7 не меняется 7 ч; прежде не дольше ")
    assert events[1].why_en.startswith("Back to normal: ")
