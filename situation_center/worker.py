"""The worker, one active: conditions become incidents, receipts become states, the outbox becomes messages."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec
import psycopg
import structlog

from citynet import registry
from citynet.bus import Bus, Incoming, connected
from citynet.catalog import catalog
from citynet.errors import BadInput, CitynetError
from citynet.model import ProposalRequest, Reply
from citynet.part import Part
from citynet.registry import Registry
from situation_center import (
    battery_days,
    credentials,
    groups,
    intake,
    outbox,
    receipts,
    registry_write,
    system_objects,
    timers,
)
from situation_center.gateways import Gateways
from situation_center.reactions import reactions
from situation_center.sign_in import SignInWatch
from situation_center.store import Center

log = structlog.get_logger()
REREAD_S = 2.0
POOL = 10


@dataclass
class Worker:
    """The loops of the worker. Each runs when something was pushed, and every 2 s in any case: a push may be lost."""

    part: Part
    center: Center
    registry: Registry
    seen: int = -1
    wakes: dict[str, asyncio.Event] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sign_in = SignInWatch(self.center)
        self.gateways = Gateways(self.center)

    def wake(self, *names: str) -> Callable[[Incoming], Awaitable[None]]:
        """A handler that starts these loops at once."""
        events = [self.wakes.setdefault(name, asyncio.Event()) for name in names]

        async def call(_: Incoming) -> None:
            for event in events:
                event.set()

        return call

    async def repeat(self, name: str, step: Callable[[], Awaitable[int]]) -> None:
        """Run step whenever it is woken, at least every 2 s, and again at once while it finds work."""
        event = self.wakes.setdefault(name, asyncio.Event())
        while not self.part.stopping.is_set():
            event.clear()
            done = await step()
            self.part.counters[name] += done
            if not done:
                try:
                    await asyncio.wait_for(event.wait(), REREAD_S)
                except TimeoutError:
                    continue

    async def conditions(self) -> int:
        """Conditions -> incidents."""
        self.registry = await registry.refresh(self.center, self.registry)
        handled, self.seen = await intake.take_in(self.center, self.registry, since=self.seen)
        return handled

    async def propose(self, message: Incoming) -> bytes:
        """rpc.registry.propose: apply and answer in one go."""
        try:
            request = msgspec.json.decode(message.data, type=ProposalRequest)
            applied = await registry_write.apply(self.center, request, catalog())
            await self.enrol(request)
        except (BadInput, msgspec.MsgspecError, psycopg.DataError, psycopg.IntegrityError) as error:
            self.part.counters["proposals_refused"] += 1
            return msgspec.json.encode(Reply(False, error=str(error).splitlines()[0]))
        except (CitynetError, psycopg.OperationalError, OSError):
            return msgspec.json.encode(Reply(False, error="the database does not answer: try again"))
        self.part.counters["proposals"] += 1
        self.wakes["outbox"].set()
        return msgspec.json.encode(Reply(True, applied=applied))

    async def enrol(self, request: ProposalRequest) -> None:
        """Devices that were made with a token may sign in with it from now on."""
        proposed = {p.device.external_id for p in request.objects if p.device}
        hashes = {name: sha256 for name, sha256 in request.tokens.items() if name in proposed}
        if hashes:
            await credentials.enrol(self.center, hashes, by=registry_write.ACTOR)

    async def listen(self, bus: Bus) -> None:
        """Subscribe to what wakes the loops and to proposals."""
        await bus.subscribe("live.condition", self.wake("conditions"))
        await bus.subscribe("live.receipt", self.wake("receipts"))
        await bus.subscribe("live.quarantine", self.wake("refusals"))
        await bus.subscribe("live.codec", self.wake("outbox"))
        await bus.subscribe("live.credential", self.wake("outbox"))
        await bus.subscribe("live.command", self.wake("outbox", "receipts", "groups"))
        await bus.subscribe("live.incident", self.wake("outbox", "notices", "timers"))
        await bus.subscribe("live.registry", self.wake("outbox"))
        await bus.subscribe("stats.identity", self.sign_in.hear)
        await bus.subscribe("rpc.registry.propose", self.propose, queue="worker")

    async def run(self) -> None:
        """All loops until the part stops; the first error ends them all and the shell starts again."""
        found = reactions()
        center = self.center
        # A connection of its own: the shell may run the body again, and subscriptions must end with this run.
        async with connected(self.part.settings, "center") as bus, asyncio.TaskGroup() as tasks:
            await self.listen(bus)
            tasks.create_task(self.repeat("conditions", self.conditions))
            tasks.create_task(self.repeat("receipts", lambda: receipts.apply(center)))
            tasks.create_task(self.repeat("groups", lambda: groups.advance(center)))
            tasks.create_task(self.repeat("timers", lambda: timers.watch(center)))
            tasks.create_task(self.repeat("sign_in", self.sign_in.look))
            tasks.create_task(self.repeat("refusals", self.sign_in.audit))
            tasks.create_task(self.repeat("batteries", lambda: battery_days.refresh(center)))
            tasks.create_task(self.repeat("gateways", self.gateways.look))
            tasks.create_task(self.repeat("outbox", lambda: outbox.publish(center)))
            tasks.create_task(self.repeat("notices", lambda: outbox.take_notices(center, list(found.values()))))
            for reaction in found.values():
                tasks.create_task(reaction.run(center, self.part.stopping))


async def run(part: Part) -> None:
    """Body of the part "worker" for citynet.part.run_part; role center, one active."""
    center = Center(part.db.url, part.bus, part.settings, size=POOL)
    await center.open()
    try:
        written = await registry_write.seed_catalog(center, catalog())
        log.info("catalogue", versions_written=written)
        await system_objects.register(center)
        await Worker(part, center, await registry.load(center)).run()
    except ExceptionGroup as group:
        _, faults = group.split((CitynetError, psycopg.OperationalError, OSError))
        raise (faults or group).exceptions[0] from group
    finally:
        await center.close()
