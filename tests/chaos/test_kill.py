"""Kill every process of a city under load: what was acknowledged is stored once, nothing else is."""

import asyncio
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import psycopg
import pytest

from bench.city import KEYS, names, plant
from citynet import archive, bus, db, embedded
from citynet.supervisor import City
from simulators.load import Load, fleet

pytestmark = pytest.mark.chaos
# One round a process in every test run; `make chaos` sets more.
ROUNDS = int(os.environ.get("CITYNET_CHAOS_ROUNDS", "1"))
SEED = int(os.environ.get("CITYNET_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
VICTIMS = ("gateway", "ingest", "analytics", "nats", "postgres")
MESSAGES, RATE_S, DEVICES = 3_000, 1_000, 50
STORED_WITHIN_S = 90.0

ROUND = count()
Stored = dict[tuple[int, datetime], float]


@pytest.fixture(scope="module")
def city(server_home: Path) -> Iterator[City]:
    """A city with its own servers. Frames in the hands of a killed part come again after 3 s instead of 30."""
    settings = embedded.apart(server_home / "chaos", ack_wait_s=3)
    with City(settings, parts=("gateway", "ingest", "analytics")) as city:
        yield city


@pytest.fixture(scope="module")
def series(city: City) -> dict[str, list[int]]:
    """The load's devices and their series."""
    return plant(city.settings, names(DEVICES))


def stored(city: City, start: datetime) -> Stored:
    """All readings of the round that began at start: its number is in the microseconds."""
    query = "SELECT series_id, time, value FROM reading WHERE time >= %s"
    with psycopg.connect(db.dsn(city.settings, "analytics")) as conn:
        rows = conn.execute(query, [start]).fetchall()
    return {(series, time): value for series, time, value in rows if time.microsecond == start.microsecond}


def expected(series: dict[str, list[int]], load: Load, start: datetime) -> Stored:
    """What the acknowledged messages say; see simulators.load.fleet."""
    devices, rows = list(series), {}
    for number, acknowledged in enumerate(load.acked):
        turn, device = divmod(number, len(devices))
        for one in series[devices[device]] if acknowledged else ():
            rows[one, start + timedelta(seconds=turn)] = float(turn % 50)
    return rows


def publish(city: City, load: Load, kill_after_s: float, victim: str) -> None:
    """Publish everything, kill the victim in the middle, let the supervisor revive it."""
    work = threading.Thread(target=load.run, kwargs={"limit_s": STORED_WITHIN_S})
    work.start()
    kill_at, killed = time.monotonic() + kill_after_s, False
    while work.is_alive():
        if not killed and time.monotonic() >= kill_at:
            city.children[victim].process.send_signal(signal.SIGKILL)
            killed = True
        city.watch()
        work.join(0.05)
    assert killed


def wait_until_stored(city: City, want: Stored, start: datetime) -> Stored:
    until = time.monotonic() + STORED_WITHIN_S
    have: Stored = {}
    while len(have) < len(want) and time.monotonic() < until:
        city.watch()
        try:
            have = stored(city, start)
        except psycopg.OperationalError:
            continue
    return have


async def waiting(city: City) -> dict[str, int]:
    """Durable -> messages that nobody has acknowledged, in the streams of readings; the archive gathers in peace."""
    durables = [one for one in bus.CONSUMERS if one.stream in ("UPLINKS", "READINGS") and one not in bus.INGEST_ARCHIVE]
    async with bus.connected(city.settings, "admin") as admin:
        found = {one.durable: await admin.pending(one) for one in durables}
    return {durable: count for durable, count in found.items() if count}


def wait_until_nobody_waits(city: City) -> dict[str, int]:
    """No part may hang: each takes what there is for it."""
    until = time.monotonic() + STORED_WITHIN_S
    left = {"not": 1, "asked": 1}
    while left and time.monotonic() < until:
        city.watch()
        left = asyncio.run(waiting(city))
    return left


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("victim", VICTIMS)
def test_what_was_acknowledged_is_stored_once(
    city: City, series: dict[str, list[int]], victim: str, number: int
) -> None:
    chance = random.Random(f"{SEED}-{victim}-{number}")
    # The last minute: every reading is live. The milliseconds number the rounds, so that no key repeats.
    start = datetime.now(UTC).replace(microsecond=1000 * next(ROUND)) - timedelta(seconds=MESSAGES // DEVICES)
    messages = fleet(list(series), messages=MESSAGES, moments=1, keys=KEYS, start=start)
    load = Load(city.settings, messages, client_id=f"load-{victim}", rate_s=RATE_S)
    publish(city, load, chance.uniform(0.3, MESSAGES / RATE_S * 0.8), victim)
    want = expected(series, load, start)
    have = wait_until_stored(city, want, start)
    lost, doubled = want.keys() - have.keys(), have.keys() - want.keys()
    wrong = [key for key in want.keys() & have.keys() if want[key] != have[key]]
    print(
        f"seed {SEED} {victim}: acknowledged {len(want)}, stored {len(have)}, lost {len(lost)}, doubled {len(doubled)}"
    )
    assert (len(lost), len(doubled), len(wrong)) == (0, 0, 0)
    assert load.acked_count == MESSAGES
    assert wait_until_nobody_waits(city) == {}


async def stream_of(city: City) -> int:
    """Messages that UPLINKS holds: all that it ever got."""
    async with bus.connected(city.settings, "admin") as admin:
        return (await admin.stream_state("UPLINKS"))[0]


def test_after_all_this_each_raw_frame_is_archived_once(city: City, series: dict[str, list[int]]) -> None:
    """Runs last: the parts, the broker and the database have died under the archive by now."""
    if not next(ROUND):
        Load(city.settings, fleet(list(series), messages=100, moments=1, keys=KEYS, start=datetime.now(UTC))).run(
            limit_s=60
        )
    sent, until = asyncio.run(stream_of(city)), time.monotonic() + STORED_WITHIN_S
    seqs: list[int] = []
    while len(seqs) < sent and time.monotonic() < until:
        city.watch()
        with psycopg.connect(db.dsn(city.settings, "owner")) as conn:
            rows = conn.execute("SELECT body, raw_bytes FROM frame_block WHERE stream = 'UPLINKS'").fetchall()
        seqs = [frame.seq for body, raw_bytes in rows for frame in archive.unpack(body, raw_bytes)]
    assert sorted(seqs) == list(range(1, sent + 1))
