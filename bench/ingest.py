"""Benchmark `ingest`: MQTT QoS 1 publish -> committed and queryable, beside the bare database and a usual script."""

import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import psycopg

from bench import city as cities
from bench import reference
from bench.frame import BENCHMARKS, Competitor, Report, in_turn, medians, spread
from bench.peers import broker
from citynet import db, embedded
from citynet.supervisor import City
from ingest.rows import Rows
from ingest.table import microseconds
from simulators.load import Load, Message, fleet

POLL_S = 0.01
LIMIT_S = 300.0


@dataclass(frozen=True)
class Shape:
    """Uplinks of one form: moments of keys values in each; every device of the fleet sends equally many."""

    name: str
    messages: int
    moments: int
    keys: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Rows of all messages."""
        return self.messages * self.moments * len(self.keys)


SHAPES = (
    Shape("rows1", 60_000, 1, cities.KEYS[:1]),
    Shape("rows5", 60_000, 1, cities.KEYS),
    Shape("rows100", 5_000, 20, cities.KEYS),
)
# Scripts of bench/peers with their arguments: the shape and how many messages each is measured with. The newest value
# and the duplicates of a row are not their business, and neither are decoding, units and quarantine.
PEERS = {
    "paho_insert": ("paho_insert", "rows1", 4_000),
    "paho_executemany": ("paho_executemany", "rows1", 20_000),
    "telegraf_default": ("telegraf default", "rows5", 20_000),
    "telegraf_tuned": ("telegraf tuned", "rows5", 20_000),
}


@dataclass
class Bench:
    """One city and its fleet; every run begins on empty tables and with times that were never used."""

    city: City
    series: dict[str, list[int]]
    start: datetime = field(default_factory=lambda: (datetime.now(UTC) - timedelta(minutes=55)).replace(microsecond=0))
    cpu_s: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    def _messages(self, shape: Shape) -> tuple[list[Message], Rows]:
        cities.clean(self.city)
        devices = list(self.series)
        messages = fleet(devices, messages=shape.messages, moments=shape.moments, keys=shape.keys, start=self.start)
        series = [numbers[: len(shape.keys)] for numbers in self.series.values()]
        start_us = microseconds(self.start)
        rows = reference.as_rows(series, messages=shape.messages, moments=shape.moments, start_us=start_us)
        self.start += timedelta(seconds=-(-shape.messages // len(devices)) * shape.moments)
        return messages, rows

    def ours(self, shape: Shape) -> float:
        """Rows a second, from the first publish to the commit of the last row."""
        messages, rows = self._messages(shape)
        before = cities.cpu_s(self.city)
        began = time.perf_counter()
        Load(self.city.settings, messages).run(limit_s=LIMIT_S)
        self._wait(rows, began)
        took = time.perf_counter() - began
        used = cities.cpu_s(self.city)
        self.cpu_s.setdefault(shape.name, []).append({name: used[name] - before[name] for name in used})
        self._check(len(rows))
        return len(rows) / took

    def _wait(self, rows: Rows, began: float) -> None:
        """Until the newest value of every series is the last one sent: partitions keep their order, so all is there."""
        count = len(np.unique(rows.series))
        query = "SELECT count(*) FROM newest WHERE time >= %s"
        last = self.start - timedelta(seconds=1)
        with psycopg.connect(db.dsn(self.city.settings, "analytics"), autocommit=True) as conn:
            while conn.execute(query, [last]).fetchone() != (count,):
                if time.perf_counter() - began > LIMIT_S:
                    raise TimeoutError(f"not everything was stored within {LIMIT_S:.0f} s")
                time.sleep(POLL_S)

    def _check(self, rows: int) -> None:
        """Every row must be there, or the figure is worth nothing."""
        with psycopg.connect(db.dsn(self.city.settings, "analytics")) as conn:
            found = conn.execute("SELECT count(*) FROM reading").fetchone()
        if found != (rows,):
            raise AssertionError(f"{rows} rows were sent, {found} are stored")

    def copied(self, shape: Shape, *, staged: bool) -> float:
        """Rows a second of the bare database, all parts stopped."""
        _, rows = self._messages(shape)
        with cities.paused(self.city):
            return (reference.staged_copy if staged else reference.plain_copy)(self.city.settings, rows)

    def peer(self, words: str, shape: Shape) -> float:
        """Rows a second of a script of bench/peers (its name and arguments) on a broker of its own, parts stopped."""
        messages, rows = self._messages(shape)
        settings = self.city.settings.model_copy(update={"mqtt_port": embedded.free_port()})
        script, *more = words.split()
        command = [sys.executable, "-m", f"bench.peers.{script}", str(settings.mqtt_port), db.dsn(settings, "ingest")]
        with (
            cities.paused(self.city),
            broker.plain(settings.mqtt_port, fleet_password=settings.secret("nats_fleet")),
            subprocess.Popen([*command, *more], stdout=subprocess.PIPE) as peer,
        ):
            try:
                assert peer.stdout
                assert peer.stdout.readline() == b"ready\n"
                began = time.perf_counter()
                Load(settings, messages).run(limit_s=LIMIT_S)
                self._wait_for_peer(len(rows), began)
                return len(rows) / (time.perf_counter() - began)
            finally:
                peer.kill()

    def _wait_for_peer(self, rows: int, began: float) -> None:
        with psycopg.connect(db.dsn(self.city.settings, "analytics"), autocommit=True) as conn:
            while conn.execute("SELECT count(*) FROM reading").fetchone() != (rows,):
                if time.perf_counter() - began > LIMIT_S:
                    raise TimeoutError("the peer did not store everything")
                time.sleep(POLL_S * 5)


@BENCHMARKS.register("ingest")
def ingest(quick: bool) -> Report:
    """Ratios of rows a second: ours over staging + ON CONFLICT of the same rows, and over the scripts of others."""
    part = 4 if quick else 1
    shapes = {s.name: Shape(s.name, s.messages // part, s.moments, s.keys) for s in SHAPES}
    rounds, devices = (3, 250) if quick else (5, 1000)
    with cities.running() as city:
        bench = Bench(city, cities.plant(city.settings, cities.names(devices)))
        bench.ours(shapes["rows5"])  # caches, plans and the registry are warm, as in a city that has run for a minute
        bench.cpu_s.clear()
        competitors: dict[str, Competitor] = {}
        for name, (words, like, messages) in PEERS.items():
            competitors[name] = partial(bench.peer, words, replace(shapes[like], messages=messages // part))
        for shape in shapes.values():
            competitors[f"ours_{shape.name}"] = partial(bench.ours, shape)
            competitors[f"staged_{shape.name}"] = partial(bench.copied, shape, staged=True)
            competitors[f"plain_{shape.name}"] = partial(bench.copied, shape, staged=False)
        found = in_turn(competitors, rounds=rounds)
    return _report(found, bench, list(shapes.values()))


def _report(found: dict[str, list[float]], bench: Bench, shapes: list[Shape]) -> Report:
    rate = medians(found)
    ratios = {f"over_copy_{shape.name}": rate[f"ours_{shape.name}"] / rate[f"staged_{shape.name}"] for shape in shapes}
    ratios |= {f"over_plain_{s.name}": rate[f"ours_{s.name}"] / rate[f"plain_{s.name}"] for s in shapes}
    ratios |= {f"over_{name}": rate[f"ours_{like}"] / rate[name] for name, (_, like, _) in PEERS.items()}
    figures = {f"{name}_rows_s": value for name, value in rate.items()}
    figures |= {f"spread_{name}": spread(values) for name, values in found.items()}
    for shape in shapes:
        for part in (*bench.city.parts, "nats", "postgres"):
            used = medians({part: [run[part] for run in bench.cpu_s[shape.name]]})[part]
            figures[f"{part}_{shape.name}_cpu_s_per_million_rows"] = used * 1e6 / shape.rows
    return Report(ratios, figures, _conditions(bench, shapes, rounds=len(found["paho_insert"])))


def _conditions(bench: Bench, shapes: list[Shape], *, rounds: int) -> dict[str, str | int | float | bool]:
    return {
        "measured": "first MQTT QoS 1 publish to commit of the last row; all rows counted afterwards",
        "on the same machine": f"load generator, NATS, PostgreSQL, {', '.join(bench.city.parts)}",
        "durability": "fsync and synchronous_commit on; NATS file streams, one replica, fsync every 2 min",
        "indexes": "primary key (series_id, time) on weekly range partitions, tables emptied before every run",
        "reference": f"COPY to a stage, INSERT ON CONFLICT, commit each {reference.BATCH_ROWS} rows; our parts stopped",
        "peers": "QoS 1, own NATS broker, our parts stopped; one fleet message shape each, see bench/peers",
        "paho_insert": "rows1; paho on_message, one INSERT a value, one commit a message",
        "paho_executemany": "rows1; executemany and commit each 1,000 rows or second; what it holds is lost with it",
        "telegraf_default": "rows5; 1,000 undelivered, COPY each 1,000 rows or 10 s, acknowledged after the commit",
        "telegraf_tuned": "rows5; 10,000 undelivered, a stage and ON CONFLICT each 10,000 rows or 1 s, kept session",
        "rounds": rounds,
        "devices": len(bench.series),
        **{f"{shape.name}": f"{shape.messages} messages of {shape.rows // shape.messages} rows" for shape in shapes},
    }
