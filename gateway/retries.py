"""Which unanswered commands go out again, and when: by radio class, and only to devices that know a command's id."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from citynet.catalog import Profile

ATTEMPTS_MAX = 3
# City seconds without an answer after which a command goes out again; each further wait is twice as long.
# A hears only after it has spoken: its next uplink brings the command, so time alone repeats nothing.
PATIENCE_S: Mapping[str, float | None] = {"": 20.0, "A": None, "B": 150.0, "C": 15.0}


def due(row: Mapping[str, Any], profile: Profile | None, *, now: datetime) -> bool:
    """Whether a command of the query `unanswered` goes out again now."""
    if profile is None or not profile.dedup_commands or row["attempts"] >= ATTEMPTS_MAX:
        return False
    if row["refused"] is not None and row["refused"] >= row["sent"]:
        return True  # the network has given this attempt up
    patience = PATIENCE_S[profile.radio_class]
    wait = None if patience is None else timedelta(seconds=patience * 2 ** (row["attempts"] - 1))
    return wait is not None and now >= row["sent"] + wait
