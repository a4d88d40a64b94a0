"""One load through a city, or through something else that shall store it: rows a second, all rows counted."""

import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg

from bench import city as cities
from bench import reference
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
