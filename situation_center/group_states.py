"""What a group of commands does next, from how far its commands are. Pure; groups.py carries it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from situation_center.command_states import FINAL

# A command of which nothing was heard by its deadline counts against its group like one that failed.
FAILED = frozenset({"rejected", "failed", "expired", "unknown", "unknown_final"})
SETTLED = FINAL | {"unknown"}
Step = Literal["wait", "release", "stop", "finish"]


@dataclass(frozen=True)
class Progress:
    """Counts over the released waves of a group."""

    released: int
    failed: int
    settled: int
    waiting: int = 0  # of all waves, not ended

    @property
    def failed_share(self) -> float:
        """Share of the released commands that failed, 0 when none is released."""
        return self.failed / self.released if self.released else 0.0


def progress(rows: Sequence[Mapping[str, Any]], wave: int) -> Progress:
    """Progress from rows (wave, state, count) over waves up to wave."""
    released = [(row["state"], row["count"]) for row in rows if row["wave"] <= wave]
    return Progress(
        sum(count for _, count in released),
        sum(count for state, count in released if state in FAILED),
        sum(count for state, count in released if state in SETTLED),
        sum(row["count"] for row in rows if row["state"] not in FINAL),
    )


def next_step(group: Mapping[str, Any], seen: Progress, now: datetime) -> Step:
    """Stop as soon as too many have failed; else the next wave when this one is settled and the pause is over."""
    if group["state"] == "requested":
        return "wait" if seen.waiting else "stop"  # nobody signed in time
    if seen.failed and seen.failed_share > group["stop_share"]:
        return "stop"
    if seen.settled < seen.released:
        return "wait"
    if group["wave"] >= group["waves"]:
        return "finish"
    return "release" if now >= group["next_at"] else "wait"
