"""rpc.uplinks.frames: the last raw frames of one device, as they came and as they are read now. For situation_center.

What the archive has not taken yet comes from the broker, the rest from the archive; nothing is stored."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from citynet import db
from citynet.bus import Frame, Incoming
from citynet.errors import BadInput, Unavailable
from citynet.model import FramesAsked, FramesTold, RawFrame, RawValue
from citynet.part import Part
from gateway import archived, checks
from gateway.decoding import Decoder, Draft
from gateway.directory import Directory
from gateway.scripted import Heard
from gateway.wire import Parsed, device_id, subject_token

log = structlog.get_logger()
SUBJECT = "rpc.uplinks.frames"
STREAMS = {"UPLINKS": "up", "HISTORY": "hist"}
FRAMES_MAX, VALUES_SHOWN, BYTES_SHOWN = 100, 12, 512
# A page waits for the answer: what is not found by then is said to be missing.
LOOK_S = 4.0
READ_BATCH = 500
KEPT = timedelta(hours=72)  # by the broker
RECENT = timedelta(hours=1)


@dataclass
class LastFrames:
    """Serves one request after the other."""

    part: Part
    directory: Directory

    async def run(self) -> None:
        """Answer until the part stops."""
        await self.part.answer(SUBJECT, self._ask, queue="gateway")

    async def _ask(self, message: Incoming) -> bytes:
        try:
            asked = msgspec.json.decode(message.data, type=FramesAsked)
            return msgspec.json.encode(await self.answer(asked))
        except (msgspec.DecodeError, UnicodeDecodeError, BadInput) as error:
            return msgspec.json.encode(FramesTold(ok=False, error=str(error)))
        except (Unavailable, *db.AWAY) as error:
            log.warning("last frames not read", error=str(error).splitlines()[0])
            return msgspec.json.encode(FramesTold(ok=False, error="broker or database is away: try again"))

    async def answer(self, asked: FramesAsked) -> FramesTold:
        """The newest frame first. Raises BadInput, Unavailable."""
        self.part.counters["frames_asked"] += 1
        limit = min(max(asked.limit, 1), FRAMES_MAX)
        found: list[tuple[str, Frame]] = []
        whole = True
        for stream in STREAMS:
            search = Search(self.part, stream, asked.external_id, limit)
            whole &= await search.run()
            found += [(stream, frame) for frame in search.frames.values()]
        newest = heapq.nlargest(limit, found, key=lambda one: one[1].arrival_ns)
        return FramesTold(ok=True, whole=whole, frames=await self._read(newest))

    async def _read(self, found: list[tuple[str, Frame]]) -> list[RawFrame]:
        """What each says now; copies are known by those before them, so the oldest is read first."""
        told: dict[tuple[str, int, int], RawFrame] = {}
        for stream in STREAMS:
            frames = sorted((one for kind, one in found if kind == stream), key=lambda one: one.arrival_ns)
            decoder = Decoder(stream, self.directory, self.part.settings)
            await self.directory.meet({device_id(frame.subject.split(".")[2]) for frame in frames})
            heard = await decoder.hear(frames)
            for position, frame in enumerate(frames):
                said = {0: heard[position]} if position in heard else {}
                told[(stream, frame.seq, frame.arrival_ns)] = self._one(decoder, frame, said)
        return [told[(stream, frame.seq, frame.arrival_ns)] for stream, frame in found]

    def _one(self, decoder: Decoder, frame: Frame, heard: Mapping[int, Heard]) -> RawFrame:
        parsed = decoder.parse(frame)
        said = parsed if isinstance(parsed, Parsed) else Parsed()
        draft = decoder.decode([frame], heard)
        checked = checks.check(draft, self.directory.targets, self.part.clock, limits=self.part.settings)
        radio = said.radio or said.spare
        payload = radio.data if radio else frame.data
        tokens = frame.subject.split(".")
        rows = checked.readings
        values = [
            RawValue(int(series), int(time), float(value), int(quality))
            for series, time, value, quality in zip(
                *(column[:VALUES_SHOWN] for column in (rows.series, rows.time, rows.value, rows.quality)), strict=True
            )
        ]
        return RawFrame(
            stream=decoder.stream,
            seq=frame.seq,
            time=checks.city_time(frame.received_ns, self.part.clock),
            protocol=tokens[3] if len(tokens) > 3 else "",
            kind=tokens[-1],
            f_port=radio.f_port if radio else None,
            f_cnt=said.reception.f_cnt if said.reception and said.reception.f_cnt >= 0 else None,
            by_radio=radio is not None,
            payload=payload[:BYTES_SHOWN],
            size=len(payload),
            values=values,
            more=len(rows) - len(values),
            refused=[
                *((one.reason, one.detail) for one in draft.notices),
                *((reason, "") for reason in checked.refused),
            ],
            counted=_counted(said, draft),
        )


def _counted(said: Parsed, draft: Draft) -> str:
    """Why there is nothing to be stored: a copy, an answer, a join."""
    if draft.counters["repeats"]:
        return "repeats"
    return said.counted or ("answers" if said.answers else "")


@dataclass
class Search:
    """The newest frames of one device in one stream, by sequence and arrival."""

    part: Part
    stream: str
    external_id: str
    limit: int

    def __post_init__(self) -> None:
        self.frames: dict[tuple[int, int], Frame] = {}

    async def run(self) -> bool:
        """Find them; whether everything could be looked at in time. Raises BadInput, Unavailable."""
        try:
            async with asyncio.timeout(LOOK_S):
                await self._find()
        except TimeoutError:
            return False
        return True

    async def _find(self) -> None:
        now = datetime.now(UTC)
        edge = await archived.newest(self.part.db, self.stream) or now - KEPT
        # Mostly the archive is seconds behind; where it is off or far behind, the last hour is enough for most devices.
        for since in dict.fromkeys((max(edge, now - RECENT), edge)):
            self.frames.clear()
            async for frames in self._broker(since):
                self._note(frames)
            if len(self.frames) >= self.limit:
                return
        past = datetime.fromtimestamp(0, UTC)
        blocks = archived.backward(self.part.db, self.stream, since=past, before=now, external_id=self.external_id)
        async for frames in blocks:
            self._note(frames)
            if len(self.frames) >= self.limit:
                return

    def _broker(self, since: datetime) -> AsyncIterator[list[Frame]]:
        subject = f"{STREAMS[self.stream]}.*.{subject_token(self.external_id)}.>"
        return self.part.bus.reread(self.stream, subject, since=since, batch=READ_BATCH)

    def _note(self, frames: list[Frame]) -> None:
        """Keep the newest ones. A frame may be in the archive and still with the broker."""
        self.frames |= {(frame.seq, frame.arrival_ns // 1000): frame for frame in frames}
        for key in sorted(self.frames, key=lambda one: one[1])[: -self.limit]:
            del self.frames[key]
