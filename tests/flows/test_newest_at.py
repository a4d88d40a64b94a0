"""Newest values at any moment: snapshots and what came after them say what the readings say, late ones too."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from citynet import db
from citynet.access import Actor
from citynet.bus import NatsBus
from citynet.db import Database
from citynet.settings import Settings
from ingest import snapshots
from ingest.writer import ReadingsWriter
from situation_center import query
from tests.flows.center import Town, person
from tests.support.readings import NOON, Reading, body, eventually, running_ingest, store

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
COUNT = 600  # more than are looked up one by one
FAR = "infinity"
AT = "SELECT * FROM readings_at(NULL, %s, %s) ORDER BY series_id"


@pytest.fixture
async def ingest(city: Settings, owner_db: Database) -> AsyncIterator[Database]:
    async with owner_db.transaction("test") as conn:
        await conn.execute("INSERT INTO object (class, key) VALUES ('air_station', 'many')")
        await conn.execute(
            "INSERT INTO series (object_id, quantity, channel, unit)"
            " SELECT object_id, 'temperature', n::text, 'Cel' FROM object, generate_series(1, %s) n",
            [COUNT],
        )
    opened = await Database(db.dsn(city, "ingest")).open()
    yield opened
    await opened.close()


async def put(ingest: Database, rows: list[Reading], received: datetime) -> None:
    await store(ingest, ReadingsWriter("UPLINKS", 262_144), body(rows, received=received))


async def newest(owner: Database, moment: datetime, known: datetime | str = FAR) -> dict[int, tuple[datetime, float]]:
    rows = await owner.rows(AT, [moment, known])
    return {row["series_id"]: (row["time"], row["value"]) for row in rows}


async def test_any_moment_is_what_the_readings_say(ingest: Database, owner_db: Database) -> None:
    """Readings come each minute or two, some hours late; truth is the plain list."""
    chance = random.Random(11)
    ids = [row["series_id"] for row in await owner_db.rows("SELECT series_id FROM series ORDER BY 1")]
    stored: list[tuple[int, datetime, float, datetime]] = []
    for minute in range(0, 150, 2):
        came = NOON + minute * MINUTE
        some = [(s, came - timedelta(seconds=chance.randrange(60)), float(minute)) for s in chance.sample(ids, 40)]
        if minute % 10 == 0:  # and somebody tells what happened an hour before
            some += [(s, came - HOUR - timedelta(seconds=s + 0.5), -1.0) for s in chance.sample(ids, 10)]
        await put(ingest, some, came)
        stored += [(*one, came) for one in some]
        await snapshots.take(ingest, came, days=31)
    taken = await owner_db.rows("SELECT DISTINCT at FROM newest_snapshot ORDER BY at")
    assert [row["at"] for row in taken] == [NOON + n * 5 * MINUTE for n in range(-1, 30)]
    for minute in (-70, -2, 0, 33, 75, 149):
        moment = NOON + minute * MINUTE
        for known in (FAR, moment, NOON + 100 * MINUTE):
            truth: dict[int, tuple[datetime, float]] = {}
            for series, time, value, came in sorted(stored, key=lambda one: one[1]):
                if time <= moment and (known == FAR or came <= known):  # type: ignore[operator]
                    truth[series] = (time, value)
            assert await newest(owner_db, moment, known) == truth, (minute, known)
    # Old ones are thinned: of what is older than two days whole hours stay.
    await snapshots.take(ingest, NOON + timedelta(days=2, hours=2), days=31)
    left = [row["at"] for row in await owner_db.rows("SELECT DISTINCT at FROM newest_snapshot ORDER BY at")]
    assert NOON + HOUR in left
    assert NOON + HOUR + 5 * MINUTE not in left
    assert NOON + 2 * HOUR + 5 * MINUTE in left
    await snapshots.take(ingest, NOON + timedelta(days=40), days=31)
    assert len(await owner_db.rows("SELECT DISTINCT at FROM newest_snapshot")) == 1


async def test_corrections_count_from_when_they_were_recorded(town: Town, senior: Actor, owner_db: Database) -> None:
    flow, now = town.series("inlet/1", "water_flow"), datetime.now(UTC)
    await put(town.ingest, [(flow, now - 3 * HOUR, 1.0), (flow, now - HOUR, 2.0)], now - HOUR)
    async with owner_db.transaction("test") as conn:
        await conn.execute(
            "INSERT INTO reading_edit (series_id, time, version, value, quality, who, at, why)"
            " VALUES (%s, %s, 1, 70, 2, 'person:anna', %s, 'read by hand')",
            [flow, now - 3 * HOUR, now - MINUTE],
        )

    async def value(as_of: datetime, known_at: datetime | None = None, who: Actor = senior) -> object:
        found = await query.newest(
            town.center, who, place=town.ids["inlet/1"], quantities=("water_flow",), as_of=as_of, known_at=known_at
        )
        return [(row["value"], row["quality"], row["age_s"]) for row in found["rows"]]

    assert await value(now - 2 * HOUR) == [(70.0, 2, 3600.0)]
    assert await value(now - 2 * HOUR, now - 2 * MINUTE) == [(1.0, 0, 3600.0)]
    assert await value(now - 2 * HOUR, now - 2 * HOUR) == [(None, None, None)]
    assert await value(now) == [(2.0, 0, 3600.0)]
    assert await value(now - 4 * HOUR) == [(None, None, None)]
    lights = await person(town.center, "lena", "operator", services=("lighting",))
    assert await value(now, who=lights) == []


async def test_the_part_takes_snapshots(
    city: Settings, admin_bus: NatsBus, ingest: Database, owner_db: Database
) -> None:
    ids = [row["series_id"] for row in await owner_db.rows("SELECT series_id FROM series ORDER BY 1")]
    await put(ingest, [(s, datetime.now(UTC) - HOUR, 1.0) for s in ids], datetime.now(UTC) - HOUR)
    async with running_ingest(city) as part:

        async def taken() -> bool:
            return part.counters["snapshots"] > 0

        await eventually(taken)
    rows = await owner_db.rows(
        "SELECT sum(cardinality(series))::int AS n, count(*)::int AS blocks FROM newest_snapshot"
    )
    assert (rows[0]["n"], rows[0]["blocks"]) == (COUNT, len({s // 256 for s in ids}))
