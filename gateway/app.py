"""`citynet run gateway`: its share of eight partitions, live and history lane each; one has the rest."""

import asyncio
import gc
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from citynet import bus_room
from citynet.bus import GATEWAY_COMMANDS, GATEWAY_HISTORY, GATEWAY_QOS0, GATEWAY_UPLINKS, Puller
from citynet.leases import Leases
from citynet.model import PARTITIONS
from citynet.part import Part, together
from gateway.chirpstack import sync as chirpstack
from gateway.chirpstack.road import Road
from gateway.codec_try import Trier
from gateway.directory import Directory, open_directory
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
    road = Road(part.settings, directory.queue_items)
    work = Workshop(part, directory, road, Masts(part, directory))
    leases = Leases(part, PARTITIONS + 1, work.share)
    turn, masts = work.turn, work.masts
    try:
        await together([directory.follow(), masts.run(), leases.run(), work.measure(), *asked(part, directory, turn)])
    finally:
        await directory.pool.aclose()
        await road.close()


def asked(part: Part, directory: Directory, turn: asyncio.Lock) -> list[Coroutine[Any, Any, None]]:
    """What answers other rooms: any worker may."""
    return [Redecoder(part, directory, turn).run(), Trier(part, directory).run(), LastFrames(part, directory).run()]


@dataclass
class Workshop:
    """The shares that this worker has now: partitions, and perhaps the rest, of which there is one in a city."""

    part: Part
    directory: Directory
    road: Road
    masts: Masts
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    pullers: dict[tuple[str, int], Puller] = field(default_factory=dict)

    async def share(self, number: int, leave: asyncio.Event) -> None:
        """A partition, or with the last number the rest."""
        await (self.partition(number, leave) if number < PARTITIONS else self.rest(leave))

    async def partition(self, number: int, leave: asyncio.Event) -> None:
        """The live and the history lane of a partition."""
        part, directory, masts = self.part, self.directory, self.masts
        try:
            live = self.pullers["uplinks_pending", number] = await part.bus.puller(GATEWAY_UPLINKS[number])
            history = self.pullers["history_pending", number] = await part.bus.puller(GATEWAY_HISTORY[number])
            lane = Lane(part, directory, GATEWAY_UPLINKS[number], number, None, masts, leave)
            old = Lane(part, directory, GATEWAY_HISTORY[number], number, self.turn, masts, leave)
            await together([lane.run(live), old.run(history)])
        finally:
            for gauge in ("uplinks_pending", "history_pending"):
                self.pullers.pop((gauge, number), None)

    async def rest(self, leave: asyncio.Event) -> None:
        """Commands and what else has one worker; broken off when it moves, which each step of a command survives."""
        part, directory, road = self.part, self.directory, self.road
        qos0, orders = await part.bus.puller(GATEWAY_QOS0), await part.bus.puller(GATEWAY_COMMANDS)
        things_stack = ThingsStackLane(part, by_webhook(part.settings))
        await things_stack.open()
        work: list[Coroutine[Any, Any, None]] = [Qos0Lane(part).run(qos0), things_stack.run(), bus_room.keep(part)]
        work.append(DownlinkLane(part, directory, road).run(orders))
        work.append(RecallLane(part, directory, road, apis(part.settings)).run())
        work += [one.run() for one in followers(part, directory)]
        rest = asyncio.create_task(together(work))
        moved = asyncio.create_task(leave.wait())
        try:
            await asyncio.wait([rest, moved], return_when=asyncio.FIRST_COMPLETED)
            if part.stopping.is_set() or rest.done():
                await rest
        finally:
            moved.cancel()
            while not rest.done():
                rest.cancel()
                await asyncio.wait([rest], timeout=1.0)

    async def measure(self) -> None:
        """Keep the gauges of what waits in the streams for the partitions of this worker."""
        while not self.part.stopping.is_set():
            waiting: Counter[str] = Counter({"uplinks_pending": 0, "history_pending": 0})
            for (gauge, _), puller in list(self.pullers.items()):
                waiting[gauge] += await puller.pending()
            self.part.gauges |= waiting
            await self.part.pause(LAG_EVERY_S)


def followers(part: Part, directory: Directory) -> list[Follower]:
    """What follows the device lists of network servers."""
    found, settings = [], part.settings
    if settings.chirpstack_url and settings.chirpstack_sync_s:
        found.append(Follower(part, directory.pool, chirpstack.NETWORK, settings.chirpstack_sync_s))
    if settings.things_stack_sync_s:
        found.append(Follower(part, directory.pool, things_stack_sync.NETWORK, settings.things_stack_sync_s))
    return found
