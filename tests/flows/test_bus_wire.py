"""Our own reader on a real broker: as strict as the library's, through every way in which a connection can end."""

import asyncio

import pytest

from citynet import embedded
from citynet.bus import GATEWAY_UPLINKS, Consumer, Frame, NatsBus, Puller, connected
from citynet.bus_wire import Connection
from citynet.errors import Unavailable
from citynet.frames import ARRIVED, FIRST_SEQ, REPLAY_OF
from citynet.settings import Settings

LANE = GATEWAY_UPLINKS[5]


async def publish(bus: NatsBus, *numbers: int, headers: dict[str, str] | None = None) -> None:
    for number in numbers:
        await bus.publish("up.5.lamp.native.up", str(number).encode(), headers=headers)


async def take(puller: Puller, count: int, *, patient: bool = True) -> list[Frame]:
    """Exactly so many frames; an empty fetch on the way is the answer to a gap. patient goes on as a part does."""
    frames: list[Frame] = []
    async with asyncio.timeout(20):
        while len(frames) < count:
            try:
                frames += await puller.fetch(100, 0.5)
            except Unavailable:
                if not patient:
                    raise
    assert len(frames) == count
    return frames


def numbers(frames: list[Frame]) -> list[int]:
    return [int(frame.data) for frame in frames]


async def test_frames_with_and_without_our_headers(admin_bus: NatsBus) -> None:
    await publish(admin_bus, 1)
    await publish(admin_bus, 2, headers={"Nmqtt-Pub": "1"})
    await publish(admin_bus, 3, headers={ARRIVED: "77", FIRST_SEQ: "5", REPLAY_OF: "9", "Other": "x"})
    puller = await admin_bus.puller(LANE)
    first, second, third = await take(puller, 3)
    assert [(f.headers, f.seq, f.subject) for f in (first, second)] == [
        (None, n, "up.5.lamp.native.up") for n in (1, 2)
    ]
    assert (third.received_ns, third.first_seq, third.replay_of) == (77, 5, 9)
    assert third.arrival_ns > first.arrival_ns > 1_600_000_000_000_000_000
    assert first.received_ns == first.arrival_ns


async def test_a_quiet_stream_answers_in_time_and_a_late_frame_at_once(admin_bus: NatsBus) -> None:
    puller = await admin_bus.puller(LANE)
    assert await puller.fetch(10, 0.1) == []
    waiting = asyncio.create_task(puller.fetch(10, 10))
    await admin_bus.request("$JS.API.INFO", b"", timeout_s=5)  # the pull is on its way
    await publish(admin_bus, 1)
    async with asyncio.timeout(45):
        assert numbers(await waiting) == [1]


async def test_large_batches_arrive_whole_and_in_order(admin_bus: NatsBus) -> None:
    count = 5_000
    bodies = [b"%d " % n + b"x" * (n % 700) for n in range(count)]
    await asyncio.gather(*(admin_bus.js.publish("up.5.d.native.up", body) for body in bodies))
    puller = await admin_bus.puller(LANE)
    found: list[bytes] = []
    while len(found) < count:
        frames = await puller.fetch(2_000, 1.0)
        found += [frame.data for frame in frames]
        await puller.in_progress(frames[:3])
        await puller.ack(frames)
    assert sorted(found, key=lambda body: int(body.split()[0])) == bodies
    await until_nothing_waits(admin_bus, LANE)


async def until_nothing_waits(bus: NatsBus, consumer: Consumer) -> None:
    async with asyncio.timeout(45):
        while await bus.pending(consumer):
            continue


async def test_what_was_in_hand_when_the_connection_broke_comes_again(admin_bus: NatsBus) -> None:
    puller = await admin_bus.puller(LANE)
    await publish(admin_bus, 1, 2, 3)
    first = await take(puller, 3)
    await puller.ack(first[:2])
    await admin_bus.request("$JS.API.INFO", b"", timeout_s=5)
    assert admin_bus._wire
    assert admin_bus._wire._connection
    connection: Connection = admin_bus._wire._connection
    async with asyncio.timeout(45):  # the acknowledgement has arrived
        while (await admin_bus.js.consumer_info(LANE.stream, LANE.durable)).num_ack_pending != 1:
            continue
    connection.transport.abort()
    await admin_bus.request("$JS.API.INFO", b"", timeout_s=5)
    with pytest.raises(Unavailable):
        await puller.ack(first)
    await publish(admin_bus, 4)
    again = await take(puller, 2)
    assert numbers(again) == [3, 4]
    await puller.ack(again)
    await until_nothing_waits(admin_bus, LANE)


async def test_a_pull_that_was_given_up_takes_nothing_along(admin_bus: NatsBus) -> None:
    puller = await admin_bus.puller(LANE)
    waiting = asyncio.create_task(puller.fetch(10, 10))
    await admin_bus.request("$JS.API.INFO", b"", timeout_s=5)
    waiting.cancel()
    await asyncio.wait([waiting])
    await publish(admin_bus, 1, 2)
    assert numbers(await take(puller, 2)) == [1, 2]


async def test_a_second_reader_of_a_durable_begins_at_what_is_not_acknowledged(
    city: Settings, admin_bus: NatsBus
) -> None:
    dead = await admin_bus.puller(LANE)
    await publish(admin_bus, 1, 2, 3)
    frames = await take(dead, 3)
    await dead.ack(frames[:1])
    async with connected(city, "gateway") as other:
        puller = await other.puller(LANE)
        found = await take(puller, 2)
        assert numbers(found) == [2, 3]
        await puller.ack(found)
        await until_nothing_waits(admin_bus, LANE)


async def test_a_broker_that_restarts(city: Settings, broker: embedded.Nats, admin_bus: NatsBus) -> None:
    puller = await admin_bus.puller(LANE)
    await publish(admin_bus, 1, 2)
    await puller.ack(await take(puller, 2))
    await asyncio.to_thread(broker.stop)
    with pytest.raises(Unavailable):
        await take(puller, 1, patient=False)
    await asyncio.to_thread(broker.start)
    async with asyncio.timeout(20):
        while True:
            try:
                await publish(admin_bus, 3)
                break
            except Unavailable:
                continue
    assert numbers(await take(puller, 1)) == [3]
