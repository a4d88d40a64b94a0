"""Figures of the whole city for Prometheus: what parts say each second, what waits in the broker, what lies in the
database. Served by situation_center/api/operations.py; names are those of docs/how-to/production.md."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from citynet import __version__
from citynet.bus import NatsBus
from citynet.bus_lag import Waiting, waiting
from citynet.db import Row, named_sql
from citynet.model import PartStats
from citynet.ready import Check, checks
from situation_center.live import GONE_S, Hub
from situation_center.store import Center

SQL = named_sql(Path(__file__).with_suffix(".sql"))
Labels = dict[str, str]
# Gauges of parts whose name is not yet one of Prometheus: name here -> (metric, labels, factor to base units).
GAUGES: dict[str, tuple[str, Labels, float]] = {
    "cpu_s": ("process_cpu_seconds_total", {}, 1),
    "rss_bytes": ("process_resident_memory_bytes", {}, 1),
    "stored_ms_p50": ("storing_latency_seconds", {"quantile": "0.5"}, 1e-3),
    "stored_ms_p99": ("storing_latency_seconds", {"quantile": "0.99"}, 1e-3),
    "disk_database_used": ("disk_used_ratio", {"disk": "database"}, 1e-2),
    "disk_database_free_bytes": ("disk_free_bytes", {"disk": "database"}, 1),
    "disk_broker_used": ("disk_used_ratio", {"disk": "broker"}, 1e-2),
    "disk_broker_free_bytes": ("disk_free_bytes", {"disk": "broker"}, 1),
}
BY_REASON = re.compile(r"(quarantined|refused)_(\w+)")


@dataclass(frozen=True)
class Seen:
    """All that is asked of broker and database; at: when."""

    at: datetime
    waiting: Waiting | None
    backlog: int
    received: datetime | None
    kept: list[Row]
    incidents: list[Row]


async def look(db: Center) -> Seen:
    """Raises Unavailable and what the database raises."""
    async with db.reader() as conn:
        backlog, newest = [await (await conn.execute(SQL[name])).fetchone() for name in ("backlog", "newest")]
        kept, incidents = [await (await conn.execute(SQL[name])).fetchall() for name in ("kept", "open_incidents")]
    assert backlog is not None
    return Seen(
        at=datetime.now(UTC),
        waiting=await waiting(db.bus) if isinstance(db.bus, NatsBus) else None,
        backlog=backlog["n"],
        received=newest["received"] if newest else None,
        kept=kept,
        incidents=incidents,
    )


async def gather(db: Center) -> tuple[Seen, list[Check]]:
    """What a scrape says beside the parts: too dear to be asked for each."""
    return await look(db), await checks(db, db.bus)


class Families:
    """Metrics by name, made at their first sample: help, unit and type once, whoever adds samples."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[CounterMetricFamily | GaugeMetricFamily, tuple[str, ...]]] = {}

    def add(self, name: str, value: float, about: str, **labels: str) -> None:
        """A sample of citynet_<name>; a name that ends in _total is a counter. Labels of a name are always the same."""
        full = f"citynet_{re.sub(r'[^a-z0-9_]', '_', name)}"
        if full not in self._made:
            kind = CounterMetricFamily if full.endswith("_total") else GaugeMetricFamily
            self._made[full] = (kind(full, about, labels=tuple(labels)), tuple(labels))
        family, names = self._made[full]
        family.add_metric([labels[one] for one in names], value)

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client: what is to be said."""
        return [family for family, _ in self._made.values()]


def text(gathered: tuple[Seen, list[Check]], hub: Hub, *, now: float) -> bytes:
    """The answer to a scrape, in the text format of Prometheus. now: monotonic, as the hub counts."""
    seen, found = gathered
    families = Families()
    families.add("info", 1, "The version that answers", version=__version__)
    families.add("ready", float(all(one.ok for one in found if one.needed)), "Whether /readyz answers 200")
    families.add("gathered_age_seconds", _age_s(seen.at), "Age of what is not told by the parts")
    for sample in hub.parts.values():
        _part(families, sample.stats, now - sample.at)
    if seen.waiting:
        _broker(families, seen.waiting)
    _database(families, seen)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(families)
    return generate_latest(registry)


def _age_s(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()


def _part(families: Families, stats: PartStats, age_s: float) -> None:
    of = {"part": stats.part, "pid": str(stats.pid)}
    active = float(stats.active and age_s <= GONE_S)
    families.add("part_active", active, "1: works, 0: stands by, or is not heard of any more", **of)
    families.add("part_silent_seconds", age_s, "Time since the part spoke last", **of)
    if age_s > GONE_S:
        return
    for name, value in stats.counters.items():
        reason = BY_REASON.fullmatch(name)
        if reason:
            about = "Frames and rows set aside or refused, by reason"
            families.add(f"{stats.part}_{reason[1]}_by_reason_total", value, about, reason=reason[2], pid=of["pid"])
        else:
            families.add(f"{stats.part}_{name}_total", value, f"{name} of the part since its start", pid=of["pid"])
    for name, gauge in stats.gauges.items():
        if name in GAUGES:
            metric, labels, factor = GAUGES[name]
            families.add(metric, gauge * factor, f"{name} as the part sees it", **of, **labels)
        else:
            families.add(f"{stats.part}_{name}", gauge, f"{name} of the part now", pid=of["pid"])


def _broker(families: Families, found: Waiting) -> None:
    for (stream, durable), lag in sorted(found.lags.items()):
        families.add(
            "lag_messages", lag, "Messages that a durable has not acknowledged", stream=stream, durable=durable
        )
    for stream, (messages, size, most) in sorted(found.streams.items()):
        families.add("stream_messages", messages, "Messages that a stream holds", stream=stream)
        families.add("stream_bytes", size, "Bytes that a stream holds", stream=stream)
        families.add("stream_limit_bytes", most, "Most bytes of a stream", stream=stream)


def _database(families: Families, seen: Seen) -> None:
    families.add("rollup_backlog", seen.backlog, "Hours of blocks that wait to be rolled up, at most 100000")
    if seen.received:
        age_s = (seen.at - seen.received).total_seconds()
        families.add("newest_reading_age_seconds", age_s, "Time since the newest value came")
    for row in seen.kept:
        families.add("kept_bytes", row["bytes"], "Bytes of a class of data", kind=row["class"])
        if row["back_s"] is not None:
            families.add("kept_seconds", row["back_s"], "How far a class of data reaches back", kind=row["class"])
    for row in seen.incidents:
        families.add("incidents_open", row["n"], "Open incidents", priority=str(row["priority"]))


def lag_checks(seen: Seen) -> Iterator[Check]:
    """What an operator wants to see beside readiness: it makes no process unready."""
    for stage, lag in (seen.waiting.by_stage() if seen.waiting else {}).items():
        yield Check(f"lag:{stage}", True, {"messages": lag}, needed=False)
    if seen.received:
        yield Check("newest_reading", True, {"age_s": round(_age_s(seen.received), 1)}, needed=False)
