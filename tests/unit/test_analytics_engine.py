"""The engine: event time, lateness, delays, silence, suppression, restarts. Pure, so every test is exact."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pytest

from analytics.city import City, Measured, Site, compile_rules
from analytics.columns import SECOND_US
from analytics.engine import Engine, Readings
from analytics.hours import LocalHours
from analytics.judge import Outages, instant
from citynet.catalog import Rule
from citynet.model import Event, Quality

T0 = 1_767_214_800  # Thursday, 1 January 2026, 00:00 in Moscow; all times below are seconds after it
MINUTE = 60


def rule(name: str, text: str, **more: object) -> Rule:
    body: dict[str, object] = {
        "id": name, "severity": "high", "signal": name, "class": "inlet", "text": text, "title_ru": "т",
        "title_en": "t", "why_ru": "Значение {value:.1f}, {minutes:.0f} мин", "why_en": "{value:.1f} {minutes:.0f} min",
    }  # fmt: skip
    return Rule.model_validate(body | more)


@dataclass(frozen=True)
class Reading:
    """A reading at a second after T0, received delay seconds later."""

    at: float
    value: float
    series: int = 1
    delay: float = 1.0
    quality: int = 0

    @property
    def received(self) -> float:
        return self.at + self.delay


def message(readings: Iterable[Reading]) -> Readings:
    rows = list(readings)

    def us(seconds: list[float]) -> np.ndarray:
        return np.array([round((T0 + s) * SECOND_US) for s in seconds], np.int64)

    return Readings(
        np.array([r.series for r in rows], np.int64),
        us([r.at for r in rows]),
        us([r.received for r in rows]),
        np.array([r.value for r in rows], float),
        np.array([r.quality for r in rows], np.int64),
    )


def city(*rules: Rule, interval_s: float = 60, objects: int = 3, lateness_s: int = 60) -> City:
    """Inlets 101.. below gateway 100; series n is the flow of object 100 + n, series 0 the frames of the gateway."""
    sites = {100: Site(100, "gateway", interval_s, 0)}
    sites |= {
        100 + n: Site(100 + n, "inlet", interval_s, lateness_s * SECOND_US, ((100, "gateway"),))
        for n in range(1, objects + 1)
    }
    series = {n: Measured(n, 100 + n, "flow" if n else "frames", True) for n in range(objects + 1)}
    quantities = dict.fromkeys(("flow", "frames"))
    ready, refused = compile_rules({r.id: (1, r) for r in rules}, {}, quantities)  # type: ignore[arg-type]
    assert not refused
    return City(series, sites, ready)


def engine(given: City) -> Engine:
    made = Engine(LocalHours("Europe/Moscow"), Outages())
    made.configure(given)
    return made


def play(made: Engine, readings: Iterable[Reading], *, until: float | None = None) -> list[Event]:
    """Each reading as a message of its own in order of reception, then silence up to until."""
    events = []
    for reading in sorted(readings, key=lambda r: r.received):
        events += made.live([message([reading])])
    if until is not None:
        events += made.idle(round((T0 + until) * SECOND_US))
    return events


def brief(events: list[Event]) -> list[tuple[str, int, str, float]]:
    return sorted((e.rule_id, e.object_id, e.edge, (e.time - instant(T0 * SECOND_US)).total_seconds()) for e in events)


def minutes(values: Iterable[float], series: int = 1) -> list[Reading]:
    return [Reading(n * MINUTE, value, series) for n, value in enumerate(values)]


HIGH = rule("high", "flow > 10", hold_s=120, clear_s=60)


def test_a_condition_opens_after_its_delay_and_closes_after_the_other() -> None:
    events = play(engine(city(HIGH)), minutes([1, 20, 20, 20, 20, 1, 1, 1]), until=3600)
    assert brief(events) == [("high", 101, "close", 360.0), ("high", 101, "open", 180.0)]
    assert events[0].why_ru == "Значение 20,0, 2 мин"
    assert events[1].why_en == "Back to normal: 1.0 3 min"
    assert (events[0].value, events[0].series_id, events[0].severity) == (20.0, 1, "high")


def test_one_outlier_opens_nothing_and_a_flicker_closes_nothing() -> None:
    made = engine(city(HIGH))
    assert play(made, minutes([1, 99, 1, 99, 99, 1, 1])) == []
    assert brief(play(made, [Reading(n * MINUTE, 20) for n in range(10, 14)], until=840)) == [
        ("high", 101, "open", 720.0)
    ]
    assert play(made, [Reading(840, 1), Reading(870, 20), Reading(900, 20)], until=960) == []


def test_an_open_condition_repeats_at_most_each_five_minutes() -> None:
    events = play(engine(city(HIGH)), minutes([20.0] * 20), until=3600)
    assert [(e.edge, (e.time - events[0].time).total_seconds()) for e in events] == [
        ("open", 0), ("again", 300), ("again", 600), ("again", 900),
    ]  # fmt: skip
    assert len({e.event_id for e in events}) == 4


@pytest.mark.parametrize("seed", range(20))
def test_any_order_within_the_watermark_gives_the_same_events(seed: int) -> None:
    chance = random.Random(seed)
    values = [chance.choice([1.0, 20.0, 20.0, 20.0]) for _ in range(80)]
    straight = [Reading(n * 15, v, 1 + n % 2) for n, v in enumerate(values)]
    mixed = [Reading(r.at, r.value, r.series, delay=chance.uniform(0, 50)) for r in straight]
    rules = (HIGH, rule("mean", 'window(flow, "5m", "mean") > 12'), rule("rate", "rate(flow) > 500"))
    wanted = play(engine(city(*rules)), straight, until=7200)
    assert brief(play(engine(city(*rules)), mixed, until=7200)) == brief(wanted), f"seed {seed}"
    assert wanted


def test_messages_together_or_apart_give_the_same_events() -> None:
    readings = [message([r]) for r in minutes([1, 20, 20, 20, 20, 1, 1, 1])]
    together, apart = engine(city(HIGH)), engine(city(HIGH))
    assert together.live(readings) == [event for one in readings for event in apart.live([one])]


def test_late_readings_raise_nothing_and_are_learned() -> None:
    made = engine(city(rule("now", "flow > 10")))
    play(made, minutes([1, 1, 1, 1]))
    before = made.scorer.changed()
    assert play(made, [Reading(30, 99, delay=300)], until=1200) == []
    assert made.late == 1
    assert made.scorer.changed() != before


def test_a_device_whose_clock_is_behind_is_not_late() -> None:
    made = engine(city(rule("now", "flow > 10")))
    events = play(made, [Reading(n * MINUTE, 20.0 if n == 5 else 1.0, delay=500) for n in range(9)], until=3600)
    assert [e.edge for e in events] == ["open", "close"]


def test_history_raises_nothing_and_does_not_make_silent() -> None:
    made = engine(city(rule("now", "flow > 10"), rule("silent", "nodata() > 3")))
    made.history(message(Reading(n * MINUTE, 99) for n in range(50)))
    assert made.idle((T0 + 500_000) * SECOND_US) == []


def test_unfit_and_repeated_readings_judge_nothing() -> None:
    made = engine(city(rule("now", "flow > 10")))
    bad = [Reading(60, 99, quality=Quality.OUT_OF_RANGE), Reading(120, 99, quality=Quality.REPEATED)]
    assert play(made, bad, until=3600) == []


def test_an_unknown_series_is_counted_and_does_no_harm() -> None:
    made = engine(city(rule("now", "flow > 10")))
    events = made.live([message([Reading(0, 99, series=77), Reading(0, 99, series=1)])])
    events += made.idle((T0 + 100) * SECOND_US)
    assert [e.object_id for e in events] == [101]
    assert made.unknown == 1


SILENT = rule("silent", "nodata() > 3", clear_s=60, why_en="{value:.0f} intervals", why_ru="{value:.0f}")


def test_silence_is_judged_on_the_clock_also_when_nothing_comes() -> None:
    made = engine(city(SILENT))
    assert play(made, minutes([1, 1])) == []
    events = made.idle((T0 + 240) * SECOND_US)
    assert events == []
    events = made.idle((T0 + 1200) * SECOND_US)
    assert brief(events) == [("silent", 101, "again", 550.0), ("silent", 101, "again", 850.0),
                             ("silent", 101, "again", 1150.0), ("silent", 101, "open", 250.0)]  # fmt: skip
    assert events[0].why_en == "3 intervals"
    back = play(made, [Reading(1260 + n * MINUTE, 1) for n in range(4)])
    assert brief(back) == [("silent", 101, "close", 1330.0)]


def test_an_object_never_heard_is_not_silent() -> None:
    made = engine(city(SILENT))
    assert play(made, [Reading(0, 1, series=2)], until=100) == []
    assert {e.object_id for e in made.idle((T0 + 5000) * SECOND_US)} == {102}


def test_after_an_outage_of_the_road_silence_counts_anew() -> None:
    made = engine(city(SILENT))
    play(made, minutes([1, 1]))
    made.forgive_silence((T0 + 9000) * SECOND_US)
    assert made.idle((T0 + 9100) * SECOND_US) == []
    assert [e.edge for e in made.idle((T0 + 9200) * SECOND_US)] == ["open"]


def test_a_silent_parent_holds_its_children() -> None:
    gateway = rule("gateway", "nodata() > 1", **{"class": "gateway", "signal": "nodata", "clear_s": 60})
    child = rule("silent", "nodata() > 3", parent="gateway", clear_s=60)
    made = engine(city(gateway, child, objects=3))
    play(made, [Reading(0, 1, series) for series in range(4)])
    events = made.idle((T0 + 3000) * SECOND_US)
    assert {e.object_id for e in events} == {100}
    back = play(made, [Reading(3000 + 30 * n, 1, series) for n in range(8) for series in range(4)], until=3250)
    assert [(e.object_id, e.edge) for e in back] == [(100, "close")]
    later = [Reading(3250 + 30 * n, 1, series) for n in range(20) for series in (0, 1)]
    assert {e.object_id for e in play(made, later)} == {102, 103}


def test_a_rule_of_kind_log_is_told_too() -> None:
    made = engine(city(rule("now", "flow > 10", kind="log")))
    assert [e.edge for e in play(made, minutes([99]), until=100)] == ["open"]


def test_what_only_silent_gateways_hear_is_held_and_what_another_hears_is_not() -> None:
    """Learned from uplinks: 101 is heard by the silent gateway alone, 102 by another one too."""
    gateway = rule("gateway", "nodata() > 1", **{"class": "gateway", "signal": "nodata", "clear_s": 60})
    made = engine(city(gateway, SILENT, rule("below", "nodata() > 4", parent="gateway"), objects=2))
    play(made, [Reading(0, 1, series) for series in range(3)])
    first = made.idle((T0 + 130) * SECOND_US)
    assert [e.object_id for e in first] == [100]
    made.judge.outages.deaf, made.judge.outages.reached = np.array([101]), np.array([102])
    events = made.idle((T0 + 3000) * SECOND_US)
    opened = sorted((e.rule_id, e.object_id) for e in events if e.edge == "open")
    assert opened == [("below", 102), ("silent", 102)]


def test_a_condition_closes_when_its_rule_goes() -> None:
    made = engine(city(rule("now", "flow > 10")))
    assert len(play(made, minutes([99]), until=100)) == 1
    assert [(e.rule_id, e.edge) for e in made.configure(city())] == [("now", "close")]
    assert made.configure(city()) == []


def feed(seed: int, count: int = 240) -> list[Readings]:
    """Two hours of three inlets and their gateway with jumps, gaps and late readings, as messages."""
    chance = random.Random(seed)
    rows = [
        Reading(n * MINUTE / 2, chance.choice([1, 1, 20, 30]) + n % 3, n % 4, delay=chance.choice([1, 2, 30, 400]))
        for n in range(count)
        if not 60 < n < 110
    ]
    rows.sort(key=lambda r: r.received)
    return [message(rows[n : n + 7]) for n in range(0, len(rows), 7)]


@pytest.mark.parametrize("seed", range(6))
def test_a_restart_at_any_message_gives_the_same_events(seed: int) -> None:
    given = city(
        rule("now", "flow > 10"), HIGH, SILENT, rule("mean", 'window(flow, "10m", "mean") > 11', hold_s=60),
        rule("odd", "score(flow) > 3"),
        rule("gateway", "nodata() > 2", **{"class": "gateway", "signal": "nodata"}),
        rule("child", "nodata() > 5", parent="gateway"),
    )  # fmt: skip
    messages = feed(seed)
    plain = engine(given)
    wanted = [event for one in messages for event in plain.live([one])]
    chance = random.Random(seed)
    kept: dict[str, bytes] = {}
    made, events = engine(given), []
    for one in messages:
        events += made.live([one])
        if chance.random() < 0.3:
            state, chunks = made.dump()
            kept |= chunks
            made = Engine(LocalHours("Europe/Moscow"), Outages())
            events += made.load(state, kept, given)
    assert events == wanted, f"seed {seed}"
    assert {e.rule_id for e in wanted} >= {"now", "high", "silent"}


def test_a_rule_that_went_during_a_stop_closes_at_the_start() -> None:
    made = engine(city(rule("now", "flow > 10")))
    play(made, minutes([99]), until=100)
    state, chunks = made.dump()
    again = Engine(LocalHours("Europe/Moscow"), Outages())
    assert [(e.rule_id, e.edge) for e in again.load(state, chunks, city())] == [("now", "close")]


def test_series_that_left_the_registry_keep_their_place() -> None:
    made = engine(city(HIGH))
    play(made, minutes([20, 20], 1) + minutes([20, 20], 3))
    state, chunks = made.dump()
    again = Engine(LocalHours("Europe/Moscow"), Outages())
    again.load(state, chunks, city(HIGH, objects=1))
    events = play(again, [Reading(120 + n * MINUTE, 20, 1) for n in range(3)], until=600)
    assert brief(events) == [("high", 101, "open", 120.0)]
