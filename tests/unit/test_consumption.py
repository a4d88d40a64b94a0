"""What registers say about consumption: exact over any periods, honest about what was not read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citynet.model import Used
from ingest.consumption import Register, Swap, flows, over

H = 3_600_000_000


def used(register: Register, readings: dict[float, float], edges: list[float]) -> list[tuple[float, Used]]:
    """Consumption between edges; times in hours."""
    time = np.array([round(hour * H) for hour in readings], np.int64)
    found, marks = over(register, time, np.array(list(readings.values()), float), edges=np.array(edges) * H)
    return [(float(value), Used(mark)) for value, mark in zip(found, marks, strict=True)]


def test_readings_on_the_hour_are_consumption_as_read() -> None:
    found = used(Register(), {0: 100.0, 1: 101.5, 2: 101.5, 3: 110.0}, [0, 1, 2, 3])
    assert found == [(1.5, Used.READ), (0.0, Used.READ), (8.5, Used.READ)]


def test_a_gap_is_spread_evenly_and_said_to_be_estimated() -> None:
    found = used(Register(), {0: 100.0, 4: 108.0, 5: 109.0}, [0, 1, 2, 3, 4, 5])
    assert found == [(2.0, Used.ESTIMATED)] * 4 + [(1.0, Used.READ)]
    assert used(Register(), {0: 100.0, 4: 108.0, 5: 109.0}, [0, 5]) == [(9.0, Used.READ)]


def test_a_period_that_is_not_over_counts_what_was_read() -> None:
    assert used(Register(), {0.25: 10.0, 0.75: 11.0}, [0, 1]) == [(1.0, Used.PARTIAL)]
    [before, within, after] = used(Register(), {1: 10.0, 2: 11.0}, [0, 1, 2, 3])
    assert np.isnan([before[0], after[0]]).all()
    assert within == (1.0, Used.READ)


@pytest.mark.parametrize(
    ("before", "after", "wraps", "change", "mark"),
    [
        (99_990.0, 5.0, 100_000.0, 15.0, Used.ROLLOVER),
        (50_000.0, 5.0, 100_000.0, 0.0, Used.RESET),
        (99_990.0, 5.0, None, 0.0, Used.RESET),
        (500.0, 499.5, None, -0.5, Used.REVERSE),
        (99_990.0, 60_000.0, 100_000.0, -39_990.0, Used.REVERSE),
    ],
)
def test_a_register_that_falls(before: float, after: float, wraps: float | None, *, change: float, mark: Used) -> None:
    found = used(Register(wraps=wraps), {0: before - 1, 1: before, 2: after, 3: after + 2}, [0, 1, 2, 3])
    assert [value for value, _ in found] == pytest.approx([1.0, change, 2.0])
    assert [marks for _, marks in found] == [Used.READ, mark, Used.READ]


def test_an_exchanged_meter_counts_what_both_registers_say() -> None:
    swap = Swap(at=round(1.5 * H), final=104.0, initial=7.0)
    found = used(Register(swaps=[swap]), {0: 100.0, 1: 103.0, 2: 9.0, 3: 10.0}, [0, 1, 2, 3])
    assert found == [(3.0, Used.READ), (3.0, Used.SWAP), (1.0, Used.READ)]


def test_an_exchange_to_a_meter_with_a_higher_register_is_no_consumption() -> None:
    swap = Swap(at=round(1.5 * H), final=103.0, initial=5_000.0)
    assert used(Register(swaps=[swap]), {1: 103.0, 2: 5_001.0}, [1, 2]) == [(1.0, Used.SWAP)]


def test_a_transformer_ratio_counts_from_its_day_on() -> None:
    register = Register(factors=[(2 * H, 40.0)], swaps=[Swap(at=2 * H, final=102.0, initial=0.0)])
    found = used(register, {0: 100.0, 1: 101.0, 3: 1.0, 4: 2.0}, [0, 1, 3, 4])
    assert found == [(1.0, Used.READ), (1.0 + 40.0, Used.SWAP), (40.0, Used.READ)]


@given(
    st.lists(st.tuples(st.integers(1, 5_000), st.integers(0, 300)), min_size=2, max_size=40),
    st.lists(st.integers(0, 60_000), min_size=2, max_size=20, unique=True),
    st.sampled_from([None, 1_000.0]),
)
def test_periods_add_up_to_the_whole(steps: list[tuple[int, int]], edges: list[int], wraps: float | None) -> None:
    time = np.cumsum([minutes for minutes, _ in steps]).astype(np.int64)
    total = np.cumsum([amount for _, amount in steps]).astype(float)
    value = total % wraps if wraps else total
    register, bounds = Register(wraps=wraps), np.array(sorted(edges), np.int64)
    found, _ = over(register, time, value, edges=bounds)
    whole, _ = over(register, time, value, edges=bounds[[0, -1]])
    assert np.nansum(found) == pytest.approx(np.nansum(whole), abs=1e-9 * max(1.0, total[-1]))


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=50))
def test_a_register_that_only_counts_up_is_taken_as_it_is(amounts: list[int]) -> None:
    value = np.cumsum(amounts) / 8
    smooth, marks = flows(Register(), np.arange(len(value), dtype=np.int64), value)
    assert smooth.tolist() == value.tolist()
    assert not marks.any()


def test_one_reading_says_nothing() -> None:
    [(value, mark)] = used(Register(), {0.5: 100.0}, [0, 1])
    assert np.isnan(value)
    assert mark == Used.READ
