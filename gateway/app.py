"""`citynet run gateway`: eight live lanes, eight history lanes, QoS 0, downlink, registry; one active process."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

from citynet.bus import GATEWAY_COMMANDS, GATEWAY_HISTORY, GATEWAY_QOS0, GATEWAY_UPLINKS, Puller
from citynet.part import Part, together
from gateway.chirpstack.follow import follow
from gateway.chirpstack.road import Road
from gateway.codec_try import Trier
from gateway.directory import open_directory
from gateway.downlink import DownlinkLane
from gateway.masts import Masts
from gateway.qos0 import Qos0Lane
from gateway.redecode import Redecoder
from gateway.things_stack_api import ThingsStackLane
from gateway.things_stack_orders import apis
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
    work: list[Coroutine[Any, Any, None]] = [directory.follow(), masts.run()]
    pullers: dict[str, list[Puller]] = {"uplinks_pending": [], "history_pending": []}
    for consumers, gauge in ((GATEWAY_UPLINKS, "uplinks_pending"), (GATEWAY_HISTORY, "history_pending")):
        for number, consumer in enumerate(consumers):
            puller = await part.bus.puller(consumer)
            pullers[gauge].append(puller)
            lane = Lane(part, directory, consumer, number, turn if consumers is GATEWAY_HISTORY else None, masts)
            work.append(lane.run(puller))
    work.append(Qos0Lane(part).run(await part.bus.puller(GATEWAY_QOS0)))
    things_stack = ThingsStackLane(part, apis(part.settings))
    await things_stack.open()
    work.append(things_stack.run())
    road = Road(part.settings, directory.queue_items)
    work.append(DownlinkLane(part, directory, road).run(await part.bus.puller(GATEWAY_COMMANDS)))
    work.append(measure(part, pullers))
    if part.settings.chirpstack_url and part.settings.chirpstack_sync_s:
        work.append(follow(part))
    work.append(Redecoder(part, directory, turn).run())
    work.append(Trier(part, directory.pool).run())
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
        try:
            await asyncio.wait_for(part.stopping.wait(), LAG_EVERY_S)
        except TimeoutError:
            continue
