"""Whatever order receipts come in, a command never looks better than what was observed of it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import get_args

from hypothesis import assume, given
from hypothesis import strategies as st

from citynet.model import ReceiptKind
from situation_center.command_states import FINAL, LEFT, REACHED, at, fold

KINDS = st.sampled_from(get_args(ReceiptKind))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
OPEN = st.sampled_from(["queued", "sent", "acknowledged", "unknown"])


def model(kinds: Sequence[str]) -> set[str]:
    """What may be shown: a plain list of what each word needs as proof."""
    seen = set(kinds)
    may = {"queued"} if not seen & (LEFT - {"queued"}) else set()
    may |= {"sent"} if seen & {"sent", "radiated"} else set()
    may |= {word for word in ("acknowledged", "rejected", "failed", "expired") if word in seen}
    may |= {"confirmed"} if "readback" in seen and seen & LEFT else set()
    may |= {"unknown"} if seen & {"unknown", "expired"} else set()
    may |= {"cancelled"} if "withdrawn" in seen else set()
    return may


@given(st.lists(KINDS, max_size=8))
def test_no_state_without_its_proof(kinds: list[str]) -> None:
    assert fold("queued", kinds) in model(kinds)


@given(OPEN, st.lists(KINDS, max_size=8))
def test_the_same_receipts_again_change_nothing(state: str, kinds: list[str]) -> None:
    once = fold(state, kinds)
    assert fold(once, kinds) == once


@given(st.lists(KINDS, max_size=8), st.integers(0, 8))
def test_a_restart_between_receipts_changes_nothing(kinds: list[str], cut: int) -> None:
    # "expired" is looked at only when all is stored that may prove the opposite: situation_center/receipts.py.
    assume("expired" not in kinds[:cut] or not set(kinds[cut:]) & REACHED)
    assert fold(fold("queued", kinds[:cut]), kinds) == fold("queued", kinds)


@given(st.permutations(["sent", "radiated", "expired"]))
def test_what_was_radiated_has_not_expired(kinds: list[str]) -> None:
    assert fold("queued", kinds) in {"unknown", "sent"}


@given(st.sampled_from(sorted(FINAL)), st.lists(KINDS, max_size=8), st.integers(0, 200_000))
def test_an_end_is_an_end(state: str, kinds: list[str], seconds: int) -> None:
    assert fold(state, kinds) == state
    assert at(state, now=NOON + timedelta(seconds=seconds), deadline=NOON, left=True) == state


@given(st.permutations(["intent", "sent", "acknowledged", "readback"]))
def test_readback_confirms_in_any_order(kinds: list[str]) -> None:
    assert fold("queued", kinds) == "confirmed"
    assert fold("unknown", kinds) == "confirmed"


def test_an_answer_outlives_a_silence() -> None:
    assert fold("queued", ["sent", "unknown", "acknowledged"]) == "acknowledged"
    assert fold("queued", ["sent", "acknowledged", "sent", "unknown"]) == "acknowledged"
    assert fold("queued", ["sent", "unknown"]) == "unknown"
    assert fold("unknown", ["sent", "unknown", "sent"]) == "sent"


def test_readback_of_what_never_left_confirms_nothing() -> None:
    assert fold("queued", ["readback"]) == "queued"


def test_time() -> None:
    def later(state: str, seconds: float, *, left: bool = True) -> str:
        return at(state, now=NOON + timedelta(seconds=seconds), deadline=NOON, left=left)

    assert [later(s, 1) for s in ("queued", "sent", "acknowledged")] == ["unknown"] * 3
    assert [later(s, 1, left=False) for s in ("requested", "queued")] == ["expired"] * 2
    assert [later(s, -1) for s in ("requested", "queued", "sent", "unknown")] == [
        "requested",
        "queued",
        "sent",
        "unknown",
    ]
    assert later("unknown", 86_400) == "unknown"
    assert later("unknown", 86_401) == "unknown_final"
    assert fold("unknown", ["sent", "expired"]) == "expired"
    assert fold("queued", ["sent", "acknowledged", "expired"]) == "unknown"
