"""Answers that cost: nobody but the first waits, and one that grew old is not told as if it were true."""

import asyncio

import pytest

from citynet.errors import Unavailable
from situation_center import gathered
from situation_center.gathered import Gathered
from tests.support.readings import eventually


async def test_only_the_first_waits_and_an_old_answer_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathered, "EACH_S", 0.001)
    asked, may = 0, asyncio.Event()
    away = False
    may.set()

    async def ask() -> int:
        nonlocal asked
        await may.wait()
        if away:
            raise Unavailable("away")
        asked += 1
        return asked

    async def asked_twice() -> bool:
        return asked >= 2

    kept = Gathered(ask)
    try:
        assert set(await asyncio.gather(kept.last(), kept.last())) == {1}
        await eventually(asked_twice)
        may.clear()  # an answer that takes for ever
        before = asked
        assert before <= await kept.last() <= before + 1
        away = True
        may.set()
        assert await kept.last() == asked
        monkeypatch.setattr(gathered, "STALE_S", -1.0)
        with pytest.raises(Unavailable):
            await kept.last()
    finally:
        await kept.close()
