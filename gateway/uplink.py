"""The uplink road: pull -> decode -> check -> one Arrow batch to READINGS -> notices and receipts -> acknowledge."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from citynet.bus import Consumer, Frame, Puller, held
from citynet.model import Quality, Receipt, pack_readings
from citynet.part import Part
from gateway import answers, checks, quarantine, radio_report, repeats
from gateway.checks import Checked, Readings
from gateway.decoding import Decoder, Draft
from gateway.directory import Directory
from gateway.wire import device_id

if TYPE_CHECKING:
    from gateway.masts import Masts

FETCH_WAIT_S = 1.0
HISTORY_BATCH = 500


@dataclass
class Lane:
    """One partition of UPLINKS or HISTORY. turn is shared by history lanes: one of them works at a time."""

    part: Part
    directory: Directory
    consumer: Consumer
    partition: int
    turn: asyncio.Lock | None = None
    masts: "Masts | None" = None
    leave: asyncio.Event = field(default_factory=asyncio.Event)  # set when another worker shall have the partition
    decoder: Decoder = field(init=False)

    def __post_init__(self) -> None:
        self.decoder = Decoder(self.consumer.stream, self.directory, self.part.settings)

    @property
    def batch_frames(self) -> int:
        """Frames of one pull; small for history, so that live frames never wait long behind it."""
        return HISTORY_BATCH if self.turn else self.part.settings.batch_frames

    async def run(self, puller: Puller) -> None:
        """Follow the partition until its end. Raises Unavailable: then frames stay in the stream."""
        if self.turn is None:
            async for frames in repeats.recent(self.part.bus, self.consumer):
                await self._meet_strangers(frames)
                self.decoder.remember(frames)
        while not (self.part.stopping.is_set() or self.leave.is_set()):
            frames = await puller.fetch(self.batch_frames, FETCH_WAIT_S)
            if not frames:
                continue
            async with held(puller, frames):
                if self.turn:
                    async with self.turn:
                        await self.take(frames)
                else:
                    await self.take(frames)
            await puller.ack(frames)

    async def take(self, frames: list[Frame]) -> None:
        """The whole road of one batch. When it returns, all that the frames cause is stored."""
        await self._meet_strangers(frames)
        heard = await self.decoder.hear(frames)
        if heard:
            await self._meet_strangers(frames)  # the registry may have changed meanwhile
        draft = self.decoder.decode(frames, heard)
        checked = checks.check(draft, self.directory.targets, self.part.clock, limits=self.part.settings)
        self._note_refused(draft, checked)
        await self._publish_readings(draft, checked)
        if draft.receptions and not self.turn:
            if self.masts:
                self.masts.note(draft)
            key = f"radio-{self.partition}-{frames[0].seq}-{frames[-1].seq}"
            await radio_report.publish(self.part.bus, draft, clock=self.part.clock, key=key)
        await self._publish_receipts(draft)
        await quarantine.publish(self.part.bus, draft.notices)
        self._count(draft, checked)

    async def _meet_strangers(self, frames: list[Frame]) -> None:
        """A device may speak in the very moment after its registration: look again before it counts as unknown."""
        plain, known = self.directory.plain, self.directory.known.routes
        names = {device_id(f.subject.split(".")[2]) for f in frames if f.subject not in plain}
        if not names <= known.keys():
            await self.directory.meet(names)

    def _note_refused(self, draft: Draft, checked: Checked) -> None:
        for reason, positions in checked.refused.items():
            for position in positions.tolist():
                frame = draft.frames[position]
                identifier = device_id(frame.subject.split(".")[2])
                stream = self.consumer.stream
                draft.notices.append(quarantine.notice(frame, reason, stream=stream, external_id=identifier))

    async def _publish_readings(self, draft: Draft, checked: Checked) -> None:
        rows = checked.readings
        if self.turn:
            await self._publish("hist", rows, draft)
            return
        old = checks.late(rows, self.part.settings.history_after_s)
        await self._publish("live", rows.where(~old), draft)
        await self._publish("hist", rows.where(old).marked(Quality.LATE), draft)

    async def _publish(self, lane: str, rows: Readings, draft: Draft) -> None:
        subject = f"readings.{lane}.{self.partition}"
        for piece in checks.parts(rows, self.part.settings.readings_message_bytes):
            first, last = draft.frames[piece.frame[0]].seq, draft.frames[piece.frame[-1]].seq
            # The count too: a device that was unknown at the first try adds rows at the second.
            msg_id = f"{self.consumer.stream}-{lane}-{self.partition}-{first}-{last}-{len(piece)}"
            body = pack_readings(checks.batch(piece, draft, self.partition))
            await self.part.bus.publish(subject, body, msg_id=msg_id)
        draft.counters[f"readings_{lane}"] += len(rows)

    async def _publish_receipts(self, draft: Draft) -> None:
        if not draft.answers:
            return
        items = self.directory.queue_items
        believed = await answers.believed(self.part.db, draft, self.consumer.stream, items=items)
        for frame, _, answer in believed:
            moment = checks.city_time(frame.received_ns, self.part.clock)
            receipt = Receipt(command_id=answer.command_id, kind=answer.kind, time=moment, detail=answer.detail)
            msg_id = f"{self.consumer.stream}-{frame.seq}"
            await self.part.bus.publish(f"receipts.{answer.command_id}", msgspec.json.encode(receipt), msg_id=msg_id)
        draft.counters["receipts"] += len(believed)

    def _count(self, draft: Draft, checked: Checked) -> None:
        counters = self.part.counters
        counters.update(draft.counters)
        counters["duplicates"] += checked.repeats
        counters["quarantined"] += len(draft.notices)
        for one in draft.notices:
            counters[f"quarantined_{one.reason}"] += 1
