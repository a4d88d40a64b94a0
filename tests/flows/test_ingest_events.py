"""Events fold into conditions in one transaction: at once, again, out of order; receipts and notices once."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import permutations

import msgspec
import pytest

from citynet import db
from citynet.model import Edge, Event, LiveChanged, Quarantined, Receipt, event_id
from citynet.settings import Settings
from ingest import events, receipts
from ingest.messages import MessageWriter
from ingest.quarantine import QuarantineWriter
from tests.support.readings import NOON, store

LIMIT = 1000


@pytest.fixture
async def database(city: Settings) -> AsyncIterator[db.Database]:
    opened = await db.Database(db.dsn(city, "ingest"), size=16).open()
    yield opened
    await opened.close()


def event_writer() -> MessageWriter[Event]:
    return MessageWriter("EVENTS", Event, events.store, "events_stored", "live.condition", LIMIT)


def edge(
    kind: Edge, minute: float, *, value: float | None = None, n: int = 0, low: float | None = None, why: str = "why"
) -> bytes:
    """An event of one leak."""
    time = NOON + timedelta(minutes=minute)
    key = event_id("water.leak", 1, 7, signal="leak", opened=time, edge=kind, n=n)
    event = Event(
        event_id=key, rule_id="water.leak", rule_version=1, object_id=7, signal="leak", edge=kind, severity="high",
        time=time, why_ru=why, why_en=why, value=value, low=low,
    )  # fmt: skip
    return msgspec.json.encode(event)


async def conditions(database: db.Database) -> list[tuple[str, int, float, float | None]]:
    """(state, count, opened in minutes, returned in minutes) in order of opening."""
    found = await database.rows("SELECT state, count, opened, returned FROM condition ORDER BY opened")

    def minutes(time: datetime | None) -> float | None:
        return (time - NOON).total_seconds() / 60 if time else None

    return [(row["state"], row["count"], minutes(row["opened"]) or 0.0, minutes(row["returned"])) for row in found]


async def test_open_again_and_close_are_one_condition(database: db.Database) -> None:
    write = event_writer()
    first = await store(database, write, edge("open", 1, value=5.0), edge("again", 2, value=9.0, why="more"))
    await store(database, write, edge("again", 3, value=7.0))
    assert await conditions(database) == [("active", 3, 1, None)]
    row = await database.row("SELECT condition_id, value, peak, first_seen, last_seen FROM condition")
    assert row
    assert (row["value"], row["peak"], row["last_seen"] - row["first_seen"]) == (7.0, 9.0, timedelta(minutes=2))
    assert first.counters["events_stored"] == 2
    assert msgspec.json.decode(dict(first.pushes)["live.condition"], type=LiveChanged).ids == [str(row["condition_id"])]
    await store(database, write, edge("close", 4), edge("open", 6))
    assert await conditions(database) == [("returned", 3, 1, 4), ("active", 1, 6, None)]


async def test_the_peak_of_a_low_value_is_the_lowest(database: db.Database) -> None:
    await store(database, event_writer(), *(edge("again", n, value=v, low=3.0) for n, v in enumerate((2.0, 1.0, 2.5))))
    assert await database.row("SELECT value, peak FROM condition") == {"value": 2.5, "peak": 1.0}


async def test_a_replay_of_events_changes_nothing(database: db.Database) -> None:
    write = event_writer()
    bodies = [edge("open", 1), edge("again", 2), edge("close", 3), edge("open", 5), edge("again", 6)]
    await store(database, write, *bodies)
    before = await database.rows("SELECT * FROM condition ORDER BY 1"), await database.rows("SELECT * FROM event")
    again = await store(database, write, *bodies, *reversed(bodies))
    after = await database.rows("SELECT * FROM condition ORDER BY 1"), await database.rows("SELECT * FROM event")
    assert after == before
    assert again.counters["events_stored"] == 0
    assert again.pushes == []


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_the_order_of_arrival_does_not_matter(database: db.Database, order: tuple[int, ...]) -> None:
    bodies = [edge("open", 1), edge("again", 2), edge("close", 3)]
    for number in order:
        await store(database, event_writer(), bodies[number])
    assert await conditions(database) == [("returned", 2, 1, 3)]


async def test_a_close_that_overtakes_its_open_leaves_the_next_period_alone(database: db.Database) -> None:
    for body in (edge("open", 1), edge("close", 3), edge("close", 9), edge("open", 12), edge("open", 7)):
        await store(database, event_writer(), body)
    assert await conditions(database) == [("returned", 1, 1, 3), ("returned", 1, 7, 9), ("active", 1, 12, None)]


async def test_a_stale_close_does_not_end_what_happened_after_it(database: db.Database) -> None:
    for body in (edge("open", 1), edge("again", 5), edge("close", 3)):
        await store(database, event_writer(), body)
    assert await conditions(database) == [("active", 2, 1, None)]


async def test_a_thousand_triggers_at_once_are_one_open_condition(database: db.Database) -> None:
    bodies = [edge("open", 1, n=n) for n in range(1000)]
    outcomes = []
    for some in range(0, 1000, 100):  # as many as wait for one of the few connections without losing patience
        outcomes += await asyncio.gather(*(store(database, event_writer(), body) for body in bodies[some : some + 100]))
    assert await conditions(database) == [("active", 1000, 1, None)]
    assert sum((outcome.counters for outcome in outcomes), Counter())["events_stored"] == 1000
    assert await database.row("SELECT count(*) AS n FROM event") == {"n": 1000}


async def test_a_bad_event_costs_only_itself(database: db.Database) -> None:
    good, nul = edge("open", 1), edge("again", 2, why="a\0b")
    naive = good.replace(b"12:01:00Z", b"12:01:00")
    outcome = await store(database, event_writer(), good, nul, naive, b"{", edge("again", 3))
    assert await conditions(database) == [("active", 2, 1, None)]
    assert outcome.counters["quarantined"] == 3
    kept = await database.rows("SELECT reason, stream, payload FROM quarantine ORDER BY stream_seq")
    assert [(row["reason"], row["payload"]) for row in kept] == [
        ("refused", nul), ("bad_message", naive), ("bad_message", b"{")
    ]  # fmt: skip


async def test_receipts_are_stored_once(database: db.Database) -> None:
    write = MessageWriter("RECEIPTS", Receipt, receipts.store, "receipts_stored", "live.receipt", LIMIT)
    command = uuid.uuid4()
    sent = msgspec.json.encode(Receipt(command_id=command, kind="sent", time=NOON))
    failed = msgspec.json.encode(Receipt(command_id=command, kind="failed", time=NOON, detail="x\0" * 2000))
    outcome = await store(database, write, sent, sent, failed)
    assert msgspec.json.decode(dict(outcome.pushes)["live.receipt"], type=LiveChanged).ids == [str(command)]
    assert (await store(database, write, failed, sent)).pushes == []
    assert await database.rows("SELECT kind FROM receipt ORDER BY 1") == [{"kind": "failed"}, {"kind": "sent"}]


async def test_notices_of_quarantine_are_kept_whole_up_to_the_limit(database: db.Database) -> None:
    write = QuarantineWriter(payload_bytes=LIMIT)
    notice = Quarantined(
        stage="gateway", reason="bad_json", detail="d\0" * 3000, external_id="m-1", stream="UPLINKS", stream_seq=4,
        payload=b"\0\xff" * LIMIT,
    )  # fmt: skip
    bodies = [msgspec.json.encode(notice), msgspec.json.encode(notice), b"\xff"]
    outcome = await store(database, write, *bodies)
    assert outcome.counters["quarantined"] == 2
    rows = await database.rows("SELECT quarantine_id, stage, reason, detail, payload FROM quarantine ORDER BY 1")
    assert [(row["stage"], row["reason"]) for row in rows] == [("gateway", "bad_json"), ("ingest", "bad_notice")]
    assert rows[0]["payload"] == (b"\0\xff" * LIMIT)[:LIMIT]
    assert rows[0]["detail"].startswith(f"first {LIMIT} of {2 * LIMIT} bytes; ")
    live = msgspec.json.decode(dict(outcome.pushes)["live.quarantine"], type=LiveChanged)
    assert live.ids == [str(row["quarantine_id"]) for row in rows]
    assert (await store(database, write, *bodies)).counters["quarantined"] == 0
