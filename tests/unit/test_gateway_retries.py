"""What a radio gateway may send, and which commands go out twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from citynet.catalog import Profile
from gateway import retries
from gateway.airtime import Budget, airtime_s, duty_cycles

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("payload", "sf", "seconds"),
    # By hand from Semtech AN1200.13 for 125 kHz, 4/5, 8 preamble symbols, no CRC.
    [(0, 7, 0.041216), (20, 7, 0.071936), (20, 10, 0.452608), (20, 12, 1.810432), (51, 12, 2.793472)],
)
def test_time_on_air(payload: int, sf: int, seconds: float) -> None:
    assert airtime_s(payload, sf) == pytest.approx(seconds)


def test_the_duty_cycle_keeps_a_gateway_silent() -> None:
    budget, duty = Budget(60), duty_cycles()["EU868"]
    assert budget.due("gw-1", NOON) == NOON
    budget.spend("gw-1", NOON, on_air_s=0.5, duty=duty)
    assert budget.due("gw-1", NOON + SECOND) == NOON + 50 * SECOND
    assert budget.due("gw-2", NOON + SECOND) == NOON + SECOND
    assert budget.due("gw-1", NOON + 50 * SECOND) == NOON + 50 * SECOND


def test_an_hour_of_a_gateway_stays_within_its_share() -> None:
    budget, now, on_air = Budget(60), NOON, 0.0
    while (now := budget.due("gw", now)) < NOON + 3600 * SECOND:
        budget.spend("gw", now, on_air_s=0.072, duty=0.01)
        on_air += 0.072
    assert 30 < on_air <= 36.0


def test_the_most_a_minute() -> None:
    budget = Budget(3)
    for second in range(3):
        budget.spend("gw", NOON + second * SECOND, on_air_s=0.0, duty=1.0)
    assert budget.due("gw", NOON + 3 * SECOND) == NOON + 60 * SECOND
    assert budget.due("gw", NOON + 61 * SECOND) == NOON + 61 * SECOND


def profile(radio_class: str, *, dedup: bool = True) -> Profile:
    body = {"name": "p", "class": "lamp", "map": {}, "radio_class": radio_class, "dedup_commands": dedup}
    return Profile.model_validate(body)


def row(attempts: int = 1, *, refused_s: float | None = None) -> dict[str, Any]:
    refused = None if refused_s is None else NOON + timedelta(seconds=refused_s)
    return {"attempts": attempts, "sent": NOON, "refused": refused}


@pytest.mark.parametrize(
    ("radio", "attempts", "at_s", "again"),
    [
        ("", 1, 19, False), ("", 1, 20, True), ("", 2, 39, False), ("", 2, 40, True), ("", 3, 9999, False),
        ("C", 1, 14, False), ("C", 1, 15, True), ("B", 1, 149, False), ("B", 1, 150, True), ("A", 1, 9999, False),
    ],
)  # fmt: skip
def test_patience_by_class(radio: str, attempts: int, at_s: float, again: bool) -> None:
    assert retries.due(row(attempts), profile(radio), now=NOON + at_s * SECOND) is again


@pytest.mark.parametrize("radio", ["", "A", "B", "C"])
def test_a_refused_attempt_is_repeated_at_once_but_only_to_who_knows_its_commands(radio: str) -> None:
    assert retries.due(row(refused_s=3), profile(radio), now=NOON + 4 * SECOND)
    assert not retries.due(row(refused_s=3), profile(radio, dedup=False), now=NOON + 4 * SECOND)
    assert not retries.due(row(refused_s=-3), profile("A"), now=NOON + 4 * SECOND)
    assert not retries.due(row(refused_s=3), None, now=NOON + 4 * SECOND)
