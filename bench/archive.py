"""Benchmark `archive`: what keeping raw frames for weeks costs, beside the gateway's own work on the same frames."""

import asyncio
import statistics
import time
from functools import partial

import psycopg

from bench import city as cities
from bench import gateway
from bench.frame import BENCHMARKS, Report, in_turn, medians, spread
from citynet import archive, bus, db
from citynet.bus import INGEST_ARCHIVE
from citynet.part import Part, close_part
from citynet.settings import Settings
from gateway.app import calm_collector
from ingest.archive import BLOCK_FRAMES, BlockWriter
from ingest.lane import Lane

SIZES = "SELECT sum(octet_length(body))::float8, sum(raw_bytes)::float8 FROM frame_block"


async def archive_run(settings: Settings, messages: int) -> gateway.Took:
    """Wall and CPU seconds of the archive for all stored messages, into an empty table."""
    with psycopg.connect(db.dsn(settings, "owner"), autocommit=True) as owner:
        owner.execute("TRUNCATE frame_block")
    database = await db.Database(db.dsn(settings, "ingest")).open()
    part = Part("ingest", settings, database, await bus.connect(settings, "ingest"))
    try:
        async with bus.connected(settings, "admin") as admin:
            await gateway.anew(admin, INGEST_ARCHIVE[:1])
        lane = Lane(part, INGEST_ARCHIVE[0], BlockWriter("UPLINKS"), BLOCK_FRAMES, gather_s=1.0)
        began, cpu = time.perf_counter(), time.process_time()
        await gateway.drained([lane.run()], lambda: part.counters["frames_archived"] >= messages)
        return gateway.Took(time.perf_counter() - began, time.process_time() - cpu)
    finally:
        await close_part(part)


def read_back(settings: Settings, messages: int) -> float:
    """Frames a second of reading the whole archive."""
    began = time.perf_counter()
    with psycopg.connect(db.dsn(settings, "gateway")) as conn:
        rows = conn.execute("SELECT body, raw_bytes FROM frame_block ORDER BY last_at, block_id")
        found = sum(len(archive.unpack(body, raw_bytes)) for body, raw_bytes in rows)
    if found != messages:
        raise AssertionError(f"{found} frames archived, not {messages}")
    return messages / (time.perf_counter() - began)


@BENCHMARKS.register("archive")
def archive_cost(quick: bool) -> Report:
    """Bytes and CPU a raw frame costs in the archive, and the gateway's CPU for the same frame."""
    messages, rounds = (20_000, 5) if quick else (100_000, 7)
    rates = gateway.Rates()
    with cities.running(("ingest",)) as city:
        cities.plant(city.settings, cities.names(gateway.DEVICES))
        with cities.paused(city, ("ingest",)):
            gateway.fill(city, messages)
            asyncio.run(gateway.prepared(city.settings))
            works = {
                "archive": partial(archive_run, city.settings, messages),
                "gateway": partial(gateway.gateway_run, city.settings, messages, len(gateway.KEYS)),
            }
            competitors = {
                name: gateway.timed(name, work, messages=messages, rates=rates) for name, work in works.items()
            }
            calm_collector()
            for run in competitors.values():
                run()
            rates.cpu_us.clear()
            found = in_turn(competitors, rounds=rounds)
            read = statistics.median([read_back(city.settings, messages) for _ in range(rounds)])
            with psycopg.connect(db.dsn(city.settings, "owner")) as owner:
                stored, raw = owner.execute(SIZES).fetchone() or (0.0, 0.0)
    cpu = medians(rates.cpu_us)
    figures = {f"{name}_cpu_us": value for name, value in cpu.items()}
    figures |= {f"{name}_uplinks_s": value for name, value in medians(found).items()}
    figures |= {f"spread_{name}": spread(values) for name, values in found.items()}
    figures |= {"stored_bytes_frame": stored / messages, "raw_bytes_frame": raw / messages, "read_frames_s": read}
    return Report(
        ratios={"gateway_cpu_over_archive_cpu": cpu["gateway"] / cpu["archive"]},
        figures=figures,
        conditions={
            "measured": "UPLINKS to committed blocks of at most 2,000 frames and frames acknowledged; process CPU",
            "gateway": "the same frames to acknowledged readings batches, with the archive still",
            "uplinks": f"{messages} native JSON of {len(gateway.KEYS)} values, {gateway.DEVICES} devices",
            "rounds": rounds,
        },
    )
