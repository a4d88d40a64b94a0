"""How demo-check measures the way to the screen: overtaken values count, equal values do not mislead."""

from simulators.proof.screen import _spans_ms

MS = 1_000_000


def test_a_value_that_was_overtaken_counts_until_the_newer_one() -> None:
    published = [(0, 1.0), (100 * MS, 2.0)]
    assert _spans_ms(published, [(2.0, 150 * MS)]) == [150.0, 50.0]


def test_an_equal_value_much_later_is_not_taken_for_the_first() -> None:
    published = [(0, 1.0), (100 * MS, 2.0), (5_000 * MS, 1.0)]
    assert _spans_ms(published, [(1.0, 20 * MS), (2.0, 130 * MS), (1.0, 5_010 * MS)]) == [20.0, 30.0, 10.0]


def test_the_same_value_again_needs_no_push() -> None:
    published = [(0, 1.0), (1_000 * MS, 1.0), (9_000 * MS, 2.0)]
    assert _spans_ms(published, [(1.0, 10 * MS), (2.0, 9_020 * MS)]) == [10.0, 20.0]


def test_a_push_repeated_by_a_snapshot_adds_nothing() -> None:
    assert _spans_ms([(0, 1.0)], [(1.0, 5 * MS), (1.0, 900 * MS)]) == [5.0]
