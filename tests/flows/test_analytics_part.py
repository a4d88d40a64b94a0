"""READINGS in, EVENTS out, on a real broker and database: each event once, also when the process is killed."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from analytics.city import city_of
from analytics.engine import Engine
from analytics.hours import LocalHours
from analytics.judge import Outages
from analytics.lane import readings_of
from analytics.store import Store
from citynet import registry
from citynet.bus import ANALYTICS_HISTORY, ANALYTICS_LIVE, NatsBus
from citynet.catalog import catalog
from citynet.db import Database, dsn
from citynet.errors import Unavailable
from citynet.model import Event, Reply
from citynet.settings import Settings
from tests.support.analytics import START, Row, body, events, plant, process, running, send, set_clock

Series = dict[tuple[str, str], int]


@pytest.fixture
async def series(center_db: Database) -> Series:
    return await plant(center_db)


async def until_saved(bus: NatsBus, database: Database, *, lanes: Any, partition: int = 3) -> None:
    """Until everything published is in a checkpoint and no event waits."""
    async with asyncio.timeout(45):
        while await bus.pending(lanes[partition]):
            await database.row("SELECT pg_sleep(0.05)")


async def test_a_fire_is_told_once(city: Settings, admin_bus: NatsBus, center_db: Database, series: Series) -> None:
    await set_clock(center_db, START)
    bin_ = series["bin/0", "bin_temperature"]
    async with running(city):
        await send(admin_bus, [Row(bin_, 0, 20), Row(bin_, 60, 88)], first_seq=1)
        await send(admin_bus, [Row(bin_, 60, 88)], first_seq=2)
        await send(admin_bus, [Row(bin_, 120, 90), Row(bin_, 180, 91)], first_seq=3)
        [event] = await events(admin_bus, 1)
        await until_saved(admin_bus, center_db, lanes=ANALYTICS_LIVE)
    assert (event.rule_id, event.edge, event.value, event.series_id) == ("waste.fire", "open", 88.0, bin_)
    assert event.time == START + timedelta(seconds=60)
    assert event.why_ru == "Температура в контейнере 88 °C"
    with pytest.raises(TimeoutError):
        await events(admin_bus, 1, timeout_s=0.5)


async def test_silence_is_told_when_nothing_comes(
    city: Settings, admin_bus: NatsBus, center_db: Database, series: Series
) -> None:
    await set_clock(center_db, START + timedelta(seconds=590), speed=60)
    async with running(city):
        await send(admin_bus, [Row(series["inlet/0", "water_flow"], 0, 20)], first_seq=1)
        [event] = await events(admin_bus, 1)
    assert (event.rule_id, event.edge, event.signal) == ("water.inlet_silent", "open", "nodata")
    assert event.time == START + timedelta(seconds=610)


async def test_a_long_outage_of_the_road_is_not_silence_of_devices(
    city: Settings, admin_bus: NatsBus, center_db: Database, series: Series
) -> None:
    flow = series["inlet/0", "water_flow"]
    await set_clock(center_db, START + timedelta(hours=9), speed=10)
    async with running(city) as part:
        await send(admin_bus, [Row(flow, 0, 20)], first_seq=1)
        await until_saved(admin_bus, center_db, lanes=ANALYTICS_LIVE)
        await send(admin_bus, [Row(series["bin/0", "bin_temperature"], 9 * 3600, 88)], first_seq=2)
        assert {event.rule_id for event in await events(admin_bus, 1)} == {"waste.fire"}
        assert part.counters["events"] == 1
        await until_saved(admin_bus, center_db, lanes=ANALYTICS_LIVE)
    await send(admin_bus, [Row(series["bin/1", "bin_temperature"], 20 * 3600, 20)], first_seq=3)
    async with running(city) as part:
        await until_saved(admin_bus, center_db, lanes=ANALYTICS_LIVE)
        assert (part.counters["readings"], part.counters["events"]) == (1, 0)


async def test_history_trains_and_raises_nothing(
    city: Settings, admin_bus: NatsBus, center_db: Database, series: Series
) -> None:
    await set_clock(center_db, START)
    flow, bin_ = series["inlet/0", "water_flow"], series["bin/0", "bin_temperature"]
    old = [Row(flow, -n * 3600, 20 + n % 3) for n in range(24 * 28, 0, -1)]
    async with running(city) as part:
        await send(admin_bus, old, first_seq=1, lane="hist")
        await send(admin_bus, [Row(bin_, -7200, 99)], first_seq=900, lane="hist")
        await until_saved(admin_bus, center_db, lanes=ANALYTICS_HISTORY)
        assert part.counters["history"] == len(old) + 1
        assert part.counters["events"] == 0
        leak = [Row(flow, 60 * n, 40) for n in range(6)]
        await send(admin_bus, leak, first_seq=1)
        [event] = await events(admin_bus, 1)
    assert (event.rule_id, event.value) == ("water.leak", 40.0)
    assert 15 < (event.low or 0) < (event.high or 0) < 28
    assert (event.score or 0) > 6


async def test_a_wrong_clock_is_told_of_and_a_backfill_is_not(
    city: Settings, admin_bus: NatsBus, center_db: Database, series: Series
) -> None:
    await set_clock(center_db, START + timedelta(hours=2))
    bin_, flow = series["bin/0", "bin_temperature"], series["inlet/0", "water_flow"]
    async with running(city) as part:
        past = [Row(flow, 60 * n, 20, delay=3000 - 60 * n) for n in range(49)]
        await send(admin_bus, past, first_seq=1, lane="hist")
        await until_saved(admin_bus, center_db, lanes=ANALYTICS_HISTORY)
        for n in range(10):
            rows = [Row(bin_, 3000 + 90 * n, 20, delay=600), Row(flow, 3600 + 90 * n, 20)]
            await send(admin_bus, rows, first_seq=100 + 2 * n)
        [event] = await events(admin_bus, 1)
        await until_saved(admin_bus, center_db, lanes=ANALYTICS_LIVE)
        assert part.counters["events"] == 1
    assert (event.rule_id, event.edge, event.value) == ("device.clock", "open", 600.0)


def story(series: Series, seed: int) -> list[list[Row]]:
    """Hours of pressure at four inlets and the heat of two bins, with drops, fires, gaps and late readings."""
    chance = random.Random(seed)
    pressure = [series[f"inlet/{n}", "water_pressure"] for n in range(4)]
    heat = [series[f"bin/{n}", "bin_temperature"] for n in range(2)]
    rows, low = [], [False] * 4
    for minute in range(240):
        for n in range(4):
            low[n] ^= chance.random() < 0.08
            if chance.random() < 0.97 and not (n == 3 and 60 < minute < 90):
                rows.append(
                    Row(pressure[n], minute * 60 + n, 1.0 if low[n] else 4.0, delay=chance.choice([1, 1, 20, 300]))
                )
        rows += [Row(one, minute * 60 + 30, chance.choice([20, 20, 20, 90])) for one in heat]
    rows.sort(key=lambda row: row.at + row.delay)
    return [rows[n : n + 9] for n in range(0, len(rows), 9)]


async def uninterrupted(database: Database, messages: list[list[Row]]) -> list[Event]:
    """What one engine makes of the messages without a stop."""
    engine = Engine(LocalHours("Europe/Moscow"), Outages())
    engine.configure(city_of(await registry.load(database), catalog().quantities))
    bodies = [body(rows, first_seq=1 + 9 * n, partition=3) for n, rows in enumerate(messages)]
    return [event for data in bodies for event in engine.live([readings_of(data, 0)[0]])]


async def test_sigkill_neither_repeats_nor_loses_an_event(
    city: Settings, admin_bus: NatsBus, center_db: Database, series: Series
) -> None:
    await set_clock(center_db, START - timedelta(days=1), speed=20)
    messages = story(series, seed=5)
    wanted = await uninterrupted(center_db, messages)
    assert len({event.rule_id for event in wanted}) >= 3
    told: list[Event] = []
    parts = 3
    for number in range(parts):
        with process(city):
            share = range(number * len(messages) // parts, (number + 1) * len(messages) // parts)
            for n in share:
                await send(admin_bus, messages[n], first_seq=1 + 9 * n)
            if number < parts - 1:
                told += await events(admin_bus, 1 + number * 2, timeout_s=60)
            else:
                told += await events(admin_bus, len(wanted) - len(told), timeout_s=60)
                await until_saved(admin_bus, center_db, lanes=ANALYTICS_LIVE)
    with pytest.raises(TimeoutError):
        told += await events(admin_bus, 1, timeout_s=0.5)
    key = [(str(event.event_id), msgspec.json.encode(event)) for event in wanted]
    assert sorted((str(event.event_id), msgspec.json.encode(event)) for event in told) == sorted(key)


async def test_the_former_owner_of_a_partition_saves_no_more(city: Settings) -> None:
    database = await Database(dsn(city, "analytics")).open()
    store = Store(database)
    first, second = await store.take(3), await store.take(3)
    await store.save(replace(second, applied_seq=7, outages=[11]), [], afresh=False)
    with pytest.raises(Unavailable, match="another worker has partition 3"):
        await store.save(replace(first, applied_seq=9), [], afresh=True)
    assert (await store.take(3)).applied_seq == 7
    assert (await store.out_of_work([3]), await store.out_of_work([2])) == ([], [11])
    await database.close()


async def test_a_rule_is_checked_on_request(city: Settings, admin_bus: NatsBus, series: Series) -> None:
    rule = catalog().rules["water.leak"].model_dump(by_alias=True)
    answers = []
    async with running(city):
        for change in ({}, {"text": "flow_of_water > 1"}, {"text": "pm25 > 1"}, {"severity": "terrible"}):
            data = msgspec.json.encode(rule | change)
            answers.append(await ask(admin_bus, data))
    assert [answer.ok for answer in answers] == [True, False, False, False]
    assert "unknown quantity flow_of_water" in answers[1].error
    assert "unknown quantity pm25" in answers[2].error
    assert "severity" in answers[3].error


async def ask(bus: NatsBus, data: bytes) -> Reply:
    """The answer, once the part listens."""
    async with asyncio.timeout(20):
        while True:
            try:
                return msgspec.json.decode(await bus.request("rpc.rule.check", data, timeout_s=2), type=Reply)
            except Unavailable:
                continue
