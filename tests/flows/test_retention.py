"""What has had its time goes by whole partitions, never before it is rolled up; charts and later readings bear it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest

from citynet import db, settings
from citynet.access import Actor
from citynet.clock import Clock
from citynet.db import Database
from ingest.retention import Retention
from ingest.retention_cli import retention
from ingest.rollups import Rollups
from ingest.writer import ReadingsWriter
from situation_center import views
from tests.flows.center import Town
from tests.flows.test_rollups import LATER, tables
from tests.support.readings import NOON, body, eventually, running_ingest, store

WEEK, HOUR = timedelta(days=7), timedelta(hours=1)


@pytest.fixture
async def database(town: Town) -> AsyncIterator[Database]:
    opened = await Database(db.dsn(town.center.settings, "ingest")).open()
    yield opened
    await opened.close()


async def parts(database: Database) -> int:
    return len(await database.rows("SELECT * FROM reading_parts()"))


async def test_readings_go_by_whole_parts_after_their_roll_up(
    town: Town,
    operator: Actor,
    database: Database,
    owner_db: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    series, rolls = town.series("inlet/1", "water_flow"), Rollups(database, ZoneInfo("Europe/Moscow"))
    given = [(series, NOON + week * WEEK + hour * HOUR, float(hour)) for week in range(6) for hour in range(24)]
    await store(database, ReadingsWriter("UPLINKS", 262_144), body(given))
    now, city = NOON + 8 * WEEK, town.center.settings.model_copy(update={"keep_readings_days": 28})
    work = Retention(database, city, Clock(now, datetime.now(UTC)))
    kept = [one for one in given if one[1] >= now - timedelta(days=28)]
    assert await work.drop() == 0  # nothing is rolled up
    assert await parts(database) == 6
    await rolls.roll_up(given[24][1])  # the first week alone
    assert await work.drop() == 1
    assert [one["held"] for one in (await work.going())[0].parts] == [True] * 3
    await rolls.roll_up(LATER)
    before, (readings, *_) = await tables(database), await work.going()
    async with await psycopg.AsyncConnection.connect(db.dsn(city, "analytics")) as reading:
        await reading.execute("SELECT count(*) FROM reading")
        assert await work.drop() == 0  # somebody reads: not now, and the writers need not wait for him
    assert len(list(readings.ready())) == 3
    assert await work.drop() == 3
    rows = await database.rows("SELECT series_id, time, value FROM reading ORDER BY time")
    assert [tuple(row.values()) for row in rows] == kept
    assert await tables(database) == before
    # A late reading of a week that has gone is not taken for all that was read then.
    await store(database, ReadingsWriter("UPLINKS", 262_144), body([(series, NOON + timedelta(minutes=5), 99.0)]))
    await rolls.roll_up(LATER)
    assert await tables(database) == before
    assert await database.rows("SELECT * FROM rollup_due") == []
    chart = await views.points(town.center, operator, series, since=NOON, until=NOON + 6 * HOUR)
    assert (chart["value"], chart["step_s"]) == ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 3600)
    audited = await owner_db.rows("SELECT actor, object, detail FROM audit WHERE action = 'retention.drop'")
    assert [(row["actor"], row["object"]) for row in audited] == [("part:ingest", "readings")] * 4
    assert all(row["detail"]["bytes"] > 0 and row["detail"]["days"] == 28 for row in audited)
    monkeypatch.setattr(settings, "load", lambda: city.model_copy(update={"keep_readings_days": 100}))
    await _said(capsys)


async def _said(capsys: pytest.CaptureFixture[str]) -> None:
    await asyncio.to_thread(retention)
    said = capsys.readouterr().out
    assert "readings: kept for 100 days\n  " in said
    assert "days: kept for ever\n" in said
    assert "quarantine: kept for 90 days\n  0 rows from before" in said


async def test_what_others_need_stays(town: Town, broker: object, database: Database, owner_db: Database) -> None:
    series, now = town.series("inlet/1", "water_flow"), datetime.now(UTC)
    opened, other = uuid4(), uuid4()
    async with owner_db.transaction("test") as conn:
        for event in (opened, other):
            await conn.execute(
                "INSERT INTO event (event_id, rule_id, rule_version, object_id, signal, edge, severity, time, why_ru,"
                " why_en) VALUES (%s, 'r', 1, 1, 's', 'open', 'low', %s, '', '')",
                [event, now - timedelta(days=50)],
            )
        await conn.execute(
            "INSERT INTO quarantine (at, stage, reason) SELECT %s - make_interval(days => n), 's', n::text"
            " FROM generate_series(0, 99) n",
            [now],
        )
        await conn.execute("INSERT INTO audit (at, actor, action) VALUES ('2001-01-01Z', 'person:x', 'old')")
    await town.condition("radio.weak", "inlet/1")
    await owner_db.rows("UPDATE condition SET event_id = %s RETURNING 1", [opened])
    months = [(series, datetime(2021, month, 5, tzinfo=UTC), 1.0) for month in (1, 2, 3)]
    await store(database, ReadingsWriter("UPLINKS", 262_144), body(months))
    await Rollups(database, ZoneInfo("Europe/Moscow")).roll_up(LATER)
    short = {"keep_readings_days": 30, "keep_hours_days": 10, "keep_events_days": 40, "keep_quarantine_days": 50}
    city = town.center.settings.model_copy(update=short)
    early = Clock(datetime(2021, 3, 25, tzinfo=UTC), now)
    await Retention(database, city, early).drop()
    # Hours asked for 10 days only, but they last as long as readings.
    hours = await database.rows("SELECT hour FROM rollup_hour ORDER BY hour")
    assert [row["hour"] for row in hours] == [one[1] for one in months[1:]]
    async with running_ingest(city) as part:

        async def noted() -> bool:
            return len(await database.rows("SELECT FROM retention")) == 5

        await eventually(noted)
        assert part.counters["retention_dropped"] > 0
    assert [row["event_id"] for row in await database.rows("SELECT event_id FROM event")] == [opened]
    assert await database.rows("SELECT count(*) AS n, max(now() - at) < '51 days' AS new FROM quarantine") == [
        {"n": 50, "new": True}
    ]
    assert await owner_db.rows("SELECT actor FROM audit WHERE action = 'old'") == [{"actor": "person:x"}]
    assert await parts(database) == 0
    assert len(await database.rows("SELECT FROM rollup_day")) == 3
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        await database.row("SELECT reading_drop('reading', now())")
