"""What readings said: newest values of a place, windows, gaps, totals, versions; only to those who may know."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from citynet import db
from citynet.access import Actor
from citynet.db import Database
from citynet.errors import BadInput, NotFound
from ingest.rollups import Rollups
from ingest.writer import ReadingsWriter
from situation_center import query
from tests.flows.center import Town, person
from tests.support.readings import Reading, body, store

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LATER = datetime(2090, 1, 1, tzinfo=UTC)
MOSCOW = ZoneInfo("Europe/Moscow")
START = datetime(2026, 1, 20, tzinfo=MOSCOW).astimezone(UTC)

SPAN, DAYS, SCOPE = "'2026-01-01Z', '2026-02-01Z'", "'2026-01-01', '2026-02-01'", "%(services)s::text[], '{}'"
# Each function of the database that gives readings, with rows of one series of the water service.
FUNCTIONS = (
    f"readings_of(ARRAY[%(id)s::int], {SPAN}, NULL, 100, 'infinity', {SCOPE})",
    f"hours_of(ARRAY[%(id)s::int], {SPAN}, NULL, 100, {SCOPE})",
    f"days_of(ARRAY[%(id)s::int], {DAYS}, NULL, 100, {SCOPE})",
    f"versions_of(ARRAY[%(id)s::int], {SPAN}, 100, {SCOPE})",
    f"newest_at(ARRAY[%(id)s::int], '2026-02-01Z', 'infinity', {SCOPE})",
    f"rows_counted(NULL, ARRAY[%(id)s::int], '{{}}', {DAYS}, {SCOPE}) WHERE days > 0",
    f"hour_totals(NULL, '{{water_flow}}', {SPAN}, {SCOPE})",
    f"day_totals(NULL, '{{water_flow}}', {DAYS}, {SCOPE})",
    f"month_totals(NULL, '{{water_flow}}', {DAYS}, 1, {SCOPE})",
)


@pytest.fixture
async def readings(town: Town) -> AsyncIterator[Database]:
    opened = await db.Database(db.dsn(town.center.settings, "ingest")).open()
    yield opened
    await opened.close()


async def put(database: Database, given: list[Reading]) -> None:
    await store(database, ReadingsWriter("UPLINKS", 262_144), body(given))


async def test_newest_values_of_a_place(town: Town, readings: Database, senior: Actor) -> None:
    lamps = [town.series(f"lamp/{n}", "lamp_power") for n in range(1, 9)]
    now = await town.now()
    await put(readings, [(lamp, now - n * HOUR, float(n)) for n, lamp in enumerate(lamps)])

    async def powers(key: str | None, **more: object) -> list[float | None]:
        place = town.ids[key] if key else None
        found = await query.newest(town.center, senior, place=place, quantities=("lamp_power",), **more)  # type: ignore[arg-type]
        return [
            row["value"] for row in found["rows"] if row["object_id"] in {town.ids[f"lamp/{n}"] for n in range(1, 9)}
        ]

    assert await powers("cabinet/1") == [0, 1, 2, 3, 4]
    assert await powers("lamp/7") == [6]
    assert await powers("district/1") == await powers(None) == list(range(8))
    page = await query.newest(town.center, senior, quantities=("lamp_power",), limit=3)
    assert page["next"] == page["rows"][-1]["series_id"]
    second = await query.newest(town.center, senior, quantities=("lamp_power",), after=page["next"], limit=10_000)
    assert (len(page["rows"]), second["next"], page["rows"][0]["quality"]) == (3, None, 0)
    row = next(row for row in second["rows"] + page["rows"] if row["series_id"] == lamps[2])
    assert row["age_s"] == pytest.approx(2 * 3600, abs=60)
    water = await person(town.center, "vera", "operator", services=("water",))
    assert not (await query.newest(town.center, water, quantities=("lamp_power",)))["rows"]


async def test_a_window_is_as_fine_as_asked_and_fills_gaps(town: Town, readings: Database, senior: Actor) -> None:
    flow, zone = town.series("inlet/1", "water_flow"), MOSCOW
    given = [(flow, START + n * 10 * MINUTE, float(n % 6)) for n in range(6 * 24 * 20) if not 60 <= n < 66]
    await put(readings, given)
    until = START + timedelta(days=20)

    async def window(**more: object) -> query.Window:
        return await query.window(town.center, senior, flow, since=START, until=until, **more)  # type: ignore[arg-type]

    fresh = await window(points=500)
    await Rollups(readings, zone).roll_up(LATER)
    hours = await window(points=500)
    assert (hours["step"], len(hours["time"]), set(hours["value"])) == ("hour", 479, {2.5})
    assert fresh == hours  # nothing was rolled up yet
    assert (set(hours["low"]), set(hours["high"])) == ({0.0}, {5.0})
    whole = await window(points=5_000)
    assert (whole["step"], len(whole["time"]), whole["more"]) == ("raw", len(given), False)
    days = await window(points=20)
    assert (days["step"], days["time"][0], len(days["value"])) == ("day", START, 20)
    cut = await window(points=10, step="raw")
    assert (len(cut["time"]), cut["more"]) == (10, True)
    for step, made in (("hour", 1), ("raw", 6)):
        full = await window(points=5_000, step=step, fill_with="linear", fill_max=2 * HOUR)
        assert sum(full["filled"]) == made
        assert [low for low, f in zip(full["low"], full["filled"], strict=True) if f] == [None] * made
        assert len(set(b - a for a, b in zip(full["time"], full["time"][1:], strict=False))) == 1
        assert not any((await window(points=5_000, step=step, fill_with="last"))["filled"])
    with pytest.raises(BadInput):
        await window(step="day", original=True)
    lights = await person(town.center, "lena", "operator", services=("lighting",))
    with pytest.raises(NotFound):
        await query.window(town.center, lights, flow, since=START, until=until)


async def test_totals_say_of_how_many_they_are(town: Town, readings: Database, senior: Actor) -> None:
    energy = {f"lamp/{n}": town.series(f"lamp/{n}", "lamp_energy") for n in range(1, 5)}
    day = timedelta(days=1)
    for n in range(1, 5):  # of eight lamps four are heard, the fourth for half a day
        length = 24 if n < 4 else 12
        await put(readings, [(energy[f"lamp/{n}"], START + h * HOUR, 100.0 * n + n * h) for h in range(length + 1)])
    power = [town.series(f"lamp/{n}", "lamp_power") for n in (1, 2)]
    await put(readings, [(s, START + h * HOUR, float(10 * (k + 1))) for k, s in enumerate(power) for h in range(24)])
    await Rollups(readings, MOSCOW).roll_up(LATER)

    async def asked(key: str | None, quantity: str, by: str = "day") -> query.Totals:
        place = town.ids[key] if key else None
        span = {"since": date(2026, 1, 20), "until": date(2026, 1, 21)}
        return await query.totals(town.center, senior, place=place, quantity=quantity, by=by, **span)  # type: ignore[arg-type]

    whole = await asked("district/1", "lamp_energy")
    (row,) = whole["rows"]
    assert (whole["members"], whole["unit"], row["registers"], row["whole"], row["share"]) == (8, "kW.h", 4, 3, 0.5)
    assert row["used"] == pytest.approx(24 * (1 + 2 + 3) + 12 * 4)
    assert row["marks"] == ["partial"]
    assert (await asked(None, "lamp_energy"))["rows"] == whole["rows"]
    under = await asked("cabinet/2", "lamp_energy")
    assert (under["members"], under["rows"]) == (3, [])
    hours = await asked("cabinet/1", "lamp_energy", "hour")
    assert [(r["registers"], r["used"]) for r in hours["rows"][11:13]] == [(4, 10.0), (3, 6.0)]
    (month,) = (await asked("cabinet/1", "lamp_energy", "month"))["rows"]
    assert (month["start"], month["registers"], month["whole"]) == (date(2026, 1, 1), 4, 0)
    (gauge,) = (await asked("cabinet/1", "lamp_power"))["rows"]
    assert (gauge["mean"], gauge["low"], gauge["high"], gauge["series"]) == (15.0, 10.0, 20.0, 2)
    assert gauge["start"] + day == date(2026, 1, 21)


async def test_versions_of_a_corrected_reading(
    town: Town, readings: Database, senior: Actor, owner_db: Database
) -> None:
    flow = town.series("inlet/1", "water_flow")
    await put(readings, [(flow, START + n * HOUR, float(n)) for n in range(3)])
    async with owner_db.transaction("test") as conn:
        for version, value in ((1, 70.0), (2, 71.0)):
            await conn.execute(
                "INSERT INTO reading_edit (series_id, time, version, value, quality, who, why)"
                " VALUES (%s, %s, %s, %s, 2, 'person:anna', 'read by hand')",
                [flow, START + HOUR, version, value],
            )
    span: dict[str, Any] = {"since": START, "until": START + 3 * HOUR}
    assert (await query.window(town.center, senior, flow, **span))["value"] == [0.0, 71.0, 2.0]
    assert (await query.window(town.center, senior, flow, original=True, **span))["value"] == [0.0, 1.0, 2.0]
    found = await query.versions(town.center, senior, flow, **span)
    assert [(v["version"], v["value"], v["who"], v["why"]) for v in found] == [
        (0, 1.0, "", ""),
        (1, 70.0, "person:anna", "read by hand"),
        (2, 71.0, "person:anna", "read by hand"),
    ]
    await Rollups(readings, MOSCOW).roll_up(LATER)
    for call in FUNCTIONS:
        seen = [
            len(await town.center.rows(f"SELECT FROM {call}".encode(), {"id": flow, "services": services}))  # type: ignore[arg-type]
            for services in ([], ["water"], ["lighting"])
        ]
        assert seen[0] == seen[1] > seen[2] == 0, call
