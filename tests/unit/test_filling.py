"""Gaps are filled with marks, and never where they are too long."""

import numpy as np
import pytest

from situation_center.query.filling import Fill, fill, usual_step


def filled(how: Fill, longest: int = 40, most: int = 100) -> tuple[list[int], list[float], list[bool]]:
    at = np.array([0, 10, 20, 50, 60, 160, 170], np.int64)
    value = np.array([0.0, 1.0, 2.0, 5.0, 6.0, 16.0, 17.0])
    found, values, made = fill(at, value, step=10, how=how, longest=longest, most=most)
    return found.tolist(), values.tolist(), made.tolist()


def test_a_gap_is_filled_with_marks_up_to_its_limit() -> None:
    at, value, made = filled("linear")
    assert at == [0, 10, 20, 30, 40, 50, 60, 160, 170]
    assert value == pytest.approx([0, 1, 2, 3, 4, 5, 6, 16, 17])
    assert [t for t, m in zip(at, made, strict=True) if m] == [30, 40]
    assert filled("last")[1] == [0, 1, 2, 2, 2, 5, 6, 16, 17]
    assert filled("none")[0] == [0, 10, 20, 50, 60, 160, 170]
    at, value, made = filled("linear", longest=100)
    assert value == pytest.approx([t / 10 for t in at])
    assert (len(at), sum(made)) == (18, 11)
    assert sum(filled("linear", longest=29)[2]) == 0
    assert sum(filled("linear", longest=100, most=5)[2]) == 2


def test_the_usual_step_is_that_of_most() -> None:
    assert usual_step(np.array([0, 10, 21, 30, 500], np.int64)) == 10
    assert usual_step(np.array([0, 10], np.int64)) == 0
    empty = np.array([], np.int64)
    assert len(fill(empty, np.array([]), step=10, how="linear", longest=100, most=5)[0]) == 0
