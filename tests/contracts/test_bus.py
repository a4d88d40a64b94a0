"""One contract for the bus on NATS and its twin in memory."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from citynet import bus as nats_bus
from citynet.bus import ANALYTICS_LIVE, GATEWAY_UPLINKS, INGEST_EVENTS, Bus, Consumer, Incoming
from citynet.bus_memory import MemoryBus
from citynet.errors import Unavailable
from citynet.settings import Settings
from tests.support.readings import eventually


@pytest.fixture(params=["memory", "nats"])
async def any_bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    """A bus with an ack_wait of one second."""
    if request.param == "memory":
        yield MemoryBus(ack_wait_s=1)
        return
    city: Settings = request.getfixturevalue("city").model_copy(update={"ack_wait_s": 1})
    request.getfixturevalue("broker")
    async with nats_bus.connected(city, "admin") as client:
        await client.ensure_streams()
        yield client


async def test_order_is_kept_and_a_repeated_id_is_one_message(any_bus: Bus) -> None:
    puller = await any_bus.puller(INGEST_EVENTS)
    for number in (1, 2, 2, 3):
        await any_bus.publish("events.x", str(number).encode(), msg_id=str(number))
    frames = await puller.fetch(10, 2)
    assert [frame.data for frame in frames] == [b"1", b"2", b"3"]
    assert [frame.seq for frame in frames] == sorted(frame.seq for frame in frames)
    await puller.ack(frames)


async def test_what_is_not_acknowledged_comes_again(any_bus: Bus) -> None:
    puller = await any_bus.puller(INGEST_EVENTS)
    await any_bus.publish("events.x", b"a")
    first = await puller.fetch(10, 2)
    again = await puller.fetch(10, 5)
    assert [f.seq for f in first] == [f.seq for f in again]
    await puller.ack(again)
    assert await puller.fetch(10, 1.5) == []


async def test_the_newest_on_a_subject_is_known_until_it_is_acknowledged(any_bus: Bus) -> None:
    puller = await any_bus.puller(INGEST_EVENTS)
    for body in (b"a", b"b"):
        await any_bus.publish("events.x", body)
    await any_bus.publish("events.y", b"c")
    assert await any_bus.last("EVENTS", "events.x") == b"b"
    await puller.ack(await puller.fetch(10, 2))

    async def gone() -> bool:
        return await any_bus.last("EVENTS", "events.x") is None

    await eventually(gone)


@pytest.mark.parametrize(
    ("consumer", "subject"), [(ANALYTICS_LIVE[3], "readings.live.{}"), (GATEWAY_UPLINKS[3], "up.{}.x.native.up")]
)
async def test_an_in_order_consumer_acknowledges_all_before(any_bus: Bus, consumer: Consumer, subject: str) -> None:
    puller = await any_bus.puller(consumer)
    for number in range(3):
        await any_bus.publish(subject.format(3), str(number).encode())
    await any_bus.publish(subject.format(4), b"foreign")
    frames = await puller.fetch(2, 2) + await puller.fetch(1, 2)
    assert [frame.data for frame in frames] == [b"0", b"1", b"2"]
    await puller.ack(frames)
    assert await puller.fetch(5, 1.5) == []


async def test_a_request_is_answered_and_silence_is_an_error(any_bus: Bus) -> None:
    async def twice(message: Incoming) -> bytes:
        return message.data * 2

    await any_bus.subscribe("rpc.codec.try", twice)
    assert await any_bus.request("rpc.codec.try", b"ab", timeout_s=2) == b"abab"
    with pytest.raises(Unavailable):
        await any_bus.request("rpc.nobody", b"", timeout_s=0.2)


async def test_a_push_reaches_listeners_only(any_bus: Bus) -> None:
    heard: list[bytes] = []
    there = asyncio.Event()

    async def listen(message: Incoming) -> None:
        heard.append(message.data)
        there.set()

    await any_bus.subscribe("live.>", listen)
    await any_bus.push("stats.x", b"no")
    await any_bus.push("live.newest", b"yes")
    await asyncio.wait_for(there.wait(), 2)
    assert heard == [b"yes"]


async def test_a_subject_without_a_stream_is_refused(any_bus: Bus) -> None:
    with pytest.raises(Unavailable):
        await any_bus.publish("nowhere.x", b"")
