"""`citynet run gateway`: eight live lanes, eight history lanes, QoS 0, downlink, registry; one active process."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

from citynet import bus_room
from citynet.bus import GATEWAY_COMMANDS, GATEWAY_HISTORY, GATEWAY_QOS0, GATEWAY_UPLINKS, Puller
from citynet.part import Part, together
from gateway.chirpstack import sync as chirpstack
from gateway.chirpstack.road import Road
from gateway.codec_try import Trier
from gateway.directory import open_directory
from gateway.downlink import DownlinkLane
from gateway.last_frames import LastFrames
from gateway.masts import Masts
from gateway.qos0 import Qos0Lane
from gateway.recalls import RecallLane
from gateway.redecode import Redecoder
from gateway.sync.follow import Follower
from gateway.things_stack import sync as things_stack_sync
from gateway.things_stack.lane import ThingsStackLane
from gateway.things_stack.orders import apis, by_webhook
from gateway.uplink import Lane

LAG_EVERY_S = 5.0


def calm_collector() -> None:
    """A batch makes and drops thousands of objects without a cycle: look for cycles seldom, and not at what start made.

    Half of the gateway's CPU went into the collector before.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def run(part: Part) -> None:
    """Work until the part stops. Raises Unavailable when broker or database is away; nothing taken is lost."""
    directory = await open_directory(part)
    calm_collector()
    turn = asyncio.Lock()
    masts = Masts(part, directory)
    live = [await part.bus.puller(consumer) for consumer in GATEWAY_UPLINKS]
    history = [await part.bus.puller(consumer) for consumer in GATEWAY_HISTORY]
    qos0, orders = await part.bus.puller(GATEWAY_QOS0), await part.bus.puller(GATEWAY_COMMANDS)
    things_stack = ThingsStackLane(part, by_webhook(part.settings))
    await things_stack.open()
    road = Road(part.settings, directory.queue_items)
    # Nothing is awaited between here and together(): what is begun there is ended there.
    work: list[Coroutine[Any, Any, None]] = [directory.follow(), masts.run()]
    for number, (consumer, puller) in enumerate(zip(GATEWAY_UPLINKS, live, strict=True)):
        work.append(Lane(part, directory, consumer, number, None, masts).run(puller))
    for number, (consumer, puller) in enumerate(zip(GATEWAY_HISTORY, history, strict=True)):
        work.append(Lane(part, directory, consumer, number, turn, masts).run(puller))
    work += [Qos0Lane(part).run(qos0), things_stack.run(), DownlinkLane(part, directory, road).run(orders)]
    work.append(RecallLane(part, directory, road, apis(part.settings)).run())
    work.append(measure(part, {"uplinks_pending": live, "history_pending": history}))
    if part.settings.chirpstack_url and part.settings.chirpstack_sync_s:
        work.append(Follower(part, directory.pool, chirpstack.NETWORK, part.settings.chirpstack_sync_s).run())
    if part.settings.things_stack_sync_s:
        every_s = part.settings.things_stack_sync_s
        work.append(Follower(part, directory.pool, things_stack_sync.NETWORK, every_s).run())
    work += [Redecoder(part, directory, turn).run(), Trier(part, directory).run()]
    work += [LastFrames(part, directory).run(), bus_room.keep(part)]
    try:
        await together(work)
    finally:
        await directory.pool.aclose()
        await road.close()


async def measure(part: Part, pullers: dict[str, list[Puller]]) -> None:
    """Keep the gauges of what waits in the streams."""
    while not part.stopping.is_set():
        for gauge, group in pullers.items():
            part.gauges[gauge] = sum([await puller.pending() for puller in group])
        await part.pause(LAG_EVERY_S)
