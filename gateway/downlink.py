"""The downlink road: command -> what is known of it -> encode -> receipt `intent` -> send -> receipt `sent` -> ack.

After a crash a command with an intent and no proof of sending is sent again only if its device de-duplicates."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from citynet.bus import GATEWAY_COMMANDS, Frame, Puller, held
from citynet.catalog import Argument, CommandSpec, Profile
from citynet.clock import Clock
from citynet.errors import BadInput, Unavailable
from citynet.model import Command, Receipt, ReceiptKind
from citynet.part import Part
from gateway.answers import SQL
from gateway.devices import codecs
from gateway.directory import Directory
from gateway.quarantine import clean, notice, publish
from gateway.uplink import FETCH_WAIT_S, IN_PROGRESS_S
from gateway.wire import Downlink, Order, protocols

log = structlog.get_logger()
BATCH = 64
RETRY_S = 0.5
QOS1 = {"Nmqtt-Pub": "1"}
# Where the broker keeps what MQTT sessions at QoS 1 have yet to receive.
MQTT_PREFIX = "$MQTT.msgs."


def wall(deadline: datetime, clock: Clock) -> datetime:
    """The wall moment of a city moment, for systems that do not know the city clock."""
    return clock.wall_origin + timedelta(seconds=clock.wall_s(deadline - clock.origin))


def check_argument(argument: Argument, value: object) -> None:
    """Raise BadInput unless value fits the profile's words."""
    kinds: dict[str, tuple[type, ...]] = {"number": (int, float), "bool": (bool,), "text": (str,)}
    fits = isinstance(value, kinds[argument.type]) and (argument.type == "bool" or not isinstance(value, bool))
    if not fits:
        raise BadInput("bad_argument", f"{argument.name} is {value!r}, not a {argument.type}")
    if isinstance(value, (int, float)):
        low, high = argument.min, argument.max
        if (low is not None and value < low) or (high is not None and value > high):
            raise BadInput("bad_argument", f"{argument.name} = {value} is not within {low} to {high} {argument.unit}")


def specification(command: Command, profile: Profile | None) -> CommandSpec:
    """The profile's entry of the command, its arguments checked. Raises BadInput."""
    found = [spec for spec in (profile.command if profile else []) if spec.name == command.action]
    if not found:
        raise BadInput("unknown_action", f"profile {command.profile} has no command {command.action}")
    for argument in found[0].arg:
        value = command.args.get(argument.name, argument.default)
        if value is None:
            raise BadInput("bad_argument", f"{argument.name} is missing")
        check_argument(argument, value)
    return found[0]


@dataclass
class DownlinkLane:
    """Sends commands one after the other; receipts tell what became of each."""

    part: Part
    directory: Directory

    async def run(self, puller: Puller) -> None:
        """Follow COMMANDS until the part stops. Raises Unavailable: then commands stay in the stream."""
        while not self.part.stopping.is_set():
            frames = await puller.fetch(BATCH, FETCH_WAIT_S)
            if not frames:
                continue
            async with held(puller, frames, every_s=IN_PROGRESS_S):
                for frame in frames:
                    await self._take(frame)
                    if self.part.stopping.is_set():
                        return  # perhaps unfinished: it comes again, and the receipts say how far it got
                    await puller.ack([frame])

    async def _take(self, frame: Frame) -> None:
        try:
            command = msgspec.json.decode(frame.data, type=Command)
        except msgspec.DecodeError as error:
            stream = GATEWAY_COMMANDS.stream
            refused = notice(frame, "wrong_shape", detail=str(error), stream=stream, external_id="")
            await publish(self.part.bus, [refused])
            self.part.counters["quarantined"] += 1
            return
        known = await self._known(command.command_id)
        profile = self.directory.profile(command.profile)
        if not known:
            await self._send(command, profile, first=True)
        elif known == {"intent"}:
            await self._after_crash(command, profile)

    async def _known(self, command_id: UUID) -> set[str]:
        """Receipts so far. The stream first: what ingest takes from it meanwhile is in the table by then."""
        last = await self.part.bus.last("RECEIPTS", f"receipts.{command_id}")
        rows = await self.part.db.rows(SQL["receipts"], [[command_id]])
        known = {str(row["kind"]) for row in rows}
        if last:
            known.add(msgspec.json.decode(last, type=Receipt).kind)
        return known

    async def _after_crash(self, command: Command, profile: Profile | None) -> None:
        if profile and profile.dedup_commands:
            await self._send(command, profile, first=False)
        else:
            await self._tell(command, "unknown", "the gateway stopped while sending")

    async def _send(self, command: Command, profile: Profile | None, *, first: bool) -> None:
        if self.part.clock.now() > command.deadline:
            await self._tell(command, "expired", "the deadline passed before sending")
            return
        try:
            downlink = self._encode(command, profile)
        except BadInput as error:
            await self._tell(command, "failed", str(error))
            return
        if first:
            await self._tell(command, "intent")
        if await self._hand_over(command, downlink):
            await self._tell(command, "sent")
        elif not self.part.stopping.is_set():
            await self._tell(command, "unknown", "the broker did not confirm before the deadline")

    async def _hand_over(self, command: Command, downlink: Downlink) -> bool:
        """Give the message to the broker; tries again until the deadline, the message id makes that harmless."""
        subject, msg_id = MQTT_PREFIX + downlink.subject, f"down-{command.command_id}"
        while not self.part.stopping.is_set() and self.part.clock.now() <= command.deadline:
            try:
                await self.part.bus.publish(subject, downlink.payload, msg_id=msg_id, headers=QOS1)
                return True
            except Unavailable:
                self.part.counters["downlink_retries"] += 1
                await asyncio.sleep(RETRY_S)
        return False

    def _encode(self, command: Command, profile: Profile | None) -> Downlink:
        speaks = protocols().get(command.protocol)
        if speaks is None:
            raise BadInput("unknown_protocol", command.protocol)
        spec = specification(command, profile)
        deadline = wall(command.deadline, self.part.clock).astimezone(UTC)
        return speaks.encode_down(Order(command, spec, codecs().get(command.profile), deadline))

    async def _tell(self, command: Command, kind: ReceiptKind, detail: str = "") -> None:
        receipt = Receipt(command_id=command.command_id, kind=kind, time=self.part.clock.now(), detail=clean(detail))
        body = msgspec.json.encode(receipt)
        await self.part.bus.publish(f"receipts.{command.command_id}", body, msg_id=f"{command.command_id}-{kind}")
        self.part.counters[f"commands_{kind}"] += 1
        log.info("command", id=str(command.command_id), device=command.external_id, kind=kind, detail=detail)
