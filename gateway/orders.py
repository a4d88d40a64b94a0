"""One command on its way: what is known of it -> encode -> receipt `intent` -> hand over -> receipt `sent`.

Each step leaves its proof before the next, so that after a crash nothing is claimed that may not be true."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from citynet.catalog import Profile
from citynet.clock import Clock
from citynet.errors import BadInput, Unavailable
from citynet.model import Command, Receipt, ReceiptKind
from citynet.part import Part
from gateway import downlink_scripts
from gateway.airtime import HOUR, Budget, Burst, burst, written
from gateway.answers import SQL
from gateway.arguments import specification
from gateway.chirpstack.road import Road
from gateway.directory import Directory
from gateway.fetch import fetches
from gateway.quarantine import clean
from gateway.wire import Downlink, Order, protocols

log = structlog.get_logger()
RETRY_S = 0.5
STOPPED = "the gateway stopped while sending"
FETCHED = "the device fetches its commands by HTTP"
QOS1 = {"Nmqtt-Pub": "1"}
# Where the broker keeps what MQTT sessions at QoS 1 have yet to receive.
MQTT_PREFIX = "$MQTT.msgs."
# What people no longer want goes nowhere; a command that is unknown may have gone already.
UNWANTED = frozenset({"cancelled", "superseded", "expired", "failed", "rejected", "unknown_final"})


def wall(deadline: datetime, clock: Clock) -> datetime:
    """The wall moment of a city moment, for systems that do not know the city clock."""
    return clock.wall_origin + timedelta(seconds=clock.wall_s(deadline - clock.origin))


def sender(command: Command, profile: Profile | None) -> str:
    """Who speaks to the device: its nearest gateway where that is known, else, by radio, all of its application."""
    told = command.attributes
    gateways = told.get("gateways")
    if isinstance(gateways, list) and gateways:
        return str(gateways[0])
    by_radio = told.get("application_id") if profile and profile.radio_class else None
    return str(told.get("gateway") or by_radio or "")


@dataclass
class Sender:
    """Takes commands forward by one step of certainty at a time."""

    part: Part
    directory: Directory
    budget: Budget
    road: Road
    waiting: set[UUID] = field(default_factory=set)  # those of which it was told that they wait

    async def remember(self) -> None:
        """Take what was on air in the last hour from the receipts: a restart frees no gateway."""
        since = self.part.clock.now() - HOUR
        for row in await self.part.db.rows(SQL["on_air"], {"since": since}):
            if done := written(row["detail"]):
                self.budget.spend(done, row["time"])

    async def take(self, command: Command, *, kept: bool = False) -> datetime | None:
        """Bring a command from the stream as far as it goes; a city moment when it must wait for the radio.

        kept: it was begun, and it is certain that it never left.
        """
        known = await self.known(command.command_id) - ({"intent"} if kept else set())
        if known == {"intent"}:
            return await self._after_crash(command)
        if not known:
            if await self.unwanted(command.command_id):
                await self.tell(command, "withdrawn", "taken back before it was sent")
            elif self.part.clock.now() > command.deadline:
                await self.tell(command, "expired", "the deadline passed before sending")
            else:
                return await self._send_or_keep(command)
        return None

    async def _send_or_keep(self, command: Command, *, again: bool = False) -> datetime | None:
        """What a device fetches by itself stays in hand: until its deadline, unless pickup.py gives it away before."""
        if not fetches(command.protocol, command.attributes):
            return await self.send(command, again=again)
        if command.command_id not in self.waiting:
            self.waiting.add(command.command_id)
            await self.tell(command, "waiting", FETCHED)
        return command.deadline

    async def known(self, command_id: UUID) -> set[str]:
        """Receipts so far. The stream first: what ingest takes from it meanwhile is in the table by then."""
        last = await self.part.bus.last("RECEIPTS", f"receipts.{command_id}")
        rows = await self.part.db.rows(SQL["receipts"], [[command_id]])
        known = {str(row["kind"]) for row in rows}
        if last:
            known.add(msgspec.json.decode(last, type=Receipt).kind)
        return known - {"waiting"}

    async def unwanted(self, command_id: UUID) -> bool:
        """Whether people have taken it back, or something else has ended it."""
        row = await self.part.db.row(SQL["standing"], [command_id])
        return row is not None and (row["state"] in UNWANTED or bool(row["cancel_asked"]))

    async def _after_crash(self, command: Command) -> datetime | None:
        """Begun, and no proof that it went: it may have. Only a device that knows its command ids gets it again."""
        in_time = self.part.clock.now() <= command.deadline
        if self.deduplicates(command) and in_time and not await self.unwanted(command.command_id):
            return await self._send_or_keep(command, again=True)
        if self.road.takes(command):
            await self._look_up(command, self.directory.profile(command.profile))
        else:
            await self.tell(command, "unknown", STOPPED)
        return None

    def deduplicates(self, command: Command) -> bool:
        """Whether the device knows a command that it has had."""
        profile = self.directory.profile(command.profile)
        return profile is not None and profile.dedup_commands

    async def body(self, command: Command) -> bytes:
        """The command as its device reads it. Raises BadInput."""
        return (await self._encode(command, self.directory.profile(command.profile))).payload

    async def send(self, command: Command, *, again: bool = False, attempt: int = 1) -> datetime | None:
        """Encode, announce, hand over; a city moment when the radio is not free yet."""
        profile = self.directory.profile(command.profile)
        try:
            downlink = await self._encode(command, profile)
        except BadInput as error:
            await self.tell(command, "failed", str(error))
            return None
        wanted, now = await self._burst(command, profile, downlink), self.part.clock.now()
        if wanted and (due := self.budget.due(wanted, now)) > now:
            await self._wait(command, wanted, due)
            return due
        if wanted:
            self.budget.spend(wanted, now)  # before anything else happens: others ask for the same gateway
        self.waiting.discard(command.command_id)
        if not again:
            await self.tell(command, "intent", str(wanted or ""))
        async with self.road.turn(command.external_id):
            await self._hand_over_and_tell(command, downlink, attempt=attempt)
        return None

    async def _burst(self, command: Command, profile: Profile | None, downlink: Downlink) -> Burst | None:
        """What goes on air for it and by whom; None where nobody has to share anything."""
        radio = sender(command, profile)
        if not radio:
            return None
        by_uplink = profile is not None and profile.radio_class == "A"
        heard = await self.part.db.row(SQL["heard"], [command.device_id]) if by_uplink else None
        hz, spreading = (heard["frequency"], heard["spreading"]) if heard else (0, 0)
        return burst(radio, profile, radio_bytes=downlink.radio_bytes, heard_hz=hz, heard_sf=spreading)

    async def _wait(self, command: Command, wanted: Burst, due: datetime) -> None:
        """Tell once that it waits for its gateway; those before it may make it later still."""
        self.part.counters["downlinks_waited"] += 1
        if command.command_id not in self.waiting:
            self.waiting.add(command.command_id)
            where = f" in {wanted.band}" if wanted.band else ""
            moment = due.astimezone(UTC).isoformat(timespec="seconds")
            await self.tell(command, "waiting", f"{wanted.sender}: not before {moment}{where}")

    async def _look_up(self, command: Command, profile: Profile | None) -> None:
        """Begun on a road that can be asked: the queue of the network server may show it."""
        moment = self.part.clock.now()
        try:
            payload = (await self._encode(command, profile)).payload
        except BadInput:
            await self.tell(command, "unknown", STOPPED)
            return
        for kind, detail in await self.road.look_up(command, payload, otherwise=STOPPED):
            await self.tell(command, kind, detail, at=moment)

    async def _by_road(self, command: Command, downlink: Downlink) -> None:
        """Hand over by the network server's API, which says itself what became of it."""
        moment = self.part.clock.now()
        left_s = self.part.clock.wall_s(command.deadline - moment)
        for kind, detail in await self.road.send(command, downlink.payload, left_s=left_s):
            await self.tell(command, kind, detail, at=moment)

    async def _hand_over_and_tell(self, command: Command, downlink: Downlink, *, attempt: int) -> None:
        if self.road.takes(command):
            await self._by_road(command, downlink)
            return
        moment = await self._hand_over(command, downlink, attempt=attempt)
        if moment is not None:
            await self.tell(command, "sent", f"attempt {attempt}" if attempt > 1 else "", at=moment)
        elif not self.part.stopping.is_set():
            await self.tell(command, "unknown", "the broker did not confirm before the deadline")

    async def _hand_over(self, command: Command, downlink: Downlink, *, attempt: int) -> datetime | None:
        """Give the message to the broker, again until the deadline: the message id makes that harmless.

        Gives the moment before the broker had it: what telemetry showed earlier is not its effect.
        """
        subject, msg_id = MQTT_PREFIX + downlink.subject, f"down-{command.command_id}-{attempt}"
        while not self.part.stopping.is_set() and (moment := self.part.clock.now()) <= command.deadline:
            try:
                await self.part.bus.publish(subject, downlink.payload, msg_id=msg_id, headers=QOS1)
                return moment
            except Unavailable:
                self.part.counters["downlink_retries"] += 1
                await asyncio.sleep(RETRY_S)
        return None

    async def _encode(self, command: Command, profile: Profile | None) -> Downlink:
        speaks = protocols().get(command.protocol)
        if speaks is None:
            raise BadInput("unknown_protocol", command.protocol)
        spec = specification(command, profile)
        deadline = wall(command.deadline, self.part.clock).astimezone(UTC)
        codec = await downlink_scripts.codec_for(self.directory, spec, command)
        marshaler = "json" if self.road.takes(command) else self.part.settings.chirpstack_marshaler
        return speaks.encode_down(Order(command, spec, codec, deadline, marshaler))

    async def tell(self, command: Command, kind: ReceiptKind, detail: str = "", *, at: datetime | None = None) -> None:
        """Publish a receipt; the same one again is stored once."""
        moment = at or self.part.clock.now()
        receipt = Receipt(command_id=command.command_id, kind=kind, time=moment, detail=clean(detail))
        body = msgspec.json.encode(receipt)
        msg_id = f"{command.command_id}-{kind}-{detail}"
        await self.part.bus.publish(f"receipts.{command.command_id}", body, msg_id=msg_id)
        self.part.counters[f"commands_{kind}"] += 1
        log.info("command", id=str(command.command_id), device=command.external_id, kind=kind, detail=detail)
