"""Lanes of a part end together, also one that loses a cancellation."""

import asyncio

import pytest

from citynet import part
from citynet.errors import Unavailable


async def test_the_first_failure_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "CANCEL_AGAIN_S", 0.01)
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1
                if lost == 3:
                    raise

    async def fails() -> None:
        raise Unavailable("the database does not answer")

    with pytest.raises(Unavailable, match="does not answer"):
        await part.together([deaf(), fails()])
    assert lost == 3
    assert len(asyncio.all_tasks()) == 1
