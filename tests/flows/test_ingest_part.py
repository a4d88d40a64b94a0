"""The part ingest on a real broker and database: every stream ends in its table, whatever goes away meanwhile."""

import time
import uuid
from datetime import timedelta

import msgspec
import psycopg
import pytest
from psycopg import sql

from citynet import bus, db, embedded
from citynet.bus import NatsBus
from citynet.db import Database
from citynet.model import Event, LiveChanged, LiveNewest, PartStats, Quarantined, Receipt, event_id
from citynet.part import Part
from citynet.settings import Settings
from tests.support.readings import NOON, body, day, eventually, running_ingest

DURABLES = (bus.INGEST_LIVE, bus.INGEST_HISTORY, bus.INGEST_EVENTS, bus.INGEST_RECEIPTS, bus.INGEST_DEAD)


async def count(database: Database, table: str) -> int:
    row = await database.row(f"SELECT count(*) AS n FROM {table}")
    return int(row["n"]) if row else 0


async def wait_rows(database: Database, table: str, rows: int) -> None:
    async def there() -> bool:
        return await count(database, table) >= rows

    await eventually(there)
    assert await count(database, table) == rows


async def wait_all_acknowledged(admin: NatsBus) -> None:
    pullers = [await admin.puller(durable) for durable in DURABLES]

    async def nothing_pending() -> bool:
        return not any([await puller.pending() for puller in pullers])

    await eventually(nothing_pending)


def event(minute: int) -> Event:
    time = NOON + timedelta(minutes=minute)
    return Event(
        event_id=event_id("r", 1, 7, signal="leak", opened=time, edge="open", n=0),
        rule_id="r", rule_version=1, object_id=7,
        signal="leak", edge="open", severity="high", time=time, why_ru="почему", why_en="why",
    )  # fmt: skip


async def test_every_stream_ends_in_its_table_and_is_told(
    city: Settings, admin_bus: NatsBus, owner_db: Database
) -> None:
    told: dict[str, list[bytes]] = {}

    async def note(message: bus.Incoming) -> None:
        told.setdefault(message.subject, []).append(message.data)

    await admin_bus.subscribe("live.>", note)
    await admin_bus.subscribe("stats.ingest", note)
    command = uuid.uuid4()
    async with running_ingest(city):
        await admin_bus.publish("readings.live.3", body([(1, NOON, 5.0)]))
        await admin_bus.publish("readings.hist.3", body(day(1)[1:]))
        await admin_bus.publish("events.r", msgspec.json.encode(event(1)))
        await admin_bus.publish(
            f"receipts.{command}", msgspec.json.encode(Receipt(command_id=command, kind="sent", time=NOON))
        )
        await admin_bus.publish(
            "dead.quarantine", msgspec.json.encode(Quarantined(stage="gateway", reason="bad_json", payload=b"{"))
        )
        for table, rows in (("reading", 96), ("newest", 1), ("condition", 1), ("receipt", 1), ("quarantine", 1)):
            await wait_rows(owner_db, table, rows)
        await wait_all_acknowledged(admin_bus)
    live = msgspec.msgpack.decode(told["live.newest"][0], type=LiveNewest)
    assert live.series == [1]
    assert msgspec.json.decode(told["live.receipt"][0], type=LiveChanged).ids == [str(command)]
    assert {"live.condition", "live.quarantine"} <= told.keys()


async def test_a_replay_of_a_whole_day_changes_nothing(city: Settings, admin_bus: NatsBus, owner_db: Database) -> None:
    batches = [("readings.live.0", body(day(series), seq=series)) for series in range(1, 11)]
    batches += [("readings.hist.1", body(day(series), seq=series)) for series in range(11, 15)]
    batches += [("events.r", msgspec.json.encode(event(minute))) for minute in range(20)]
    tables = ("reading", "newest", "event", "condition", "quarantine")
    states = []
    async with running_ingest(city) as part:
        for _ in range(2):
            for subject, data in batches:
                await admin_bus.publish(subject, data)
            await wait_rows(owner_db, "reading", 14 * 96)
            await wait_rows(owner_db, "event", 20)
            await wait_all_acknowledged(admin_bus)
            states.append([await owner_db.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables])
        assert states[0] == states[1]
        assert part.counters["readings_stored"] == part.counters["duplicates"] == 14 * 96
        assert part.counters["conflicts"] == part.counters["quarantined"] == 0


async def test_two_workers_share_the_streams(city: Settings, admin_bus: NatsBus, owner_db: Database) -> None:
    async with running_ingest(city) as one, running_ingest(city) as two:
        for series in range(1, 201):
            await admin_bus.publish("readings.live.0", body(day(series, minutes=60)))
        await wait_rows(owner_db, "reading", 200 * 24)
        await wait_all_acknowledged(admin_bus)
        parts: list[Part] = [one, two]
        assert sum(part.counters["readings_stored"] for part in parts) == 200 * 24
        assert sum(part.counters["duplicates"] for part in parts) == 0


async def test_a_database_that_goes_away_costs_nothing(
    city: Settings, admin_bus: NatsBus, owner_db: Database, postgres: embedded.Postgres
) -> None:
    if not postgres.process:
        pytest.skip("the server of CITYNET_DATABASE_URL is not ours to kill")
    with psycopg.connect(db.dsn(city, "owner"), autocommit=True) as owner:
        # The test server forgets its last commits in a crash; this city is told to keep them.
        name = sql.Identifier(city.database_url.rpartition("/")[2])
        owner.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = on").format(name))
    async with running_ingest(city) as part:
        for series in range(1, 61):
            await admin_bus.publish("readings.live.0", body(day(series)))
            await admin_bus.publish("events.r", msgspec.json.encode(event(series)))
            if series == 20:
                await wait_rows(owner_db, "reading", 20 * 96)
                postgres.process.kill()
                postgres.process.wait()
            if series == 40:
                await eventually(lambda: _interrupted(part))
                # Not in a worker thread: the server would end with the thread that started it (embedded.spawn).
                postgres.start(options={"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"})
        await eventually(lambda: _rows(owner_db, 60 * 96), limit_s=30)
        await wait_all_acknowledged(admin_bus)
        assert part.counters["readings_stored"] == 60 * 96
        assert part.counters["duplicates"] == 0


async def test_frames_in_hand_are_not_delivered_again(city: Settings, admin_bus: NatsBus, owner_db: Database) -> None:
    impatient = city.model_copy(update={"ack_wait_s": 1})
    async with running_ingest(impatient) as part:
        with psycopg.connect(db.dsn(city, "owner")) as owner:
            owner.execute("LOCK TABLE newest IN ACCESS EXCLUSIVE MODE")
            await admin_bus.publish("readings.live.0", body(day(1)))
            until = time.monotonic() + 3

            async def three_times_the_patience_of_the_broker() -> bool:
                return time.monotonic() > until

            await eventually(three_times_the_patience_of_the_broker)
        await wait_rows(owner_db, "reading", 96)
        await wait_all_acknowledged(admin_bus)
        info = await admin_bus.js.consumer_info("READINGS", bus.INGEST_LIVE.durable)
        assert info.delivered
        assert (info.delivered.consumer_seq, info.num_redelivered) == (1, 0)
        assert part.counters["duplicates"] == 0


async def _interrupted(part: Part) -> bool:
    return part.counters["interruptions"] > 0


async def _rows(database: Database, rows: int) -> bool:
    try:
        found = await database.row("SELECT (SELECT count(*) FROM reading) AS readings, count AS events FROM condition")
    except psycopg.OperationalError:
        return False
    return found == {"readings": rows, "events": 60}


async def test_figures_are_told(city: Settings, admin_bus: NatsBus) -> None:
    async with running_ingest(city) as part:
        await admin_bus.publish("readings.live.0", body(day(1)))

        async def measured() -> bool:
            return part.gauges.get("stored_ms_p99", 0) > 0 and part.gauges.get("rows_s", -1) == 0

        await eventually(measured)
    assert part.gauges["lag"] == part.gauges["lag_history"] == 0
    assert 0 < part.gauges["stored_ms_p50"] <= part.gauges["stored_ms_p99"] < 5000
    assert msgspec.json.encode(PartStats("ingest", 1, True, dict(part.counters), dict(part.gauges)))
