"""Every way into the city, one loop back: publish, twice, out of order, over a new connection, into a full stream."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from citynet.bus import INGEST_LIVE, NatsBus, Puller
from citynet.catalog import catalog
from citynet.clock import wall_clock
from citynet.db import Database
from citynet.model import DeviceSpec, Proposal, ProposalRequest, unpack_readings
from citynet.settings import Settings
from gateway.wire import protocols
from situation_center import credentials, registry_write
from tests.support import gateway as field
from tests.support.gateway import APPLICATION, TTS_APPLICATION, mqtt, running, series_of, until
from tests.support.push import pushing
from tests.support.roads import ROADS, Road

SENDERS = {"chirp": ("chirpstack", APPLICATION), "tts": ("things_stack", TTS_APPLICATION)}


@pytest.fixture
async def planted(center_db: Database) -> Database:
    """The devices, and network servers that may speak for theirs."""
    await field.plant(center_db)
    more = []
    for name, (protocol, application) in SENDERS.items():
        spec = DeviceSpec(external_id=name, protocol=protocol, profile="lamp", attributes={"speaks_for": application})
        more.append(Proposal(key=f"lamp/{name}", cls="lamp", name_ru=name, name_en=name, device=spec))
    await registry_write.apply(center_db, ProposalRequest("test", more), catalog())
    return center_db


def by_mqtt(client: field.Mqtt, road: Road, body: Any, wait_s: float) -> bool:
    """Whether PUBACK came."""
    sent = client.client.publish(road.topic, msgspec.json.encode(body), qos=1)
    sent.wait_for_publish(wait_s)
    return sent.is_published()


async def by_http(client: httpx.AsyncClient, road: Road, body: Any, token: str) -> bool:
    """Whether the answer is 202."""
    answer = await client.post(road.path, json=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code in (202, 503)
    return answer.status_code == 202


@asynccontextmanager
async def connected(road: Road, city: Settings, database: Database) -> AsyncIterator[Any]:
    """send(body, wait_s): whether the frame was confirmed. Each time a new connection of the same sender."""
    if road.topic:
        with mqtt(city, road.user) as device:

            async def publish(body: Any, wait_s: float) -> bool:
                return by_mqtt(device, road, body, wait_s)

            yield publish
    else:
        token = await credentials.issue_token(database, road.token_of, by="person:test")
        async with pushing(city) as (_, client):

            async def post(body: Any, _: float) -> bool:
                return await by_http(client, road, body, token)

            yield post


async def rows(puller: Puller) -> list[tuple[int, datetime, float]]:
    """Series, time and value of the readings that wait for ingest."""
    frames = await puller.fetch(100, 0.2)
    await puller.ack(frames)
    tables = [unpack_readings(frame.data).to_pydict() for frame in frames]
    return [row for t in tables for row in zip(t["series_id"], t["time"], t["value"], strict=True)]


def test_the_roads_cover_the_family() -> None:
    assert set(protocols()) == {road.protocol for road in ROADS.values()}


@pytest.mark.parametrize("name", ROADS)
async def test_in_and_back(city: Settings, admin_bus: NatsBus, planted: Database, name: str) -> None:
    """Frames sent while the gateway is away, doubled and out of order, are one reading each; no frame is confirmed
    that is not stored."""
    road = ROADS[name]
    start = wall_clock().now().replace(microsecond=250_000) - timedelta(minutes=5)
    at = {n: start + timedelta(seconds=n) for n in range(14)}
    async with connected(road, city, planted) as send:
        for n in (0, 1, 2, 2, 5, 4, 3):
            assert await send(road.body(n, at[n]), 10)
    async with connected(road, city, planted) as send:
        for n in (6, 2):
            assert await send(road.body(n, at[n]), 10)
        assert (await admin_bus.stream_state("UPLINKS"))[0] == 9
    series = (await series_of(planted, road.device))[road.quantity]
    seen: set[tuple[int, datetime, float]] = set()
    puller = await admin_bus.puller(INGEST_LIVE)
    async with running(city) as part:

        async def all_there() -> bool:
            seen.update(await rows(puller))
            return len(seen) >= 7

        await until(all_there)
        await until(lambda: part.counters["uplinks"] == 9)
        seen.update(await rows(puller))
        assert part.counters["quarantined"] == 0
    assert seen == {(series, at[n], float(n)) for n in range(7)}
    await fills_up(road, city, planted, bus=admin_bus)


async def fills_up(road: Road, city: Settings, database: Database, *, bus: NatsBus) -> None:
    """A stream with room for one more confirms one more."""
    config = (await bus.js.stream_info("UPLINKS")).config
    config.max_msgs = 10
    await bus.js.update_stream(config)
    now = wall_clock().now()
    async with connected(road, city, database) as send:
        assert await send(road.body(20, now), 10)
        assert not await send(road.body(21, now), 0.3)
    assert (await bus.stream_state("UPLINKS"))[0] == 10
