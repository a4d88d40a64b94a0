"""Two processes of gateway and of ingest beside one of each, on the same machine and in turn."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from bench import city as cities
from bench.frame import in_turn
from bench.loaded import Bench, Shape
from citynet.supervisor import City

COPIES = "gateway=2,ingest=2"
SERVERS = ("postgres", "nats")


@contextmanager
def asleep(city: City) -> Iterator[None]:
    """All processes of a city but its servers stand still."""
    with cities.paused(city, [name for name in city.children if name not in SERVERS]):
        yield


def in_both(one: Bench, shape: Shape, *, devices: int, rounds: int) -> dict[str, list[float]]:
    """Rows a second of a city with one process of each part, and of one with two gateways and two ingests."""
    with cities.running(copies=COPIES) as city:
        two = Bench(city, cities.plant(city.settings, cities.names(devices)))

        def measured(bench: Bench, other: Bench) -> float:
            with asleep(other.city):
                return bench.ours(shape)

        works = {"one_worker": partial(measured, one, two), "two_workers": partial(measured, two, one)}
        for work in works.values():
            work()  # warm
        return in_turn(works, rounds=rounds)
