"""Two processes of each part: one of each is killed, its work moves by itself, nothing is lost, doubled or repeated."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import psycopg
import pytest

from analytics.city import city_of
from analytics.engine import Engine
from analytics.hours import LocalHours
from analytics.lane import readings_of
from bench.city import KEYS, names, plant
from citynet import bus, db, embedded, registry
from citynet.bus import Consumer
from citynet.catalog import catalog
from citynet.model import Event
from citynet.settings import Settings
from citynet.supervisor import City
from simulators.load import Load, Message, message
from tests.support.analytics import Row, body

PARTS = ("gateway", "ingest", "analytics")
DEVICES, TURNS, RATE_S = 16, 50, 400
STEP_S, AHEAD_S = 0.05, 70.0  # the last reading lets the watermark pass all others
LOW, HIGH = 50.0, 500.0
WITHIN_S = 60.0
TEST_EVENTS = Consumer("EVENTS", "test-events", "events.>")
Reading = tuple[int, float, float]  # series, seconds after the start, value


@pytest.fixture
def city(server_home: Path) -> Iterator[City]:
    """Frames in the hands of a killed process come again after 3 s instead of 30."""
    settings = embedded.apart(server_home / "scale", ack_wait_s=3, copies="gateway=2,ingest=2,analytics=2")
    with City(settings, parts=PARTS) as city:
        yield city


def fleet(series: dict[str, list[int]], start: datetime) -> tuple[list[Message], list[Reading]]:
    """Stations whose dust rises and falls, each in its own rhythm; what they send and what is to be stored."""
    messages, readings = [], []
    for turn in range(TURNS):
        for number, (device, places) in enumerate(series.items()):
            at = turn * STEP_S + (AHEAD_S if turn == TURNS - 1 else 0)
            values = dict.fromkeys(KEYS, LOW) | {"pm25": HIGH if (turn + number) % (6 + number) < 3 else LOW}
            body = {"time": round(start.timestamp() + at, 3), "values": values}
            messages.append(message(f"devices/{device}/up", msgspec.json.encode(body)))
            readings += [(one, at, values[key]) for one, key in zip(places, KEYS, strict=True)]
    return messages, readings


async def uninterrupted(settings: Settings, readings: list[Reading], start: datetime) -> set[tuple[str, datetime]]:
    """Events that one engine makes of all this without a stop."""
    database = await db.Database(db.dsn(settings, "analytics")).open()
    engine = Engine(LocalHours(settings.timezone))
    engine.configure(city_of(await registry.load(database), catalog().quantities))
    await database.close()
    rows = [Row(one, at, value) for one, at, value in readings]
    data = body(rows, first_seq=1, partition=0, start=start)
    return {(str(event.event_id), event.time) for event in engine.live([readings_of(data, 0)[0]])}


def spread(city: City, part: str) -> list[int]:
    """How many shares of a part each session has that has any."""
    with psycopg.connect(db.dsn(city.settings, "analytics")) as conn:
        rows = conn.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
            " AND classid::int8 = hashtext('citynet:share:' || %s)::int8 & 4294967295 GROUP BY pid ORDER BY 1 DESC",
            [part],
        ).fetchall()
    return [row[0] for row in rows]


def stored(city: City) -> tuple[dict[tuple[int, datetime], float], list[tuple[str, datetime]]]:
    with psycopg.connect(db.dsn(city.settings, "analytics")) as conn:
        readings = conn.execute("SELECT series_id, time, value FROM reading").fetchall()
        events = conn.execute("SELECT event_id::text, time FROM event").fetchall()
    return {(series, time): value for series, time, value in readings}, events


async def told(settings: Settings) -> list[str]:
    """Ids of all events that the stream has taken."""
    async with bus.connected(settings, "admin") as admin:
        puller, ids = await admin.puller(TEST_EVENTS), []
        while frames := await puller.fetch(500, 1.0):
            await puller.ack(frames)
            ids += [str(msgspec.json.decode(frame.data, type=Event).event_id) for frame in frames]
    return ids


def judge_at_once(settings: Settings) -> None:
    """Let the rule on fine dust open and close without waiting, so that there are many events."""
    with psycopg.connect(db.dsn(settings, "owner")) as conn:
        conn.execute("UPDATE rule SET body = body || '{\"hold_s\": 0, \"clear_s\": 0}' WHERE rule_id = 'air.pm25'")


def test_one_of_each_dies_and_the_other_goes_on(city: City) -> None:
    series = plant(city.settings, names(DEVICES))
    judge_at_once(city.settings)
    asyncio.run(told(city.settings))
    start = datetime.now(UTC).replace(microsecond=0)
    messages, readings = fleet(series, start)
    wanted = asyncio.run(uninterrupted(city.settings, readings, start))
    assert len(wanted) > 3 * DEVICES
    load = Load(city.settings, messages, rate_s=RATE_S)
    work = threading.Thread(target=load.run, kwargs={"limit_s": WITHIN_S})
    work.start()
    for number, part in enumerate(PARTS, 1):
        while load.acked_count < len(messages) * number // 4:
            work.join(0.02)
        city.children[part].process.send_signal(signal.SIGKILL)
    work.join()
    assert load.acked_count == len(messages)
    # Nobody revives the dead meanwhile: what they had to do, the others do.
    want = {(one, start + timedelta(seconds=at)): value for one, at, value in readings}
    assert wait(city, want, wanted) == (want, wanted)
    assert sorted(asyncio.run(told(city.settings))) == sorted(event for event, _ in wanted)
    assert shared_out(city) == [[9], [8]]


def shared_out(city: City) -> list[list[int]]:
    """Shares of the workers of gateway and analytics."""
    return [spread(city, part) for part in ("gateway", "analytics")]


def wait(
    city: City, want: dict[tuple[int, datetime], float], events: set[tuple[str, datetime]]
) -> tuple[dict[tuple[int, datetime], float], set[tuple[str, datetime]]]:
    """What is stored, once it is enough or nothing more comes."""
    until = datetime.now(UTC) + timedelta(seconds=WITHIN_S)
    found = stored(city)
    while (len(found[0]), len(found[1])) < (len(want), len(events)) and datetime.now(UTC) < until:
        found = stored(city)
    print(f"acknowledged {len(want)}, stored {len(found[0])}, lost {len(want.keys() - found[0].keys())}")
    return found[0], set(found[1])
