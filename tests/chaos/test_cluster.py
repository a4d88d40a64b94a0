"""Three nodes, each stream on all three: the leader and then all nodes are killed under load. Only by `make chaos`."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.city import KEYS, names, plant
from citynet import bus, embedded
from citynet.settings import Settings
from citynet.supervisor import City
from simulators.load import Load, fleet
from tests.chaos.test_kill import expected, stored, wait_until_stored

ROUNDS = int(os.environ.get("CITYNET_CHAOS_ROUNDS", "0"))
pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(not ROUNDS, reason="elections take ten seconds each: `make chaos`"),
]
MESSAGES, RATE_S, DEVICES = 12_000, 500, 50
WITHIN_S, DOWN_S = 180.0, 3.0


@pytest.fixture(scope="module")
def cluster(server_home: Path) -> Iterator[embedded.NatsCluster]:
    """Three nodes; each write is on the disks of two before it is acknowledged."""
    settings = Settings(home=server_home / "cluster", postgres_port=embedded.free_port(), ack_wait_s=3)
    cluster = embedded.NatsCluster(settings)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def city(cluster: embedded.NatsCluster) -> Iterator[City]:
    """Two of each part."""
    settings = cluster.settings.model_copy(update={"copies": "gateway=2,ingest=2,analytics=2"})
    with City(settings, parts=("gateway", "ingest", "analytics")) as city:
        yield city


async def leader(settings: Settings, stream: str) -> str:
    async with bus.connected(settings, "admin") as admin:
        cluster = (await admin.api.stream_info(stream)).cluster
    assert cluster
    return str(cluster.leader)


def kill(cluster: embedded.NatsCluster, victims: list[embedded.Nats]) -> None:
    """All at once; some seconds later they come back with their disks."""
    for node in victims:
        assert node.process
        node.process.send_signal(signal.SIGKILL)
        node.process.wait()
    until = time.monotonic() + DOWN_S
    while time.monotonic() < until:
        threading.Event().wait(0.1)
    for node in victims:
        node.start()


@pytest.mark.parametrize("number", range(min(ROUNDS, 3)))
@pytest.mark.parametrize("victim", ["leader", "all"])
def test_nothing_acknowledged_is_lost(cluster: embedded.NatsCluster, city: City, victim: str, number: int) -> None:
    series = plant(city.settings, names(DEVICES))
    round_ = 1000 * (1 + number * 2 + (victim == "all"))
    start = datetime.now(UTC).replace(microsecond=round_) - timedelta(seconds=MESSAGES // DEVICES)
    messages = fleet(list(series), messages=MESSAGES, moments=1, keys=KEYS, start=start)
    ports = [node.settings.mqtt_port for node in cluster.nodes]
    load = Load(city.settings, messages, client_id=f"load-{victim}-{number}", rate_s=RATE_S, ports=ports)
    work = threading.Thread(target=load.run, kwargs={"limit_s": WITHIN_S})
    work.start()
    while load.acked_count < MESSAGES // 4:
        work.join(0.05)
    name = asyncio.run(leader(city.settings, "UPLINKS"))
    kill(cluster, [node for node in cluster.nodes if victim == "all" or node.settings.nats_node == name])
    while work.is_alive():
        city.watch()
        work.join(0.05)
    want = expected(series, load, start)
    have = wait_until_stored(city, want, start)
    assert have == stored(city, start)
    lost, doubled = want.keys() - have.keys(), have.keys() - want.keys()
    print(
        f"{victim}: acknowledged {len(want)}, stored {len(have)}, lost {len(lost)}, doubled {len(doubled)}, "
        f"longest time without an acknowledgement {load.gap_s:.1f} s, reconnects {load.reconnects}"
    )
    assert (len(lost), len(doubled), load.acked_count) == (0, 0, MESSAGES)
