"""`citynet run analytics`: its share of eight partitions, live and history lane each, outbox, check of rules."""

import asyncio
from dataclasses import dataclass, field

import msgspec
from pydantic import ValidationError

from analytics.city import City, quantities_by_class
from analytics.directory import Directory
from analytics.lane import Lane
from analytics.rules import compile_rule
from analytics.store import Store
from citynet.bus import ANALYTICS_HISTORY, ANALYTICS_LIVE, Incoming
from citynet.catalog import Rule, catalog
from citynet.errors import BadInput
from citynet.leases import Leases
from citynet.model import PARTITIONS, Reply
from citynet.part import Part, together

MAIL_EVERY_S, OUTAGES_EVERY_S = 1.0, 2.0


async def run(part: Part) -> None:
    """Work until the part stops. Raises Unavailable when broker or database is away; nothing is lost or repeated."""
    directory = Directory(part)
    await directory.refresh()
    work = Workshop(part, directory, Store(part.db))
    directory.on_change.append(work.configure)
    leases = Leases(part, PARTITIONS, work.partition)
    answer = part.answer("rpc.rule.check", check_rule, queue="analytics")
    await together([leases.run(), directory.follow(), work.deliver(), work.follow_outages(), answer])


@dataclass
class Workshop:
    """The partitions that this worker has now, and what they share."""

    part: Part
    directory: Directory
    store: Store
    lanes: dict[int, Lane] = field(default_factory=dict)
    mail: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def partition(self, number: int, leave: asyncio.Event) -> None:
        """Follow a partition from its last checkpoint on until it ends, then save where it is."""
        lane = Lane(self.part, self.directory, self.store, self.directory.engine(), number, self.mail, leave)
        uplinks, readings = [(await self.part.bus.stream_state(name))[2] for name in ("UPLINKS", "READINGS")]
        await lane.restore(uplinks, readings)
        # Nothing is awaited in between: a city that changed later is told to the lane.
        self.lanes[number] = lane
        try:
            # A silent gateway of another partition must be known before what hangs below it is judged.
            await self._look_elsewhere()
            await self.directory.look_at_gateways()
            live = await self.part.bus.puller(ANALYTICS_LIVE[number])
            history = await self.part.bus.puller(ANALYTICS_HISTORY[number])
            await together([lane.live(live), lane.history(history, self.turn)])
            await lane.save()
        finally:
            del self.lanes[number]
            self.directory.outages.leave(lane.engine.judge.out_of_work())

    async def configure(self, city: City) -> None:
        """Give every engine the new city."""
        for lane in self.lanes.values():
            lane.events += lane.engine.configure(city)

    async def deliver(self) -> None:
        """Publish the outbox: what an earlier owner left first, then whenever a checkpoint brings events."""
        while not self.part.stopping.is_set():
            self.mail.clear()
            while await self.store.publish(self.part.bus, list(self.lanes)):
                continue
            try:
                await asyncio.wait_for(self.mail.wait(), MAIL_EVERY_S)
            except TimeoutError:
                continue

    async def follow_outages(self) -> None:
        """Look again and again at what other workers have judged; some seconds late, our own is known at once."""
        while not self.part.stopping.is_set():
            await self._look_elsewhere()
            await self.part.pause(OUTAGES_EVERY_S)

    async def _look_elsewhere(self) -> None:
        """What is out of work by the checkpoints of partitions that are not at work here."""
        self.directory.outages.elsewhere(frozenset(await self.store.out_of_work(list(self.lanes))))


async def check_rule(message: Incoming) -> bytes:
    """Answer rpc.rule.check: body is a rule as JSON; the error is for its author."""
    try:
        rule = Rule.model_validate_json(message.data)
        known = quantities_by_class(catalog().profiles).get(rule.class_)
        compile_rule(rule, 1, quantities=known or catalog().quantities)
    except ValidationError as error:
        first = error.errors()[0]
        return msgspec.json.encode(Reply(False, error=f"{'.'.join(map(str, first['loc']))}: {first['msg']}"))
    except BadInput as error:
        return msgspec.json.encode(Reply(False, error=error.detail))
    return msgspec.json.encode(Reply(True))
