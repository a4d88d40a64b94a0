"""Commands of devices that fetch them by HTTP: in hand until the device asks, `sent` once they are on its connection.

HTTP push asks and tells over the bus; decision 0022. Part of downlink.py."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from citynet.bus import Frame, Incoming
from citynet.errors import BadInput
from citynet.model import Command
from citynet.part import Part, together
from gateway.fetch import ASK, TOLD, Ask, Given, Handed, fetches
from gateway.orders import Sender

AT_ONCE = 20  # commands of one answer
# City seconds in which push tells what became of what it was given; after them nobody knows whether it left.
TOLD_WITHIN_S = 15.0


@dataclass(eq=False)
class Waiting:
    """A command in hand and when it may be tried again (city time).

    No frame: it went out before, attempt says how often. given: when push got it, which has not told yet what became of
    it. kept: begun, and it is certain that it never left.
    """

    frame: Frame | None
    command: Command
    due: datetime
    attempt: int = 1
    busy: bool = False
    given: datetime | None = None
    kept: bool = False

    @property
    def fetched(self) -> bool:
        """Whether the device comes for it."""
        return fetches(self.command.protocol, self.command.attributes)

    def rest(self) -> None:
        """Nothing is to be done for it until it is fetched, or its deadline is over."""
        self.given, self.due = None, self.command.deadline + timedelta(microseconds=1)


@dataclass
class Pickup:
    """Answers push from what waits; done ends the work for one of them."""

    part: Part
    sender: Sender
    waiting: list[Waiting]
    done: Callable[[Waiting], Awaitable[None]] = field(repr=False)

    async def run(self) -> None:
        """Answer until the part stops."""
        subjects = {ASK: self._ask, TOLD: self._told}
        await together(self.part.answer(subject, work, queue="gateway") for subject, work in subjects.items())

    def _of(self, device: str) -> list[Waiting]:
        return [one for one in self.waiting if one.command.external_id == device and one.fetched and not one.busy]

    async def _ask(self, message: Incoming) -> bytes:
        given: list[msgspec.Raw] = []
        for one in self._of(msgspec.json.decode(message.data, type=Ask).device)[:AT_ONCE]:
            if one.given is None and not self.part.stopping.is_set() and (payload := await self._begin(one)):
                given.append(msgspec.Raw(payload))
        return msgspec.json.encode(Given(given))

    async def _begin(self, one: Waiting) -> bytes | None:
        """Announce it; None when it must not go to the device now: then downlink.py says why."""
        one.busy = True
        try:
            command, now = one.command, self.part.clock.now()
            if now > command.deadline or not await self._may_go(one):
                one.due = now
                return None
            try:
                payload = await self.sender.body(command)
            except BadInput as error:
                await self.sender.tell(command, "failed", str(error))
                one.due = now
                return None
            if not one.kept and one.attempt == 1:
                await self.sender.tell(command, "intent")
            one.given = now
            one.due = now + timedelta(seconds=TOLD_WITHIN_S)
            return payload
        finally:
            one.busy = False

    async def _may_go(self, one: Waiting) -> bool:
        command = one.command
        known = await self.sender.known(command.command_id)
        if known - {"intent", "sent"} or ("sent" in known and one.attempt == 1):
            return False  # answered meanwhile
        if "intent" in known and not one.kept and not self.sender.deduplicates(command):
            return False
        return not await self.sender.unwanted(command.command_id)

    async def _told(self, message: Incoming) -> bytes:
        said = msgspec.json.decode(message.data, type=Handed)
        for one in self._of(said.device):
            if one.given is None or one.command.command_id not in said.ids:
                continue
            if said.left:
                attempt = f"attempt {one.attempt}" if one.attempt > 1 else ""
                await self.sender.tell(one.command, "sent", attempt, at=one.given)
                await self.done(one)
            else:
                one.kept = True
                one.rest()
        return b"{}"
