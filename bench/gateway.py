"""Benchmark `gateway`: stored uplinks -> readings batch acknowledged, beside bare `fetch` of the same messages."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import nats.errors
import uvloop
from nats.js.api import AckPolicy, ConsumerConfig

from bench import city as cities
from bench import radio
from bench.crowd import crowd
from bench.frame import BENCHMARKS, Competitor, Report, in_turn, medians, spread
from citynet import bus, db
from citynet.bus import Consumer, NatsBus
from citynet.model import PARTITIONS
from citynet.part import Part, close_part
from citynet.settings import Settings
from citynet.supervisor import City
from gateway.app import calm_collector
from gateway.directory import Directory, open_directory
from gateway.uplink import Lane
from simulators.load import Load, fleet

LIMIT_S = 120.0
KEYS = cities.KEYS[:3]
DEVICES = 1_000
CROWD, CROWD_QUICK = 100_000, 20_000


class Took(NamedTuple):
    """Seconds of one run: wall, CPU of the measured process, CPU of the codec processes that it started."""

    wall_s: float
    cpu_s: float
    codecs_s: float = 0.0


@dataclass
class Rates:
    """What the runs gave besides their rate, us an uplink: CPU of the measured process, and of its codec processes."""

    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    codec_cpu_us: dict[str, list[float]] = field(default_factory=dict)


def consumers(name: str) -> list[Consumer]:
    """Durables of a run of its own, like those of the gateway."""
    return [Consumer("UPLINKS", f"{name}-{k}", f"up.{k}.>", in_order=True, lean=True) for k in range(PARTITIONS)]


async def anew(admin: NatsBus, durables: list[Consumer]) -> None:
    """Durables at the first message, and no batches left over."""
    for one in durables:
        with suppress(nats.js.errors.NotFoundError):
            await admin.js.delete_consumer(one.stream, one.durable)
    await admin.js.purge_stream("READINGS")


async def short_memory(admin: NatsBus) -> None:
    """READINGS takes the same batches again in every round: its memory of message ids must not make that cheaper."""
    config = (await admin.js.stream_info("READINGS")).config
    config.duplicate_window = 0.1
    await admin.js.update_stream(config)


async def opened(settings: Settings) -> Part:
    """A gateway without its shell."""
    database = await db.Database(db.dsn(settings, "gateway")).open()
    part = Part("gateway", settings, database, await bus.connect(settings, "gateway"))
    await part.load_clock()
    return part


async def drained(work: list[Coroutine[Any, Any, None]], done: Callable[[], bool]) -> None:
    """Run lanes until done says so."""
    tasks = [asyncio.create_task(one) for one in work]
    until = time.perf_counter() + LIMIT_S
    while not done():
        if time.perf_counter() > until:
            raise TimeoutError(f"not everything was taken within {LIMIT_S:.0f} s")
        for task in tasks:
            if task.done():
                task.result()
        await asyncio.sleep(0.002)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def gateway_run(settings: Settings, messages: int, values: int) -> Took:
    """What the gateway's live lanes take for all stored messages, with its codec processes."""
    part = await opened(settings)
    directory: Directory = await open_directory(part)
    try:
        durables = consumers("bench-gateway")
        async with bus.connected(settings, "admin") as admin:
            await anew(admin, durables)
        pullers = [await part.bus.puller(one) for one in durables]
        lanes = [Lane(part, directory, one, number) for number, one in enumerate(durables)]
        work = [lane.run(puller) for lane, puller in zip(lanes, pullers, strict=True)]
        began, cpu = time.perf_counter(), time.process_time()
        await drained(work, lambda: part.counters["uplinks"] >= messages)
        took = Took(
            time.perf_counter() - began, time.process_time() - cpu, cities.helpers_cpu_s("gateway.codecs.worker")
        )
        if (part.counters["readings_live"], part.counters["quarantined"]) != (messages * values, 0):
            raise AssertionError(f"not every uplink became {values} live readings: {dict(part.counters)}")
    finally:
        await directory.pool.aclose()
        await close_part(part)
    return took


async def fetch_run(settings: Settings, messages: int) -> Took:
    """What nats-py's fetch takes and one acknowledgement a batch, on the same partitions."""
    taken = 0
    durables = consumers("bench-fetch")
    async with bus.connected(settings, "admin") as admin, bus.connected(settings, "gateway") as client:
        await anew(admin, durables)
        for one in durables:
            await admin.js.add_consumer(
                one.stream,
                ConsumerConfig(
                    durable_name=one.durable,
                    filter_subject=one.filter_subject,
                    ack_policy=AckPolicy.ALL,
                    max_ack_pending=settings.max_ack_pending,
                ),
            )

        async def follow(one: Consumer) -> None:
            nonlocal taken
            subscription = await client.js.pull_subscribe_bind(durable=one.durable, stream=one.stream)
            while True:
                try:
                    found = await subscription.fetch(settings.batch_frames, timeout=1.0)
                except (TimeoutError, nats.errors.TimeoutError):
                    continue
                await found[-1].ack()
                taken += len(found)

        began, cpu = time.perf_counter(), time.process_time()
        await drained([follow(one) for one in durables], lambda: taken >= messages)
        return Took(time.perf_counter() - began, time.process_time() - cpu)


def timed(name: str, work: Callable[[], Coroutine[Any, Any, Took]], *, messages: int, rates: Rates) -> Competitor:
    """A competitor: uplinks a second of wall time."""

    def run() -> float:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            took = runner.run(work())
        rates.cpu_us.setdefault(name, []).append(took.cpu_s / messages * 1e6)
        rates.codec_cpu_us.setdefault(name, []).append(took.codecs_s / messages * 1e6)
        return messages / took.wall_s

    return run


def fill(city: City, messages: int) -> None:
    """Store uplinks of 3 values by MQTT QoS 1, as devices do; all of the last minutes."""
    start = datetime.now(UTC) - timedelta(seconds=messages // DEVICES + 60)
    made = fleet(cities.names(DEVICES), messages=messages, moments=1, keys=KEYS, start=start)
    Load(city.settings, made).run(limit_s=LIMIT_S)


def fill_radio(city: City, messages: int) -> None:
    """Store uplinks of radio stations instead of all others, as the bridge to ChirpStack does."""
    asyncio.run(_emptied(city.settings))
    start = datetime.now(UTC) - timedelta(seconds=messages // DEVICES + 60)
    made = radio.fleet(radio.names(DEVICES), messages=messages, start=start)
    Load(city.settings, made, user="lorawan").run(limit_s=LIMIT_S)


def race(settings: Settings, name: str, *, messages: int, values: int, rounds: int) -> dict[str, float]:
    """Figures of the gateway (name) and of bare fetch (name_fetch) on what UPLINKS holds."""
    rates = Rates()
    works = {
        name: partial(gateway_run, settings, messages, values),
        f"{name}_fetch": partial(fetch_run, settings, messages),
    }
    competitors = {each: timed(each, work, messages=messages, rates=rates) for each, work in works.items()}
    for run in competitors.values():
        run()
    calm_collector()  # as the gateway does at its start; for both
    rates.cpu_us.clear()
    rates.codec_cpu_us.clear()
    found = in_turn(competitors, rounds=rounds)
    figures = {f"{each}_uplinks_s": value for each, value in medians(found).items()}
    figures |= {f"{each}_cpu_us": value for each, value in medians(rates.cpu_us).items()}
    figures |= {f"{each}_codec_cpu_us": value for each, value in medians(rates.codec_cpu_us).items() if value}
    return figures | {f"spread_{each}": spread(values) for each, values in found.items()}


def ratios(figures: dict[str, float]) -> dict[str, float]:
    """The gateway over bare fetch: by wall time, and with a codec by the CPU of both processes together too."""
    codec_us = figures["chirpstack_codec_cpu_us"] + figures["chirpstack_codec_codec_cpu_us"]
    return {
        "native_over_fetch": figures["native_uplinks_s"] / figures["native_fetch_uplinks_s"],
        "chirpstack_codec_over_fetch": figures["chirpstack_codec_uplinks_s"]
        / figures["chirpstack_codec_fetch_uplinks_s"],
        "chirpstack_codec_over_fetch_cpu": figures["chirpstack_codec_fetch_cpu_us"] / codec_us,
    }


@BENCHMARKS.register("gateway")
def gateway(quick: bool) -> Report:
    """Uplinks a second on one core, from UPLINKS to the acknowledged readings batch, over nats-py's bare fetch."""
    messages, rounds = (20_000, 5) if quick else (100_000, 7)
    with cities.running(("ingest",)) as city:
        cities.plant(city.settings, cities.names(DEVICES))
        radio.plant(city.settings, radio.names(DEVICES))
        with cities.paused(city, ("ingest",)):
            asyncio.run(prepared(city.settings))
            fill(city, messages)
            figures = race(city.settings, "native", messages=messages, values=len(KEYS), rounds=rounds)
            fill_radio(city, messages)
            figures |= race(city.settings, "chirpstack_codec", messages=messages, values=radio.VALUES, rounds=rounds)
            asyncio.run(_emptied(city.settings))
        figures |= crowd(city, CROWD_QUICK if quick else CROWD, rounds=rounds)
    return Report(
        ratios=ratios(figures),
        figures=figures,
        conditions={
            "measured": "stored in UPLINKS to readings batch acknowledged by READINGS and uplinks acknowledged; wall",
            "fetch": "nats-py fetch(2000) and one acknowledgement a batch on the same 8 partitions, uvloop as ours",
            "on the same machine": "NATS; PostgreSQL and ingest idle",
            "uplinks": f"{messages} native JSON of {len(KEYS)} values by MQTT QoS 1, {DEVICES} devices, 8 partitions",
            "chirpstack_codec": f"{messages} ChirpStack JSON events of {DEVICES} devices, schemas/codecs/"
            f"{radio.PROFILE}.js, {radio.VALUES} readings each",
            "one core": "the gateway is one process of one thread; its codec process works beside it, _cpu counts both",
            "rounds": rounds,
            "devices in the registry": CROWD_QUICK if quick else CROWD,
            "start_s": "start of the process to the readings of an uplink that was waiting",
            "rss_mb": "gateway process when every device of the registry has spoken",
            "change_s": "commit of a swap of two devices, not announced, to readings in the other series",
        },
    )


async def _emptied(settings: Settings) -> None:
    async with bus.connected(settings, "admin") as admin:
        await admin.js.purge_stream("UPLINKS")


async def prepared(settings: Settings) -> None:
    async with bus.connected(settings, "admin") as admin:
        await short_memory(admin)
