"""Decodes stored frames again on request, after a codec or profile was mended; ingest corrects what differs.

The raw frames, the quarantine and the receipts are left alone; the same request again changes nothing."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import structlog

from citynet import __version__, db
from citynet.bus import Frame, Incoming
from citynet.errors import BadInput, Unavailable
from citynet.model import (
    EDIT_CODEC,
    EDIT_WHO,
    EDIT_WHY,
    RedecodeProgress,
    RedecodeRequest,
    Reply,
    pack_readings,
)
from citynet.part import Part
from gateway import archived, checks
from gateway.decoding import Decoder
from gateway.devices import family
from gateway.directory import Directory
from gateway.scripted import Heard
from gateway.wire import device_id, subject_token

log = structlog.get_logger()
REQUEST, PROGRESS, EDITS = "rpc.uplinks.redecode", "live.redecode", "readings.edit"
BATCH = 500
STREAMS = {"HISTORY": "hist", "UPLINKS": "up"}


@dataclass
class Job:
    """One request at work; decoders of its own, so that the memory of live radio copies is not touched."""

    request: RedecodeRequest
    decoders: dict[str, Decoder]
    frames: int = 0
    readings: int = 0
    refused: int = 0

    def progress(self, *, done: bool = False, error: str = "") -> bytes:
        """Body of live.redecode."""
        told = {name: getattr(self, name) for name in ("frames", "readings", "refused")}
        return msgspec.json.encode(RedecodeProgress(request_id=self.request.request_id, done=done, error=error, **told))


@dataclass
class Redecoder:
    """Serves one request after the other. turn is shared with the history lanes: one of them works at a time."""

    part: Part
    directory: Directory
    turn: asyncio.Lock
    waiting: asyncio.Queue[RedecodeRequest] = field(default_factory=lambda: asyncio.Queue(8))

    async def run(self) -> None:
        """Work until the part stops. A request that fails says so to whoever follows it: it may be made again."""
        unsubscribe = await self.part.bus.subscribe(REQUEST, self._ask, queue="gateway")
        try:
            while not self.part.stopping.is_set():
                try:
                    request = await asyncio.wait_for(self.waiting.get(), 1.0)
                except TimeoutError:
                    continue
                await self._serve(request)
        finally:
            await unsubscribe()

    async def _ask(self, message: Incoming) -> bytes:
        try:
            request = msgspec.json.decode(message.data, type=RedecodeRequest)
            if request.external_id:
                subject_token(request.external_id)
            self.waiting.put_nowait(request)
        except (msgspec.DecodeError, UnicodeDecodeError, BadInput) as error:
            return msgspec.json.encode(Reply(False, error=str(error)))
        except asyncio.QueueFull:
            return msgspec.json.encode(Reply(False, error="other requests are waiting: try again later"))
        return msgspec.json.encode(Reply(True))

    async def _serve(self, request: RedecodeRequest) -> None:
        job = Job(request, {s: Decoder(s, self.directory, self.part.settings) for s in STREAMS})
        try:
            for stream in STREAMS:
                async for frames in self._frames(stream, request):
                    async with self.turn:
                        await self._take(job, stream, frames)
                    await self.part.bus.push(PROGRESS, job.progress())
            await self.part.bus.push(PROGRESS, job.progress(done=True))
        except (Unavailable, *db.AWAY) as error:
            await self.part.bus.push(PROGRESS, job.progress(done=True, error=str(error)))
            raise
        finally:
            log.info("decoded again", who=request.who, frames=job.frames, readings=job.readings)

    async def _frames(self, stream: str, request: RedecodeRequest) -> AsyncIterator[list[Frame]]:
        """Frames of a stream since the moment asked for: what the broker has let go from the archive, then the rest."""
        token = subject_token(request.external_id) if request.external_id else "*"
        before = await self.part.bus.oldest(stream)
        until = before or datetime.now(UTC)
        archive = archived.forward(
            self.part.db, stream, since=request.since, before=until, external_id=request.external_id
        )
        async for frames in archive:
            for start in range(0, len(frames) or 1, BATCH):  # an empty one tells that the work goes on
                yield frames[start : start + BATCH]
        if before:
            subject = f"{STREAMS[stream]}.*.{token}.>"
            async for frames in self.part.bus.reread(stream, subject, since=request.since, batch=BATCH):
                yield frames

    async def _take(self, job: Job, stream: str, frames: list[Frame]) -> None:
        await self.directory.meet(device_id(frame.subject.split(".")[2]) for frame in frames)
        by_profile: dict[str, list[Frame]] = defaultdict(list)
        for frame in frames:
            route = self.directory.route(device_id(frame.subject.split(".")[2]))
            if route and job.request.profile in ("", route.device.profile):
                by_profile[route.device.profile].append(frame)
        for profile, some in by_profile.items():
            await self._decode(job, job.decoders[stream], some, profile=profile)

    async def _decode(self, job: Job, decoder: Decoder, frames: list[Frame], *, profile: str) -> None:
        heard, version = await self._hear(decoder, frames, profile)
        draft = decoder.decode(frames, heard)
        checked = checks.check(draft, self.directory.targets, self.part.clock, limits=self.part.settings)
        headers = {EDIT_WHO: job.request.who, EDIT_WHY: job.request.why, EDIT_CODEC: version}
        for piece in checks.parts(checked.readings, self.part.settings.readings_message_bytes):
            await self.part.bus.publish(EDITS, pack_readings(checks.batch(piece, draft, 0)), headers=headers)
        job.frames += len(frames)
        job.readings += len(checked.readings)
        job.refused += len(draft.notices) + sum(map(len, checked.refused.values()))

    async def _hear(self, decoder: Decoder, frames: list[Frame], profile: str) -> tuple[Mapping[int, Heard], str]:
        """What scripts say, and the version that said it: the registry may change while a script runs."""
        while True:
            version = self._version(profile)
            heard = await decoder.hear(frames)
            if heard:
                await self.directory.meet({device_id(frame.subject.split(".")[2]) for frame in frames})
            if version == self._version(profile):
                return heard, version

    def _version(self, profile: str) -> str:
        """Such as bin-lora@3/codec@2 for a script, bin-lora@3/python:bin-lora@0.1.0 for a family of this release."""
        named = f"{profile}@{self.directory.profile_version(profile)}"
        script, known = self.directory.script(profile), self.directory.profile(profile)
        if script is not None:
            return f"{named}/codec@{script.version}"
        file = family(known, profile)
        return f"{named}/python:{file}@{__version__}" if file else named
