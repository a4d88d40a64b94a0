"""Benchmark `ingest`: MQTT QoS 1 publish -> committed and queryable, beside the bare database and a usual script."""

from dataclasses import replace
from functools import partial

from bench import city as cities
from bench import latency, reference, workers
from bench.frame import BENCHMARKS, Competitor, Report, in_turn, medians, spread
from bench.loaded import SHAPES, Bench, Shape

# Scripts of bench/peers with their arguments: the shape and how many messages each is measured with. The newest value
# and the duplicates of a row are not their business, and neither are decoding, units and quarantine.
PEERS = {
    "paho_insert": ("paho_insert", "rows1", 4_000),
    "paho_executemany": ("paho_executemany", "rows1", 20_000),
    "telegraf_default": ("telegraf default", "rows5", 20_000),
    "telegraf_tuned": ("telegraf tuned", "rows5", 20_000),
}
PROBE = "probe"


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
    with cities.running() as city:
        planted = cities.plant(city.settings, [*cities.names(devices), PROBE])
        asking = latency.Probe(city.settings, PROBE, planted.pop(PROBE)[0])
        one = Bench(city, planted)
        found |= workers.in_both(one, shapes["rows5"], devices=devices, rounds=rounds)
        most_s = medians(found)["one_worker"] / len(cities.KEYS)
        waited = latency.under_load(one, asking, shapes["rows5"], most_s=most_s, seconds=10 / part)
    return _report(found, bench, list(shapes.values()), waited=waited)


def _report(found: dict[str, list[float]], bench: Bench, shapes: list[Shape], *, waited: dict[str, float]) -> Report:
    rate = medians(found)
    ratios = {f"over_copy_{shape.name}": rate[f"ours_{shape.name}"] / rate[f"staged_{shape.name}"] for shape in shapes}
    ratios |= {f"over_plain_{s.name}": rate[f"ours_{s.name}"] / rate[f"plain_{s.name}"] for s in shapes}
    ratios |= {f"over_{name}": rate[f"ours_{like}"] / rate[name] for name, (_, like, _) in PEERS.items()}
    ratios["two_workers_over_one"] = rate["two_workers"] / rate["one_worker"]
    figures = waited | {f"{name}_rows_s": value for name, value in rate.items()}
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
        "two_workers": f"a city of its own with {workers.COPIES}, beside one of one process each; rows5",
        "latency": "publish until a query finds it, of a device beside a load of so much of what one worker takes",
        "rounds": rounds,
        "devices": len(bench.series),
        **{f"{shape.name}": f"{shape.messages} messages of {shape.rows // shape.messages} rows" for shape in shapes},
    }
