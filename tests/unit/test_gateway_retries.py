"""What a radio gateway may send, and which commands go out twice."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from citynet.catalog import Profile
from gateway import retries
from gateway.airtime import HOUR, Budget, Burst, Region, airtime_s, burst, regions, written

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("payload", "sf", "seconds"),
    # By hand from Semtech AN1200.13 for 125 kHz, 4/5, 8 preamble symbols, no CRC.
    [(0, 7, 0.041216), (20, 7, 0.071936), (20, 10, 0.452608), (20, 12, 1.810432), (51, 12, 2.793472)],
)
def test_time_on_air(payload: int, sf: int, seconds: float) -> None:
    assert airtime_s(payload, sf) == pytest.approx(seconds)


EU, RU = regions()["EU868"], regions()["RU864"]


@pytest.mark.parametrize(
    ("region", "mhz", "duty"),
    [
        (EU, 864.9, 0.001), (EU, 865.0, 0.01), (EU, 867.1, 0.01), (EU, 868.1, 0.01), (EU, 868.9, 0.001),
        (EU, 869.525, 0.1), (EU, 869.8, 0.01), (EU, 868.65, 0.001), (EU, 433.1, 0.001),
        (RU, 864.1, 0.001), (RU, 866.1, 0.01), (RU, 868.9, 0.1), (RU, 869.1, 0.1), (RU, 865.5, 0.001),
    ],
)  # fmt: skip
def test_sub_bands(region: Region, mhz: float, duty: float) -> None:
    assert region.band(round(mhz * 1e6)).duty == duty


def in_air(seconds: float, mhz: float = 868.1, sender: str = "gw-1") -> Burst:
    return Burst(sender, EU.band(round(mhz * 1e6)), seconds)


def test_an_hour_of_a_gateway_stays_within_its_share() -> None:
    budget = Budget(60)
    for second in range(2):
        assert budget.due(in_air(18.0), NOON + second * SECOND) == NOON + second * SECOND
        budget.spend(in_air(18.0), NOON + second * SECOND)
    assert budget.due(in_air(0.1), NOON + 2 * SECOND) == NOON + HOUR
    assert budget.due(in_air(20.0), NOON + 2 * SECOND) == NOON + HOUR + SECOND
    assert budget.due(in_air(0.1, 869.525), NOON + 2 * SECOND) == NOON + 2 * SECOND  # the second window is elsewhere
    assert budget.due(in_air(0.1, sender="gw-2"), NOON + 2 * SECOND) == NOON + 2 * SECOND
    assert budget.due(in_air(0.1), NOON + HOUR) == NOON + HOUR


def test_no_hour_of_a_long_queue_is_above_its_share() -> None:
    budget, now, sent = Budget(600), NOON, []
    while (now := budget.due(in_air(2.5, 864.1), now)) < NOON + 5 * HOUR:
        budget.spend(in_air(2.5, 864.1), now)
        sent.append(now)
    assert len(sent) == 5
    assert all(later - one >= HOUR for one, later in itertools.pairwise(sent))


def test_the_most_a_minute() -> None:
    budget, wanted = Budget(3), Burst("gw")
    for second in range(3):
        budget.spend(wanted, NOON + second * SECOND)
    assert budget.due(wanted, NOON + 3 * SECOND) == NOON + 60 * SECOND
    assert budget.due(wanted, NOON + 61 * SECOND) == NOON + 61 * SECOND


@pytest.mark.parametrize(
    ("radio", "hz", "sf", "band", "on_air"),
    [
        ("A", 867_100_000, 7, 867.1, 0.041216), ("A", 0, 0, 868.1, airtime_s(0, 12)),
        ("C", 867_100_000, 7, 869.525, airtime_s(0, 12)), ("B", 867_100_000, 7, 869.525, airtime_s(0, 12)),
    ],
)  # fmt: skip
def test_which_window_of_which_class(radio: str, hz: int, sf: int, band: float, on_air: float) -> None:
    found = burst("gw: 1", profile(radio), radio_bytes=0, heard_hz=hz, heard_sf=sf)
    assert found.band == EU.band(round(band * 1e6))
    assert found.on_air_s == pytest.approx(on_air)
    again = written(str(found))
    assert again
    assert found.band
    assert again.band
    assert (again.sender, again.band.from_hz, again.band.to_hz) == ("gw: 1", found.band.from_hz, found.band.to_hz)
    assert again.on_air_s == pytest.approx(on_air, abs=0.001)


def test_who_is_always_connected_needs_no_airtime() -> None:
    found = burst("cabinet", profile(""), radio_bytes=0, heard_hz=0, heard_sf=0)
    assert (found.band, found.on_air_s, str(found), written("")) == (None, 0.0, "", None)


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
