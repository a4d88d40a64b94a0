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
from gateway.orders import Sender
from gateway.quarantine import notice, publish
from gateway.uplink import FETCH_WAIT_S

BATCH = 64
WAITING_MAX = 1_000  # commands that wait for a radio; the others stay in the stream
RETRY_LOOK_S = 2.0


@dataclass(eq=False)
class Waiting:
    """A command in hand and when it may be tried again (city time)."""

    frame: Frame
    command: Command
    due: datetime


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
        await together([self._follow(puller), self._repeat()])

    async def _follow(self, puller: Puller) -> None:
        holding: list[Frame] = []
        async with held(puller, holding):
            while not self.part.stopping.is_set():
                if len(self.waiting) < WAITING_MAX:
                    await self._receive(await puller.fetch(BATCH, self._patience_s()), puller)
                else:
                    await asyncio.sleep(self._patience_s())
                holding[:] = [one.frame for one in self.waiting]
                await self._advance(puller)
                holding[:] = [one.frame for one in self.waiting]

    def _patience_s(self) -> float:
        """Wall seconds to wait for new commands: until the first of those in hand is due."""
        if not self.waiting:
            return FETCH_WAIT_S
        soonest = min(one.due for one in self.waiting) - self.part.clock.now()
        return min(max(self.part.clock.wall_s(soonest), 0.01), FETCH_WAIT_S)

    async def _receive(self, frames: list[Frame], puller: Puller) -> None:
        known = {one.frame.seq: one for one in self.waiting}
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
            first.setdefault(one.command.external_id, one)
        return [one for one in first.values() if one.due <= now][:BATCH]

    async def _try(self, one: Waiting, puller: Puller) -> None:
        due = await self.sender.take(one.command)
        if due is not None:
            # People may take it back meanwhile, and its deadline may come first: look once more then.
            one.due = min(due, one.command.deadline + timedelta(microseconds=1))
            return
        if not self.part.stopping.is_set():  # else perhaps unfinished: it comes again, receipts say how far it got
            await puller.ack([one.frame])
            self.waiting.remove(one)
            self.part.gauges["commands_waiting"] = len(self.waiting)

    async def _repeat(self) -> None:
        """Send again what was not answered, where the device and its radio class allow it."""
        while not self.part.stopping.is_set():
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
        if await self.sender.send(command, again=True, attempt=attempt) is None:
            self.repeated[row["command_id"]] = attempt
            self.part.counters["commands_repeated"] += 1
