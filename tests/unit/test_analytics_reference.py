"""The detector against references: river's own classes, textbook profile in plain Python, real recordings."""

import csv
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from river import stats
from river.datasets import WaterFlow

from analytics.columns import NEVER, SECOND_US, Floats
from analytics.detectors.ew_z import EwZ
from analytics.ew import EwMoments
from analytics.hours import LocalHours

Recording = list[tuple[datetime, float]]
DATA = Path(os.environ.get("CITYNET_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


@pytest.mark.parametrize("fading", [0.5, 0.01])
def test_moments_are_those_of_river(fading: float) -> None:
    feed = np.random.default_rng(3).normal([1.0, -20.0, 300.0], [0.5, 3.0, 40.0], (2_000, 3))
    moments, rows = EwMoments(), np.arange(3)
    moments.resize(3)
    theirs = [(stats.EWMean(fading), stats.EWVar(fading)) for _ in range(3)]
    for row in feed:
        moments.update(rows, row, fading)
        for (mean, var), value in zip(theirs, row.tolist(), strict=True):
            mean.update(value)
            var.update(value)
    np.testing.assert_allclose(moments.mean, [mean.get() for mean, _ in theirs], rtol=1e-9)
    np.testing.assert_allclose(moments.var, [var.get() for _, var in theirs], rtol=1e-9)


def test_a_level_is_the_textbook_recursion() -> None:
    """Twenty Mondays at noon: a running mean that becomes exponential after six visits, within float32."""
    detector = EwZ(LocalHours("UTC"))
    detector.resize(np.array([3_600.0]))
    monday = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()
    feed = np.random.default_rng(1).normal(50, 1, 20)
    mean = feed[0]
    for n, value in enumerate(feed):
        moment = np.array([round((monday + n * 7 * 86_400) * SECOND_US)])
        detector.learn(np.array([0]), moment, np.array([value]))
        if 0 < n < 3:  # nothing is clipped before the third visit
            mean += (value - mean) / (n + 1)
            assert detector.mean[12, 0] == pytest.approx(mean, rel=1e-5)
    assert detector.visits[12, 0] == 6
    assert detector.mean[12, 0] == pytest.approx(50, abs=1.5)
    assert detector.seen[0] != NEVER


def scores(recording: Recording, zone: str) -> Floats:
    detector, row = EwZ(LocalHours(zone)), np.array([0])
    detector.resize(np.array([3_600.0]))
    found = []
    for moment, value in recording:
        at = np.array([round(moment.timestamp() * SECOND_US)])
        found.append(float(detector.score(row, at, np.array([value])).score[0]))
        detector.learn(row, at, np.array([value]))
    return np.array(found)


def packaged() -> Recording:
    """The water flow that river carries; its times have an offset."""
    return [(x["Time"], y) for x, y in WaterFlow()]  # type: ignore[no-untyped-call]


def shared() -> Recording:
    """The same branch from the folder of test data."""
    path = DATA / "series" / "water_flow_hourly.csv"
    if not path.exists():
        pytest.skip(f"no recordings: put them at {DATA} or name the folder in CITYNET_TEST_DATA")
    with path.open() as file:
        rows = list(csv.reader(file))[1:]
    return [(datetime.fromisoformat(time), float(value)) for time, value in rows]


@pytest.mark.parametrize("source", [packaged, shared], ids=["river", "shared"])
def test_real_water_flow_is_quiet_but_for_its_disturbances(source: Callable[[], Recording]) -> None:
    """Three outages of some hours stand in the recording; a week has passed before the second."""
    recording = source()
    found = scores(recording, "Europe/Zurich")
    days = {moment.date().isoformat() for (moment, _), score in zip(recording, found, strict=True) if abs(score) > 6}
    assert days == {"2022-03-24", "2022-03-25", "2022-03-29", "2022-04-27", "2022-04-28"}
    assert np.isfinite(found).sum() > 1_200


def test_a_leak_of_a_fifth_is_seen_in_real_flow() -> None:
    recording = packaged()
    leak = [(moment, value * (1.2 if 1_100 <= n < 1_124 else 1.0)) for n, (moment, value) in enumerate(recording)]
    plain, leaking = scores(recording, "Europe/Zurich"), scores(leak, "Europe/Zurich")
    assert (plain[1_100:1_124] < 4).all()
    assert (leaking[1_100:1_124] > 4).mean() > 0.9


def test_hours_follow_the_wall_clock_across_dst() -> None:
    hours = LocalHours("Europe/Berlin")
    moments = [
        datetime(2026, 3, 28, 9, tzinfo=UTC),
        datetime(2026, 3, 29, 9, tzinfo=UTC),
    ]  # Saturday, Sunday: DST begins
    us = np.array([round(moment.timestamp() * SECOND_US) for moment in moments])
    assert hours.of(us).tolist() == [5 * 24 + 10, 6 * 24 + 11]
    assert hours.of(np.repeat(us, 3)).tolist() == [130, 130, 130, 155, 155, 155]
    assert hours.of(us[:0]).tolist() == []
