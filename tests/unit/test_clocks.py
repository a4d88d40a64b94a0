"""Clocks of devices: a constant delay is a clock, history and backlogs are not; told once, in both languages."""

import numpy as np
import pytest

from analytics.clocks import Clocks, Skew
from analytics.columns import SECOND_US
from analytics.engine import Engine
from analytics.hours import LocalHours
from citynet.model import Event, Quality
from tests.unit.test_analytics_engine import Reading, city, message

HOUR = 3_600


def told(delays: list[float], *, every_s: float = 300, speed: float = 1.0, made: Clocks | None = None) -> list[Skew]:
    """One report each every_s seconds with such a delay; what was found."""
    clocks = made or Clocks()
    clocks.resize(1)
    clocks.speed = speed
    found = []
    for n, delay in enumerate(delays):
        now = np.array([round(1_767_214_800 + n * every_s) * SECOND_US])
        found += clocks.take(np.array([0]), now, np.array([delay]))
    return found


@pytest.mark.parametrize("delay", [600.0, -120.0, 3 * 3_600.0])
def test_a_wrong_clock_is_told_of_once_and_so_is_its_repair(delay: float) -> None:
    found = told([1.0, 2.0, *[delay + n % 7 for n in range(40)], 45.0, 1.0, 0.5])
    assert [one.over for one in found] == [False, True]
    assert found[0].behind_s == pytest.approx(delay, abs=7)
    assert found[0].lasted_s == 9 * 300


@pytest.mark.parametrize(
    ("name", "delays"),
    [
        ("right", [1.0, 5.0, 40.0, 0.2] * 20),
        ("drained", [3_000.0 - 240 * n for n in range(13)]),
        ("varying", [float(seconds) for seconds in np.random.default_rng(1).uniform(70, 900, 200)]),
        ("twice", [600.0, 600.0, 1.0] * 20),
    ],
)
def test_what_is_no_wrong_clock(name: str, delays: list[float]) -> None:
    assert told(delays) == [], name


def test_it_takes_ten_minutes_and_ten_reports() -> None:
    assert told([600.0] * 100, every_s=5) == []
    assert told([600.0] * 122, every_s=5) != []
    assert told([600.0] * 9, every_s=HOUR) == []
    assert told([600.0] * 10, every_s=HOUR) != []


def test_the_network_of_a_fast_city_clock_is_no_clock() -> None:
    assert told([250.0] * 50, speed=60) == []
    assert told([600.0] * 50, speed=60) != []


def test_the_state_goes_through_bytes() -> None:
    first = Clocks()
    assert told([600.0] * 9, made=first) == []
    second = Clocks()
    second.resize(1)
    second.load(first.dump())
    second.since -= 9 * 300 * SECOND_US
    assert len(told([600.0], made=second)) == 1


def events(readings: list[list[Reading]], *, history: bool = False) -> list[Event]:
    made = Engine(LocalHours("Europe/Moscow"))
    made.configure(city())
    found = []
    for rows in readings:
        found += made.history(message(rows)) if history else made.live([message(rows)])
    return [event for event in found if event.rule_id == "device.clock"]


def test_the_engine_tells_it_in_both_languages() -> None:
    slow = [[Reading(n * 300 - 600, float(n), delay=600)] for n in range(10)]
    (event,) = events(slow)
    assert event.why_en == "Readings are stamped 10 min before they come, for 45 min by now: the clock is slow"
    assert event.why_ru == "Показания помечены на 10 мин раньше, чем пришли, уже 45 мин: часы отстают"
    assert (event.edge, event.signal, event.value) == ("open", "clock", 600.0)
    fine = [[Reading(n * 300, float(n), delay=2)] for n in range(10, 12)]
    assert [one.edge for one in events([*slow, *fine])] == ["open", "close"]
    doubtful = [[Reading(n * 300, 1.0, delay=0, quality=Quality.CLOCK_DOUBTFUL)] for n in range(10)]
    (event,) = events(doubtful)
    assert event.why_en.startswith("Readings are stamped more than 5 min after they come")


def test_a_frame_with_its_memory_is_no_wrong_clock() -> None:
    frames = [[Reading(n * 900 - back, 1.0, delay=back + 1) for back in (2700, 1800, 900, 0)] for n in range(9)]
    assert events(frames) == []


def test_history_says_nothing_but_what_came_late_by_the_live_road_does() -> None:
    past = [[Reading(n * 300 - 2400, 1.0, delay=2400)] for n in range(20)]
    assert events(past, history=True) == []
    hours = [[Reading(n * 300 - 3 * HOUR, 1.0, delay=3 * HOUR, quality=Quality.LATE)] for n in range(20)]
    (event,) = events(hours, history=True)
    assert event.value == 3 * HOUR
