"""A city for commands: devices of four kinds, parts that may die, people who change their mind, a clock to move."""

import asyncio
import itertools
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import gateway.app
import ingest.app
from citynet import bus, embedded
from citynet.access import Actor
from citynet.catalog import catalog
from citynet.clock import Clock
from citynet.errors import Conflict, Unavailable
from citynet.model import DeviceSpec, Proposal, ProposalRequest
from citynet.settings import Settings
from situation_center import commands, outbox, receipts, registry_write
from situation_center.store import Center
from tests.flows.center import live_center, person
from tests.support.behaviours import Behaviour
from tests.support.beings import Being
from tests.support.gateway import APPLICATION, mqtt
from tests.support.mortal import Dead
from tests.support.obedience import Field

NATIVE_DEVICES, PLAIN_DEVICES, RADIO_DEVICES = 6, 4, 6
# Native devices that fetch their commands: those that know a command id that they have had, and those that do not.
HTTP_DEVICES = ("lamp-http-0", "lamp-http-1", "lamp-plain-http-0", "lamp-plain-http-1")
LEVELS = itertools.cycle(range(1, 100))


@dataclass
class Case:
    """One command of a round."""

    device: str
    behaviour: str
    script: Behaviour
    plan: str
    command: uuid.UUID | None = None
    second: uuid.UUID | None = None


@dataclass
class Town:
    """Everything that a round needs."""

    settings: Settings
    broker: embedded.Nats
    admin: bus.NatsBus
    center: Center
    people: dict[str, Actor]
    points: dict[str, int]
    truth: Field
    beings: dict[str, Being]
    worker: Center
    away: set[str] = field(default_factory=set)
    shift: timedelta = timedelta(0)
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)

    # ------------------------------------------------------------ time

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    async def advance(self, span: timedelta) -> None:
        """Move the city clock; nobody sleeps."""
        self.shift += span
        wall = datetime.now(UTC)
        async with self.center.transaction("part:test") as conn:
            await conn.execute(
                "INSERT INTO city_clock (origin, wall_origin, speed) VALUES (%s, %s, 1) ON CONFLICT (only_one)"
                " DO UPDATE SET origin = excluded.origin, wall_origin = excluded.wall_origin",
                [wall + self.shift, wall],
            )
        for being in self.beings.values():
            if being.part:
                being.part.clock = Clock(wall + self.shift, wall)

    # ------------------------------------------------------------ life

    async def _work(self) -> int:
        """What the worker does; it may die, and is another one then."""
        if "worker" in self.away:
            return 0
        try:
            return await outbox.publish(self.worker) + await receipts.apply(self.worker)
        except Dead:
            self.worker = self.center
            return 1
        except Unavailable:
            return 1

    async def settle(self) -> None:
        """Until nothing moves any more among those who are there."""
        quiet = 0
        async with asyncio.timeout(60):
            while quiet < 2:
                for name, being in self.beings.items():
                    if name not in self.away:
                        await being.revive()
                moved = await self._work() + await self.truth.step()
                quiet = 0 if moved or await self._waiting() else quiet + 1

    async def _waiting(self) -> bool:
        asked = [] if "gateway" in self.away else [bus.GATEWAY_COMMANDS, *bus.GATEWAY_UPLINKS]
        asked += [] if "ingest" in self.away else [bus.INGEST_RECEIPTS, bus.INGEST_LIVE]
        try:
            counts = await asyncio.gather(*(self.admin.pending(one) for one in asked))
        except Unavailable:
            return True
        return any(counts) or await self._undelivered()

    async def _undelivered(self) -> bool:
        """Whether the broker holds something for a device that has not come yet."""
        rows = await self.center.rows("SELECT DISTINCT command_id::text AS id FROM receipt WHERE kind = 'sent'")
        return any(not self.truth.heard[row["id"]] for row in rows)

    # ------------------------------------------------------------ people

    async def order(self, case: Case, center: Center) -> uuid.UUID:
        """As a browser does it: asked again with the same key when the web part dies."""
        valve = case.plan == "never signed"
        given = {"action": "close", "args": {}} if valve else {"action": "dim", "args": {"level": next(LEVELS)}}
        key, who = uuid.uuid4().hex, self.people["operator"]
        point = self.points["valve" if valve else case.device]
        try:
            made = await commands.request(center, who, point, idempotency_key=key, **given)  # type: ignore[arg-type]
        except Dead:
            made = await commands.request(self.center, who, point, idempotency_key=key, **given)  # type: ignore[arg-type]
        return made[0]

    async def change_of_mind(self, case: Case) -> None:
        """Cancel or order something else while the first is under way."""
        assert case.command
        if case.plan == "cancelled":
            try:
                await commands.cancel(self.center, self.people["operator"], case.command)
            except Conflict:
                return  # too late: it goes on as any other
        elif case.plan == "superseded":
            case.second = await self.order(case, self.center)


async def register(center: Center) -> dict[str, int]:
    """Devices of four kinds; point ids by external id. Each radio device has a gateway of its own."""
    shipped = catalog().profiles["lamp"].model_dump(mode="json", by_alias=True)
    plain = {**shipped, "name": "lamp-plain", "dedup_commands": False}
    kinds = [("native", "lamp", n) for n in range(NATIVE_DEVICES)]
    kinds += [("native", "lamp-plain", n) for n in range(PLAIN_DEVICES)]
    kinds += [("chirpstack", "lamp-lora", n) for n in range(RADIO_DEVICES)]
    proposals = [_place("valve", "valve", protocol="native", profile="valve")]
    for protocol, profile, number in kinds:
        name = f"00112233445566{number:02x}" if protocol == "chirpstack" else f"{profile}-{number}"
        proposals.append(_place(name, "lamp", protocol=protocol, profile=profile))
    for name in HTTP_DEVICES:
        profile = "lamp-plain" if "plain" in name else "lamp"
        proposals.append(_place(name, "lamp", protocol="native", profile=profile))
    await registry_write.seed_catalog(center, catalog())
    await registry_write.apply(center, ProposalRequest("test", proposals, {"lamp-plain": plain}), catalog())
    rows = await center.rows("SELECT object_id, key FROM object_now WHERE class <> 'device'")
    return {row["key"]: row["object_id"] for row in rows}


def _place(name: str, class_: str, *, protocol: str, profile: str) -> Proposal:
    attributes: dict[str, Any] = {"downlink": "http"} if name in HTTP_DEVICES else {}
    if protocol == "chirpstack":
        attributes = {"application_id": APPLICATION, "gateways": [f"gw-{name}"]}
    spec = DeviceSpec(external_id=name, protocol=protocol, profile=profile, attributes=attributes)
    return Proposal(key=name, cls=class_, name_ru=name, name_en=name, lon=37.77, lat=44.72, device=spec)


@asynccontextmanager
async def command_town(city: Settings, broker: embedded.Nats) -> AsyncIterator[Town]:
    """A town with gateway and ingest alive. What they leave unacknowledged comes again after 1 s."""
    settings = city.model_copy(update={"ack_wait_s": 1})
    async with live_center(settings) as center, bus.connected(settings, "admin") as admin:
        await admin.ensure_streams()  # with the short ack_wait
        points = await register(center)
        people = {"operator": await person(center, "ivan", "operator")}
        with mqtt(settings, "fleet") as fleet, mqtt(settings, "lorawan") as network:
            fleet.subscribe("devices/+/down/#")
            network.subscribe("application/+/device/+/command/down")
            beings = {
                "gateway": Being(settings, "gateway", gateway.app.run),
                "ingest": Being(settings, "ingest", ingest.app.run),
            }
            truth = Field(fleet, network, lambda: datetime.now(UTC), admin, HTTP_DEVICES)
            town = Town(settings, broker, admin, center, people, points, truth, beings, center)
            truth.now = town.now
            await town.advance(timedelta(0))
            for being in beings.values():
                await being.start()
            yield town
            for being in beings.values():
                await being.stop()
