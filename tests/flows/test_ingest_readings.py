"""The writer of readings on a real database: exact, idempotent, one bad row never costs a good one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import psycopg
import pytest

from citynet import db
from citynet.model import LiveChanged, LiveNewest, Receipt, ReceiptKind, unpack_readings
from citynet.settings import Settings
from ingest import receipts, rows, table
from ingest.writer import ReadingsWriter
from tests.support.readings import NOON, Reading, body, day, store

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def database(city: Settings) -> AsyncIterator[db.Database]:
    opened = await db.Database(db.dsn(city, "ingest")).open()
    yield opened
    await opened.close()


def writer() -> ReadingsWriter:
    return ReadingsWriter("UPLINKS", 262_144)


async def readings(database: db.Database) -> list[Reading]:
    found = await database.rows("SELECT series_id, time, value FROM reading ORDER BY series_id, time")
    return [(row["series_id"], row["time"], row["value"]) for row in found]


async def test_binary_copy_stores_what_text_copy_stores(database: db.Database) -> None:
    values = [0.0, -0.0, 0.1, -1e308, 5e-324, 2**53 + 1.0]
    given = [(n, NOON + timedelta(microseconds=n), value) for n, value in enumerate(values, 1)]
    await store(database, writer(), body(given))
    async with database.transaction("part:ingest") as conn:
        await conn.execute("CREATE TEMP TABLE told (LIKE reading)")
        async with conn.cursor().copy("COPY told FROM STDIN") as copy:
            for series, time, value in given:
                await copy.write_row((series, time, NOON, value, 0))
        difference = "(SELECT * FROM reading EXCEPT SELECT * FROM told) UNION ALL (TABLE told EXCEPT TABLE reading)"
        assert await (await conn.execute(difference)).fetchall() == []
    assert await readings(database) == given


async def test_a_replay_of_a_day_changes_nothing(database: db.Database) -> None:
    batches = [body(day(series)) for series in range(1, 21)]
    first = await store(database, writer(), *batches)
    before = await database.rows("SELECT * FROM newest ORDER BY series_id"), await readings(database)
    again = writer()
    outcomes = [await store(database, again, batch) for batch in batches]
    assert (await database.rows("SELECT * FROM newest ORDER BY series_id"), await readings(database)) == before
    assert first.counters["readings_stored"] == sum(o.counters["duplicates"] for o in outcomes) == 20 * 96
    assert not any(o.counters["readings_stored"] or o.pushes or o.counters["quarantined"] for o in outcomes)


async def test_repeats_and_news_in_one_batch(database: db.Database) -> None:
    await store(database, writer(), body(day(1)[:50]))
    write = writer()
    outcome = await store(database, write, body(day(1)), body(day(2)), body(day(2)))
    assert +outcome.counters == {"readings_stored": 46 + 96, "duplicates": 50 + 96}
    assert write.expect_repeats
    await store(database, write, body(day(3)))
    assert not write.expect_repeats
    assert await readings(database) == [*day(1), *day(2), *day(3)]


async def test_a_conflicting_value_is_set_aside_and_the_first_stays(database: db.Database) -> None:
    await store(database, writer(), body([(1, NOON, 4.0)]))
    later = [(1, NOON, 5.0), (1, NOON + MINUTE, 6.0), (1, NOON + MINUTE, 7.0)]
    for _ in range(2):
        outcome = await store(database, writer(), body(later, seq=77))
        assert outcome.counters["conflicts"] == 2
    assert await readings(database) == [(1, NOON, 4.0), (1, NOON + MINUTE, 6.0)]
    kept = await database.rows("SELECT reason, detail, stream, stream_seq, payload FROM quarantine ORDER BY detail")
    assert [(row["reason"], row["stream"], row["stream_seq"]) for row in kept] == [("conflict", "UPLINKS", 77)] * 2
    assert "5.0; stored is 4.0" in kept[0]["detail"]
    assert msgspec.json.decode(kept[0]["payload"])["value"] == "5.0"
    assert await database.row("SELECT value FROM newest") == {"value": 6.0}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
async def test_what_is_no_number_costs_only_itself(database: db.Database, bad: float) -> None:
    outcome = await store(database, writer(), body([(1, NOON, 1.0), (1, NOON + MINUTE, bad), (2, NOON, 2.0)]))
    assert await readings(database) == [(1, NOON, 1.0), (2, NOON, 2.0)]
    assert outcome.counters["quarantined"] == 1
    assert await database.row("SELECT reason FROM quarantine") == {"reason": "not_finite"}


async def test_times_of_broken_clocks_cost_only_themselves(database: db.Database) -> None:
    outside = [NOON.replace(year=1970), NOON.replace(year=2106)]
    await store(database, writer(), body([(1, NOON, 1.0), *((1, time, 2.0) for time in outside)]))
    assert await readings(database) == [(1, NOON, 1.0)]
    assert await database.rows("SELECT reason FROM quarantine") == [{"reason": "time_out_of_range"}] * 2


async def test_a_poisoned_row_is_found_and_set_aside_alone(database: db.Database, city: Settings) -> None:
    with psycopg.connect(db.dsn(city, "owner")) as owner:
        owner.execute("ALTER TABLE reading ADD CONSTRAINT poison CHECK (value <> 13)")
    given = [(n, NOON, 13.0 if n in {137, 800} else float(n) + 0.5) for n in range(1, 1001)]
    outcome = await store(database, writer(), body(given))
    assert await readings(database) == [row for row in given if row[2] != 13.0]
    assert outcome.counters["readings_stored"] == 998
    kept = await database.rows("SELECT reason, detail FROM quarantine ORDER BY quarantine_id")
    assert [row["reason"] for row in kept] == ["refused"] * 2
    assert kept[0]["detail"].startswith("series 137 at ")
    assert await database.row("SELECT count(*) AS n FROM newest") == {"n": 998}


async def test_a_message_that_is_no_batch_is_kept_with_its_bytes(database: db.Database) -> None:
    outcome = await store(database, writer(), b"not arrow", body([(1, NOON, 1.0)]), body([])[:40])
    assert await readings(database) == [(1, NOON, 1.0)]
    assert outcome.counters["quarantined"] == 2
    kept = await database.rows("SELECT reason, stream, stream_seq, payload FROM quarantine ORDER BY stream_seq")
    assert kept[0] == {"reason": "bad_batch", "stream": "READINGS", "stream_seq": 1, "payload": b"not arrow"}


async def test_partitions_are_made_for_every_week_of_a_batch(database: db.Database) -> None:
    weeks = [NOON + timedelta(weeks=n) for n in (-60, 0, 1, 400)]
    await store(database, writer(), body([(1, time, 1.0) for time in weeks]))
    assert len(await readings(database)) == 4
    if await database.row("SELECT 1 AS there FROM pg_extension WHERE extname = 'timescaledb'"):
        return  # there chunks are made by the extension
    found = await database.rows(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'reading'::regclass ORDER BY 1"
    )
    assert {row["name"] for row in found} >= {"reading_20250106", "reading_20260302", "reading_20260309"}


async def test_late_history_leaves_the_newest_value(database: db.Database) -> None:
    first = await store(database, writer(), body([(1, NOON, 5.0), (2, NOON, 6.0)]))
    live = msgspec.msgpack.decode(dict(first.pushes)["live.newest"], type=LiveNewest)
    assert (live.series, live.value) == ([1, 2], [5.0, 6.0])
    assert live.time == [int(NOON.timestamp()) * 1_000_000] * 2
    older = await store(
        database, ReadingsWriter("HISTORY", 0), body([(1, NOON - MINUTE, 9.0), (2, NOON + MINUTE, 7.0)])
    )
    live = msgspec.msgpack.decode(dict(older.pushes)["live.newest"], type=LiveNewest)
    assert (live.series, live.value) == ([2], [7.0])
    newest = await database.rows("SELECT series_id, time, value, change FROM newest ORDER BY series_id")
    assert [(row["time"], row["value"]) for row in newest] == [(NOON, 5.0), (NOON + MINUTE, 7.0)]
    assert newest[1]["change"] == live.change[0] > newest[0]["change"]


async def test_an_empty_batch_is_nothing(database: db.Database) -> None:
    outcome = await store(database, writer(), body([]))
    assert not any(outcome.counters.values())
    assert outcome.pushes == []


async def test_two_writers_make_one_week_at_once(database: db.Database) -> None:
    await asyncio.gather(*(store(database, writer(), body(day(series))) for series in range(1, 5)))
    assert len(await readings(database)) == 4 * 96


async def command(
    owner: psycopg.Connection, expected: list[tuple[int, str, float]], *, sent: datetime | None = NOON
) -> str:
    """A command that waits for (series, compare, target) within ten minutes of noon."""
    row = owner.execute("SELECT object_id FROM object WHERE key = 'lamp'").fetchone()
    object_id = row[0] if row else _lamp(owner)
    query = (
        "INSERT INTO command (object_id, device_id, action, state, requested_by, requested, deadline, change)"
        " VALUES (%s, %s, 'dim', 'sent', 'person:anna', %s, %s, nextval('command_change')) RETURNING command_id"
    )
    found = owner.execute(query, [object_id, object_id, NOON, NOON + 10 * MINUTE]).fetchone()
    assert found
    for series, compare, target in expected:
        owner.execute(
            "INSERT INTO expectation VALUES (%s, %s, %s, %s, 2, %s, %s, %s)",
            [found[0], series, compare, target, NOON, NOON + 10 * MINUTE, NOON + timedelta(days=1)],
        )
    if sent is not None:
        owner.execute("INSERT INTO receipt (command_id, kind, time) VALUES (%s, 'sent', %s)", [found[0], sent])
    return str(found[0])


def _lamp(owner: psycopg.Connection) -> int:
    row = owner.execute("INSERT INTO object (key, class) VALUES ('lamp', 'lamp') RETURNING object_id").fetchone()
    assert row
    for quantity in ("level", "power", "state"):
        owner.execute("INSERT INTO series (object_id, quantity, unit) VALUES (%s, %s, '1')", [row[0], quantity])
    return int(row[0])


async def test_a_command_is_read_back_once_when_all_its_effects_show(database: db.Database, city: Settings) -> None:
    with psycopg.connect(db.dsn(city, "owner")) as owner:
        level = await command(owner, [(1, "eq", 50.0)])
        both = await command(owner, [(1, "ge", 40.0), (2, "le", 10.0)])
        await command(owner, [(3, "eq", 1000.0)])
    for moment, value in ((NOON - MINUTE, 50.0), (NOON + MINUTE, 53.0), (NOON + 11 * MINUTE, 50.0)):
        outcome = await store(database, writer(), body([(1, moment, value)]))
        assert "live.receipt" not in dict(outcome.pushes)
    outcome = await store(database, writer(), body([(1, NOON + 2 * MINUTE, 51.5)]))
    assert msgspec.json.decode(dict(outcome.pushes)["live.receipt"], type=LiveChanged).ids == [level]
    await store(database, writer(), body([(2, NOON + 3 * MINUTE, 4.0), (1, NOON + 3 * MINUTE, 50.0)]))
    query = "SELECT command_id::text, kind, time FROM receipt WHERE kind = 'readback' ORDER BY receipt_id"
    found = await database.rows(query)
    assert [(row["command_id"], row["kind"]) for row in found] == [(level, "readback"), (both, "readback")]
    assert found[0]["time"] == NOON + 2 * MINUTE
    assert found[1]["time"] == NOON + 3 * MINUTE


async def told(database: db.Database, command_id: str, kind: ReceiptKind, time: datetime) -> list[str]:
    """A receipt as the lane of receipts stores it; the kinds known after it."""
    receipt = Receipt(command_id=UUID(command_id), kind=kind, time=time)
    async with database.transaction("part:ingest") as conn:
        await receipts.store(conn, [receipt])
    query = "SELECT kind FROM receipt WHERE command_id = %s ORDER BY receipt_id"
    return [row["kind"] for row in await database.rows(query, [command_id])]


async def test_only_what_is_read_after_sending_is_the_effect(database: db.Database, city: Settings) -> None:
    with psycopg.connect(db.dsn(city, "owner")) as owner:
        first = await command(owner, [(1, "eq", 50.0)], sent=None)
        second = await command(owner, [(2, "eq", 50.0)], sent=None)
    readings_ = [(1, NOON + MINUTE, 50.0), (2, NOON + 3 * MINUTE, 50.0)]
    await store(database, writer(), body(readings_, received=NOON + 4 * MINUTE))
    assert await told(database, first, "sent", NOON + 2 * MINUTE) == ["sent"]
    # Its effect was stored before the receipt of its sending: the other lane finds it.
    assert await told(database, second, "sent", NOON + 2 * MINUTE) == ["sent", "readback"]


async def test_late_evidence_needs_an_answer(database: db.Database, city: Settings) -> None:
    with psycopg.connect(db.dsn(city, "owner")) as owner:
        quiet = await command(owner, [(1, "eq", 50.0)])
        answered = await command(owner, [(2, "eq", 50.0)])
    hour = NOON + 60 * MINUTE
    assert await told(database, answered, "acknowledged", hour) == ["sent", "acknowledged"]
    await store(database, writer(), body([(1, hour + MINUTE, 50.0), (2, hour + MINUTE, 50.0)], received=hour + MINUTE))
    rows = await database.rows("SELECT command_id::text FROM receipt WHERE kind = 'readback'")
    assert rows == [{"command_id": answered}]
    assert quiet != answered


async def test_the_straight_way_is_taken_when_keys_are_new(database: db.Database) -> None:
    table_rows = rows.from_batch(unpack_readings(body(day(1))))
    async with database.transaction("part:ingest") as conn:
        await table.ensure_partitions(conn, table_rows)
        assert (await table.copy(conn, table_rows)).new == 96
        with pytest.raises(psycopg.errors.UniqueViolation):
            await table.copy(conn, table_rows)
        assert (await table.stage(conn, table_rows)).new == 0
