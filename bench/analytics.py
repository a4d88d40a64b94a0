"""Analytics: vectorised exponentially weighted z over river's own classes, the whole engine, state and checkpoint."""

import time
from collections.abc import Callable

import numpy as np
from river import stats

from analytics.city import City, Measured, Site, compile_rules
from analytics.columns import SECOND_US, Floats, Ints
from analytics.engine import Engine, Readings
from analytics.ew import EwMoments
from analytics.hours import LocalHours
from bench.frame import BENCHMARKS, Report, in_turn, medians, spread
from citynet.catalog import catalog

SERIES, FADING = 10_000, 0.01
START_US = 1_767_225_600 * SECOND_US


def values(rounds: int) -> Floats:
    """One value of each series a round: levels that differ, noise of 5 %."""
    level = np.linspace(10, 1_000, SERIES)
    return np.asarray(level * (1 + 0.05 * np.random.default_rng(1).normal(size=(rounds, SERIES))))


def river_z(feed: list[list[float]]) -> list[list[float]]:
    """The last scores of river.stats.EWMean and EWVar, one pair a series, score before learning."""
    pairs = [(stats.EWMean(FADING), stats.EWVar(FADING)) for _ in range(SERIES)]
    scores: list[list[float]] = []
    for number, row in enumerate(feed):
        found = []
        for (mean, var), value in zip(pairs, row, strict=True):
            if number:
                square = var.get()
                found.append((value - mean.get()) / square**0.5 if square > 0 else 0.0)
            mean.update(value)
            var.update(value)
        scores.append(found)
    return scores


def our_z(feed: Floats) -> list[Floats]:
    """The same over columns."""
    moments, rows = EwMoments(), np.arange(SERIES)
    moments.resize(SERIES)
    scores = []
    for row in feed:
        scores.append(moments.z(rows, row))
        moments.update(rows, row, FADING)
    return scores


def city() -> City:
    """10,000 district inlets with the shipped rules."""
    words = catalog()
    rules, _ = compile_rules({name: (1, rule) for name, rule in words.rules.items()}, words.profiles, words.quantities)
    sites = {n: Site(n, "district_inlet", 60.0, 60 * SECOND_US) for n in range(SERIES)}
    return City({n: Measured(n, n, "water_flow", True) for n in range(SERIES)}, sites, rules)


def batch(number: int, row: Floats, ids: Ints) -> Readings:
    """One reading of each series, a minute after the batch before."""
    moment = np.full(SERIES, START_US + number * 60 * SECOND_US)
    return Readings(ids, moment, moment + SECOND_US, row, np.zeros(SERIES, np.int64))


def engine_run(feed: Floats) -> tuple[Engine, float]:
    """The whole engine over the feed, and readings a CPU second after the first batch."""
    engine, ids = Engine(LocalHours("Europe/Moscow")), np.arange(SERIES)
    engine.configure(city())
    engine.live([batch(0, feed[0], ids)])
    began = time.process_time()
    for number, row in enumerate(feed[1:], 1):
        engine.live([batch(number, row, ids)])
    return engine, (len(feed) - 1) * SERIES / (time.process_time() - began)


def rate(work: Callable[[], object], readings: int) -> float:
    """Readings a CPU second of one run."""
    began = time.process_time()
    work()
    return readings / (time.process_time() - began)


def checkpoint_s(engine: Engine, feed: Floats) -> float:
    """CPU seconds to make an incremental checkpoint after one more batch."""
    engine.dump()
    engine.live([batch(len(feed), feed[0], np.arange(SERIES))])
    began = time.process_time()
    engine.dump()
    return time.process_time() - began


@BENCHMARKS.register("analytics")
def analytics(quick: bool) -> Report:
    """Exponentially weighted z over 10,000 interleaved series; the engine with rules, ew_z and silence."""
    feed = values(6 if quick else 20)
    lists = feed.tolist()
    competitors = {
        "ewz_readings_s": lambda: rate(lambda: our_z(feed), feed.size),
        "river_readings_s": lambda: rate(lambda: river_z(lists), feed.size),
        "engine_readings_s": lambda: engine_run(feed)[1],
    }
    found = in_turn(competitors, rounds=3 if quick else 5)
    figures = medians(found)
    engine, _ = engine_run(feed)
    figures["state_bytes_series"] = (engine.scorer.nbytes + engine.silence.nbytes) / SERIES
    figures["checkpoint_s"] = checkpoint_s(engine, feed)
    return Report(
        ratios={"ewz_over_river": figures["ewz_readings_s"] / figures["river_readings_s"]},
        figures=figures,
        conditions={
            "series": SERIES,
            "rows_a_batch": SERIES,
            "maths": "score, then learn: exponentially weighted mean and variance in float64, fading factor 0.01",
            "river": "river.stats.EWMean and EWVar, one pair a series, called in the order of arrival",
            "engine": "watermark, ew_z by hour of week, silence, shipped rules of a district inlet; one core, no I/O",
            "clock": "CPU seconds of the process; everything runs in one thread",
            "spread_engine": round(spread(found["engine_readings_s"]), 3),
        },
    )
