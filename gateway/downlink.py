"""The downlink road: commands are pulled, go out one after the other for a device, and wait for their radio.

A frame is acknowledged when nothing more is to be done for it here; what waits comes again after a restart."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from citynet.bus import GATEWAY_COMMANDS, Frame, Puller, held
from citynet.db import Row
from citynet.model import Command
from citynet.part import Part, together
from gateway import retries
from gateway.airtime import Budget
from gateway.answers import SQL
from gateway.chirpstack.road import Road
from gateway.directory import Directory
from gateway.fetch import CALL, fetches
from gateway.orders import Sender
from gateway.pickup import Pickup, Waiting
from gateway.quarantine import notice, publish
from gateway.uplink import FETCH_WAIT_S
from gateway.wire import subject_token

BATCH = 64
WAITING_MAX = 3_000  # commands that wait for a radio or for their device; the others stay in the stream
RETRY_LOOK_S = 2.0


@dataclass
class DownlinkLane:
    """Sends commands; receipts tell what became of each."""

    part: Part
    directory: Directory
    road: Road
    waiting: list[Waiting] = field(default_factory=list)
    repeated: dict[UUID, int] = field(default_factory=dict)
    sender: Sender = field(init=False)

    def __post_init__(self) -> None:
        budget = Budget(self.part.settings.downlinks_per_gateway_min)
        self.sender = Sender(self.part, self.directory, budget, self.road)

    async def run(self, puller: Puller) -> None:
        """Follow COMMANDS until the part stops. Raises Unavailable: then commands stay in the stream."""
        await self.sender.remember()

        async def done(one: Waiting) -> None:
            await self._done(one, puller)

        pickup = Pickup(self.part, self.sender, self.waiting, done)
        await together([self._follow(puller), self._repeat(), pickup.run()])

    async def _follow(self, puller: Puller) -> None:
        holding: list[Frame] = []
        async with held(puller, holding):
            while not self.part.stopping.is_set():
                if len(self.waiting) < WAITING_MAX:
                    await self._receive(await puller.fetch(BATCH, self._patience_s()), puller)
                else:
                    await asyncio.sleep(self._patience_s())
                holding[:] = self._frames()
                await self._advance(puller)
                holding[:] = self._frames()

    def _frames(self) -> list[Frame]:
        return [one.frame for one in self.waiting if one.frame]

    def _patience_s(self) -> float:
        """Wall seconds to wait for new commands: until the first of those in hand is due."""
        if not self.waiting:
            return FETCH_WAIT_S
        soonest = min(one.due for one in self.waiting) - self.part.clock.now()
        return min(max(self.part.clock.wall_s(soonest), 0.01), FETCH_WAIT_S)

    async def _receive(self, frames: list[Frame], puller: Puller) -> None:
        known = {one.frame.seq: one for one in self.waiting if one.frame}
        for frame in frames:
            try:
                command = msgspec.json.decode(frame.data, type=Command)
            except msgspec.DecodeError as error:
                stream = GATEWAY_COMMANDS.stream
                refused = notice(frame, "wrong_shape", detail=str(error), stream=stream, external_id="")
                await publish(self.part.bus, [refused])
                self.part.counters["quarantined"] += 1
                await puller.ack([frame])
                continue
            if frame.seq in known:
                known[frame.seq].frame = frame  # delivered again: this delivery is the one to acknowledge
            else:
                self.waiting.append(Waiting(frame, command, self.part.clock.now()))
        self.part.gauges["commands_waiting"] = len(self.waiting)

    async def _advance(self, puller: Puller) -> None:
        """Take every device's oldest command forward; a younger one of the same device never overtakes it."""
        while ready := self._ready():
            # All to their end: one that is broken off in the middle of sending would be unknown for ever.
            results = await asyncio.gather(*(self._try(one, puller) for one in ready), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
            if self.part.stopping.is_set():
                return

    def _ready(self) -> list[Waiting]:
        now = self.part.clock.now()
        first: dict[str, Waiting] = {}
        for one in self.waiting:
            # What is fetched goes out by pickup.py, in its order: here it only comes to its end, each for itself.
            first.setdefault(str(one.command.command_id) if one.fetched else one.command.external_id, one)
        return [one for one in first.values() if one.due <= now and not one.busy][:BATCH]

    async def _try(self, one: Waiting, puller: Puller) -> None:
        one.busy = True
        try:
            due = await self.sender.take(one.command, kept=one.kept)
        finally:
            one.busy = False
        if due is None:
            if not self.part.stopping.is_set():  # else perhaps unfinished: it comes again, receipts say how far it got
                await self._done(one, puller)
        elif one.fetched:
            one.rest()
            await self._call(one.command.external_id)
        else:
            # People may take it back meanwhile, and its deadline may come first: look once more then.
            one.due = min(due, one.command.deadline + timedelta(microseconds=1))

    async def _done(self, one: Waiting, puller: Puller) -> None:
        """Nothing more is to be done for it here."""
        if one.frame:
            await puller.ack([one.frame])
        self.waiting.remove(one)
        self.sender.waiting.discard(one.command.command_id)
        self.part.gauges["commands_waiting"] = len(self.waiting)

    async def _call(self, device: str) -> None:
        """Tell push that something waits for a device: a request may be open."""
        await self.part.bus.push(CALL + subject_token(device), b"")

    async def _look(self) -> None:
        """Take at once what people no longer want, instead of when it would have been due."""
        ids = [one.command.command_id for one in self.waiting]
        rows = await self.part.db.rows(SQL["unwanted"], [ids]) if ids else []
        wanted_no_more = {row["command_id"] for row in rows}
        for one in self.waiting:
            if one.command.command_id in wanted_no_more and one.given is None:
                one.due = min(one.due, self.part.clock.now())

    async def _repeat(self) -> None:
        """Send again what was not answered, where the device and its radio class allow it."""
        while not self.part.stopping.is_set():
            await self._look()
            now = self.part.clock.now()
            rows = await self.part.db.rows(SQL["unanswered"], {"now": now})
            self.repeated = {row["command_id"]: self.repeated.get(row["command_id"], 0) for row in rows}
            for row in rows:
                await self._again(row, now)
            await self.part.pause(RETRY_LOOK_S)

    async def _again(self, row: Row, now: datetime) -> None:
        device = await self.directory.by_id(row["device_id"])
        profile = self.directory.profile(device.profile) if device else None
        # ingest may be behind: what went out in the meantime counts as well.
        attempt = max(row["attempts"], self.repeated[row["command_id"]]) + 1
        if device is None or attempt > row["attempts"] + 1 or not retries.due(row, profile, now=now):
            return
        command = Command(
            command_id=row["command_id"],
            device_id=device.device_id,
            external_id=device.external_id,
            protocol=device.protocol,
            profile=device.profile,
            action=row["action"],
            args=row["args"],
            deadline=row["deadline"],
            attributes=device.attributes,
        )
        if fetches(device.protocol, device.attributes):
            self._offer(command, attempt)
            await self._call(device.external_id)
            return
        if await self.sender.send(command, again=True, attempt=attempt) is None:
            self.repeated[row["command_id"]] = attempt
            self.part.counters["commands_repeated"] += 1

    def _offer(self, command: Command, attempt: int) -> None:
        """Let the device fetch once more what it has not answered."""
        self.repeated[command.command_id] = attempt
        if all(one.command.command_id != command.command_id for one in self.waiting):
            again = Waiting(None, command, command.deadline, attempt=attempt)
            again.rest()
            self.waiting.append(again)
