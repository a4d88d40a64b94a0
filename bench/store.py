"""Benchmark `store`: what a reading takes on disk, and questions to a hundred million of them."""

import asyncio
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import numpy as np
import psycopg

from bench import city as cities
from bench.frame import BENCHMARKS, Report
from citynet import bus, db
from citynet.access import Actor
from citynet.db import named_sql
from citynet.settings import Settings
from ingest.rollups import Rollups
from situation_center.query.totals import totals
from situation_center.query.window import window
from situation_center.store import Center

SQL = named_sql(Path(__file__).with_name("store.sql"))
ROWS = int(os.environ.get("CITYNET_BENCH_STORE_ROWS", "100_000_000"))
ROWS_QUICK = 2_000_000
DEVICES, STEP_MIN = 2_000, 15
WRITERS = 2
QUANTITY = "air_temperature"
WHO = Actor(1, "bench", "administrator")
Took = dict[str, list[float]]
Ask = Callable[[], Awaitable[object]]


def fill(url: str, ids: Sequence[int], days: Sequence[datetime]) -> None:
    """All readings of some series, day after day, each day in order of time."""
    with psycopg.connect(url, autocommit=True) as conn:
        for day in days:
            conn.execute(SQL["fill"], {"ids": list(ids), "day": day, "step": timedelta(minutes=STEP_MIN)})


def filled(city: Settings, ids: Sequence[int], days: Sequence[datetime]) -> float:
    """Readings in the table and marked as not rolled up; the seconds that it took."""
    owner = db.dsn(city, "owner")
    began = time.perf_counter()
    with psycopg.connect(owner, autocommit=True) as conn:
        for day in days:
            conn.execute(SQL["ensure"], [day])
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(partial(fill, owner, days=days), [ids[n::WRITERS] for n in range(WRITERS)]))
    took = time.perf_counter() - began
    with psycopg.connect(owner, autocommit=True) as conn:
        conn.execute(SQL["mark"], {"ids": list(ids), "since": days[0], "until": days[-1] + timedelta(days=1)})
        conn.execute("VACUUM (ANALYZE) reading")
    return took


async def rolled_up(city: Settings, until: datetime) -> float:
    """All hours rolled up as ingest does it; the seconds that it took."""
    ingest = await db.Database(db.dsn(city, "ingest")).open()
    rollups = Rollups(ingest, ZoneInfo(city.timezone))
    began = time.perf_counter()
    try:
        while await rollups.roll_up(until):
            pass
    finally:
        await ingest.close()
    took = time.perf_counter() - began
    with psycopg.connect(db.dsn(city, "owner"), autocommit=True) as conn:
        conn.execute("VACUUM (ANALYZE)")  # as autovacuum does within minutes
    return took


async def asked(city: Settings, ids: Sequence[int], end: datetime, *, rounds: int) -> Took:
    """Seconds of each question, asked as the screens and the API ask, one kind after the other in turn."""
    chance = random.Random(5)
    last: date = end.astimezone(ZoneInfo(city.timezone)).date()
    async with bus.connected(city, "center") as broker:
        center = cast(Center, await Center(db.dsn(city, "center"), broker, city).open())
        week = {"since": end - timedelta(days=7), "until": end}

        async def series(**more: object) -> object:
            return await window(center, WHO, chance.choice(ids), **week, **more)  # type: ignore[arg-type]

        async def bare() -> object:
            return await _bare(owner, chance.choice(ids), week)

        def city_wide(days: int) -> Ask:
            given = {
                "place": None,
                "quantity": QUANTITY,
                "by": "day",
                "since": last - timedelta(days=days),
                "until": last,
            }
            return lambda: totals(center, WHO, **given)  # type: ignore[arg-type]

        questions: dict[str, Ask] = {
            "series_7_days": series,
            "series_7_days_readings": partial(series, step="raw"),
            "series_7_days_bare_select": bare,
            "city_7_days_by_day": city_wide(7),
            "city_30_days_by_day": city_wide(30),
        }
        owner = await psycopg.AsyncConnection.connect(db.dsn(city, "owner"), autocommit=True)
        try:
            return await _in_turn(questions, rounds=rounds)
        finally:
            await owner.close()
            await center.close()


async def _bare(conn: psycopg.AsyncConnection, series: int, week: dict[str, datetime]) -> object:
    return await (await conn.execute(SQL["bare"], {"id": series, **week})).fetchall()


async def _in_turn(questions: dict[str, Ask], *, rounds: int) -> Took:
    took: Took = {name: [] for name in questions}
    for number in range(rounds + 5):
        for name, ask in questions.items():
            began = time.perf_counter()
            await ask()
            if number >= 5:  # connections and plans are there by now
                took[name].append(time.perf_counter() - began)
    return took


def sizes(city: Settings) -> dict[str, float]:
    """Bytes of readings, of their index and of the roll-ups."""
    with psycopg.connect(db.dsn(city, "owner")) as conn:
        names = ("reading", "reading_index", "rollup_hour", "rollup_day")
        row = conn.execute(SQL["sizes"]).fetchone()
        assert row
        return dict(zip(names, map(float, row), strict=True))


@BENCHMARKS.register("store")
def store(quick: bool) -> Report:
    """Bytes a reading, rows a second of filling and rolling up, milliseconds of questions."""
    wanted, rounds = (ROWS_QUICK, 100) if quick else (ROWS, 300)
    with cities.running(()) as city:
        settings = city.settings
        ids = [one for numbers in cities.plant(settings, cities.names(DEVICES)).values() for one in numbers]
        a_day = len(ids) * 24 * 60 // STEP_MIN
        count = -(-wanted // a_day)
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        days = [today - timedelta(days=count - n) for n in range(count)]
        rows = count * a_day
        fill_s = filled(settings, ids, days)
        rollup_s = asyncio.run(rolled_up(settings, today))
        found = asyncio.run(asked(settings, ids, today, rounds=rounds))
        bytes_of = sizes(settings)
    p50 = {name: statistics.median(values) for name, values in found.items()}
    figures = {f"{name}_ms_p50": 1000 * value for name, value in p50.items()}
    figures |= {f"{name}_ms_p99": 1000 * float(np.quantile(values, 0.99)) for name, values in found.items()}
    figures |= {f"{name}_bytes_a_reading": value / rows for name, value in bytes_of.items()}
    figures |= {"fill_rows_s": rows / fill_s, "rollup_rows_s": rows / rollup_s}
    return Report(
        ratios={"window_over_bare_select": p50["series_7_days_bare_select"] / p50["series_7_days_readings"]},
        figures=figures,
        conditions={
            "readings": rows,
            "series": len(ids),
            "every": f"{STEP_MIN} min over {count} days, stored in order of time by {WRITERS} connections",
            "questions": "one after the other in turn, random series; server otherwise idle, not restarted",
            "city": f"totals of {DEVICES} series of {QUANTITY} by local day",
            "durability": "fsync, full_page_writes and synchronous_commit on",
            "storage": "native weekly partitions, primary key (series_id, time), BRIN (time, received)",
            "rounds": rounds,
        },
    )
