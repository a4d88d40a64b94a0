"""Roll-ups by hour and local day, and consumption: what they say is what the readings say, whenever those came."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from citynet import db
from citynet.access import Actor
from citynet.bus import NatsBus
from citynet.db import Database
from citynet.errors import NotFound
from citynet.model import Used
from citynet.settings import Settings
from ingest.rollups import Rollups
from ingest.writer import ReadingsWriter
from situation_center import views
from situation_center.views.rows import Period, Points
from situation_center.views.series import By
from tests.flows.center import Town
from tests.support.readings import NOON, Reading, body, eventually, running_ingest, store

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LATER = datetime(2090, 1, 1, tzinfo=UTC)
VOLGOGRAD = ZoneInfo("Europe/Volgograd")  # 27 December 2020: UTC+4 became UTC+3, a day of 25 hours


@pytest.fixture
async def database(city: Settings) -> AsyncIterator[Database]:
    opened = await db.Database(db.dsn(city, "ingest")).open()
    yield opened
    await opened.close()


@pytest.fixture
async def series(owner_db: Database) -> dict[str, int]:
    """A point with a temperature and a cold water register."""
    async with owner_db.transaction("test") as conn:
        cursor = await conn.execute("INSERT INTO object (class, key) VALUES ('water_meter', 'm/1') RETURNING object_id")
        row = await cursor.fetchone()
        assert row
        found = await conn.execute(
            "INSERT INTO series (object_id, quantity, unit) SELECT %s, q, u"
            " FROM (VALUES ('temperature', 'Cel'), ('water_volume', 'm3')) AS t (q, u) RETURNING quantity, series_id",
            [row["object_id"]],
        )
        return {one["quantity"]: one["series_id"] for one in await found.fetchall()}


async def put(database: Database, readings: list[Reading]) -> None:
    await store(database, ReadingsWriter("UPLINKS", 262_144), body(readings))


async def tables(database: Database) -> list[list[db.Row]]:
    hours = await database.rows("SELECT * FROM rollup_hour ORDER BY series_id, hour")
    return [hours, await database.rows("SELECT * FROM rollup_day ORDER BY series_id, day")]


async def test_hours_and_days_say_what_the_readings_say(database: Database, series: dict[str, int]) -> None:
    chance, rolls = random.Random(7), Rollups(database, VOLGOGRAD)
    start = datetime(2020, 12, 26, 12, tzinfo=UTC)
    given = [(series["temperature"], start + n * 7 * MINUTE, float(chance.randrange(-300, 300))) for n in range(500)]
    chance.shuffle(given)
    for some in (given[:300], given[300:]):  # the second half falls between the first
        await put(database, some)
        assert await rolls.roll_up(LATER)
    by_hour, by_day = defaultdict[datetime, list[Reading]](list), defaultdict[date, list[Reading]](list)
    for one in sorted(given, key=lambda one: one[1]):
        by_hour[one[1].replace(minute=0)].append(one)
        by_day[one[1].astimezone(VOLGOGRAD).date()].append(one)
    hours, days = await tables(database)
    for rows, key, wanted in ((hours, "hour", by_hour), (days, "day", by_day)):
        assert [row[key] for row in rows] == sorted(wanted)
        for row in rows:
            some = wanted[row[key]]
            values = [value for _, _, value in some]
            assert (row["n"], row["low"], row["high"]) == (len(some), min(values), max(values))
            assert row["total"] == pytest.approx(sum(values))
            assert (row["first"], row["last"], row["last_at"]) == (values[0], values[-1], some[-1][1])
            assert row["used"] is None
    month = await database.rows("SELECT * FROM rollup_month ORDER BY month")
    assert sum(row["n"] for row in month) == 500


async def test_consumption_is_exact_over_a_change_of_the_zone(database: Database, series: dict[str, int]) -> None:
    start = datetime(2020, 12, 25, 20, tzinfo=UTC)  # midnight in Volgograd
    readings = [(series["water_volume"], start + n * HOUR, 100.0 + n / 4) for n in range(24 * 4)]
    await put(database, readings)
    await Rollups(database, VOLGOGRAD).roll_up(LATER)
    _, days = await tables(database)
    used = {row["day"]: (row["used"], Used(row["marks"])) for row in days}
    assert used[date(2020, 12, 26)] == (6.0, Used.READ)
    assert used[date(2020, 12, 27)] == (6.25, Used.READ)
    assert used[date(2020, 12, 28)] == (6.0, Used.READ)
    assert used[date(2020, 12, 29)][1] == Used.PARTIAL


async def test_late_readings_change_what_lies_around_them_and_nothing_else(
    database: Database, series: dict[str, int]
) -> None:
    water, chance, rolls = series["water_volume"], random.Random(3), Rollups(database, ZoneInfo("Europe/Moscow"))
    register, readings = 1_000.0, []
    for n in range(300):
        register += chance.choice([0, 0, 0.001, 0.25, 2.0])
        readings.append((water, NOON + timedelta(minutes=31 * n), register))
    late = readings[100:140]
    await put(database, readings[:100] + readings[140:])
    await rolls.roll_up(LATER)
    before = {row["hour"]: row for row in (await tables(database))[0]}
    gap = [row for hour, row in before.items() if late[1][1] < hour < late[-2][1] - HOUR]
    assert {Used(row["marks"]) for row in gap} == {Used.ESTIMATED}
    await put(database, late)
    await rolls.roll_up(LATER)
    found = await tables(database)
    after = {row["hour"]: row for row in found[0]}
    changed = {hour for hour, row in after.items() if before.get(hour) != row}
    assert changed <= {hour for hour in after if late[0][1] - HOUR < hour + HOUR and hour <= readings[140][1]}
    assert {Used(row["marks"]) for row in found[0][:-1]} == {Used.READ}
    assert sum(row["used"] for row in found[0]) == pytest.approx(register - 1_000.0)
    async with database.transaction("test") as conn:  # all over again in one go
        await conn.execute(
            "INSERT INTO rollup_due (block, hour) SELECT DISTINCT series_id / 256, date_bin('1 h', time, '2000-01-01Z')"
            " FROM reading"
        )
    await rolls.roll_up(LATER)
    assert await tables(database) == found


async def test_a_correction_and_an_exchange_of_the_meter_count(
    database: Database, owner_db: Database, series: dict[str, int]
) -> None:
    water, rolls = series["water_volume"], Rollups(database, ZoneInfo("Europe/Moscow"))
    await put(database, [(water, NOON + n * HOUR, value) for n, value in enumerate([100.0, 9_103.0, 9.0, 10.0])])
    async with owner_db.transaction("test") as conn:
        await conn.execute(
            "INSERT INTO reading_edit (series_id, time, version, value, quality, who, why)"
            " VALUES (%s, %s, 1, 103, 2, 'test', 'a digit too many')",
            [water, NOON + HOUR],
        )
        devices = await conn.execute(
            "INSERT INTO object (class, key) SELECT 'device', 'device/' || n FROM generate_series(1, 2) n"
            " RETURNING object_id"
        )
        old, new = [row["object_id"] for row in await devices.fetchall()]
        swap = await conn.execute(
            "INSERT INTO device_swap (object_id, old_device_id, new_device_id, at, actor)"
            " SELECT object_id, %s, %s, %s, 'test' FROM series WHERE series_id = %s RETURNING swap_id",
            [old, new, NOON + 90 * MINUTE, water],
        )
        row = await swap.fetchone()
        assert row
        await conn.execute("INSERT INTO device_swap_register VALUES (%s, %s, 104, 7)", [row["swap_id"], water])
    await rolls.roll_up(LATER)
    hours, _ = await tables(database)
    assert [(row["used"], Used(row["marks"])) for row in hours[:3]] == [
        (3.0, Used.READ),
        (3.0, Used.SWAP),
        (1.0, Used.READ),
    ]


async def test_what_is_stored_while_hours_are_rolled_up_is_not_forgotten(
    database: Database, series: dict[str, int]
) -> None:
    rolls, number, rounds = Rollups(database, ZoneInfo("UTC")), series["temperature"], 40

    async def fill() -> None:
        for n in range(rounds):
            await put(database, [(number, NOON + (n + rounds * k) * MINUTE, 1.0) for k in range(20)])

    filling = asyncio.create_task(fill())
    while not filling.done():
        await rolls.roll_up(LATER)  # gives way to the other task at every answer of the database
    await filling
    await rolls.roll_up(LATER)
    hours, days = await tables(database)
    assert sum(row["n"] for row in hours) == sum(row["n"] for row in days) == 20 * rounds
    assert await rolls.roll_up(LATER) == 0


async def test_the_part_rolls_up_hours_that_are_over(
    city: Settings, admin_bus: NatsBus, database: Database, series: dict[str, int]
) -> None:
    number, over = series["temperature"], datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    async with running_ingest(city.model_copy(update={"rollup_s": 1})) as part:
        readings = [(number, over + n * MINUTE, 1.0) for n in (-61, -60, -1, 0)]
        await admin_bus.publish("readings.live.0", body(readings))

        async def rolled() -> bool:
            return part.counters["rollups"] > 0

        await eventually(rolled)
    hours, _ = await tables(database)
    assert {row["hour"]: row["n"] for row in hours} == {over - 2 * HOUR: 1, over - HOUR: 2}
    assert len(await database.rows("SELECT FROM rollup_due")) == 1


async def test_windows_and_periods_are_asked_for(town: Town, senior: Actor) -> None:
    database = await db.Database(db.dsn(town.center.settings, "ingest")).open()
    number, zone = town.series("inlet/1", "water_flow"), ZoneInfo(town.center.settings.timezone)
    start = datetime(2026, 1, 20, tzinfo=zone).astimezone(UTC)
    await put(database, [(number, start + n * 10 * MINUTE, float(n % 6)) for n in range(6 * 24 * 20)])
    rolls, until = Rollups(database, zone), start + timedelta(days=20)

    async def window(limit: int) -> Points:
        return await views.points(town.center, senior, number, since=start, until=until, limit=limit)

    fresh = await window(100)  # before anything is rolled up
    await rolls.roll_up(LATER)
    assert await window(100) == fresh
    assert (fresh["step_s"], set(fresh["value"])) == (5 * 3600, {2.5})
    assert [len((await window(limit))["value"]) for limit in (480, 2_000)] == [480, 2_000]
    assert (await window(10_000))["step_s"] == 0

    async def periods(by: By, begins: int = 1) -> list[Period]:
        days = {"since": date(2026, 1, 1), "until": date(2026, 3, 1)}
        return await views.periods(town.center, senior, number, by=by, begins=begins, **days)

    assert [len(await periods("hour")), len(await periods("day"))] == [20 * 24, 20]
    assert [(row["start"], row["n"]) for row in await periods("month")] == [
        (date(2026, 1, 1), 12 * 144),
        (date(2026, 2, 1), 8 * 144),
    ]
    bill = await periods("month", begins=25)
    assert [(row["start"], row["n"], row["mean"]) for row in bill] == [
        (date(2025, 12, 25), 5 * 144, 2.5),
        (date(2026, 1, 25), 15 * 144, 2.5),
    ]
    with pytest.raises(NotFound):
        await views.periods(town.center, senior, 0, by="day", since=date(2026, 1, 1), until=date(2026, 1, 2))
    await database.close()
