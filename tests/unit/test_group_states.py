"""What a group does next: waits, goes on, stops at too many failures, ends."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from situation_center.group_states import Progress, next_step, progress

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def group(**more: Any) -> dict[str, Any]:
    return {"state": "running", "wave": 1, "waves": 3, "stop_share": 0.2, "next_at": NOON} | more


@pytest.mark.parametrize(
    ("about", "seen", "step"),
    [
        ({"wave": 0}, Progress(0, 0, 0), "release"),
        ({}, Progress(10, 0, 9), "wait"),
        ({}, Progress(10, 2, 10), "release"),
        ({"next_at": NOON + timedelta(seconds=1)}, Progress(10, 2, 10), "wait"),
        ({}, Progress(10, 3, 3), "stop"),  # at once, not when the wave has ended
        ({"stop_share": 0.0}, Progress(10, 1, 1), "stop"),
        ({"stop_share": 1.0}, Progress(10, 10, 10), "release"),
        ({"wave": 3}, Progress(30, 6, 30), "finish"),
        ({"wave": 3}, Progress(30, 6, 29), "wait"),
        ({"state": "requested", "wave": 0}, Progress(0, 0, 0, waiting=30), "wait"),
        ({"state": "requested", "wave": 0}, Progress(0, 0, 0), "stop"),
    ],
)
def test_next_step(about: dict[str, Any], seen: Progress, step: str) -> None:
    assert next_step(group(**about), seen, NOON) == step


def test_progress_counts_released_waves_only() -> None:
    rows = [
        {"wave": 1, "state": "confirmed", "count": 7},
        {"wave": 1, "state": "unknown", "count": 2},
        {"wave": 1, "state": "sent", "count": 1},
        {"wave": 2, "state": "approved", "count": 10},
    ]
    seen = progress(rows, 1)
    assert (seen.released, seen.failed, seen.settled, seen.waiting) == (10, 2, 9, 13)
    assert seen.failed_share == 0.2
