"""One partition at work: frames of READINGS -> engine -> checkpoint with events -> acknowledge. Started by app."""

import asyncio
import time
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pyarrow as pa
import structlog

from analytics.columns import NEVER, Array
from analytics.directory import Directory
from analytics.engine import Engine, Readings
from analytics.judge import EPOCH
from analytics.store import Checkpoint, Store
from citynet.bus import GATEWAY_UPLINKS, Frame, Puller
from citynet.errors import CitynetError
from citynet.model import Event, column, unpack_readings
from citynet.part import Part

log = structlog.get_logger()
FETCH_FRAMES, FETCH_WAIT_S = 64, 0.5
PACE_S = 0.2  # what comes within it is judged together: a step costs the same for one frame and for sixty
SAVE_EVERY_S, SAVE_ROWS = 2.0, 50_000
HISTORY_ROWS = 50_000  # taken at once; live readings wait for it
OUTAGE_S = 60.0  # wall time without any reading round a start that is an outage of the road, not of devices


def readings_of(data: bytes, applied_seq: int) -> tuple[Readings, int]:
    """The rows of a message above a position, and the position after it. Raises pa.ArrowInvalid."""
    batch = unpack_readings(data)

    def ints(name: str) -> Array:
        return column(batch, name).astype(np.int64)

    seq = ints("uplink_seq")
    fresh = seq > applied_seq
    columns = [ints(name)[fresh] for name in ("series_id", "time", "received", "quality")]
    value = column(batch, "value")[fresh]
    readings = Readings(columns[0], columns[1], columns[2], value, columns[3])
    return readings, max(applied_seq, int(seq.max(initial=applied_seq)))


def joined(parts: list[Readings]) -> Readings:
    """All parts as one."""
    names = ("series", "time", "received", "value", "quality")
    return Readings(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass
class Lane:
    """A partition: its engine, its positions and what is not saved yet."""

    part: Part
    directory: Directory
    store: Store
    engine: Engine
    number: int
    mail: asyncio.Event
    leave: asyncio.Event = field(default_factory=asyncio.Event)  # set when another worker shall have the partition
    epoch: int = 0
    applied_seq: int = 0
    hist_seq: int = 0
    afresh: bool = False
    rested: bool = False
    rows: int = 0
    saved_at: float = field(default_factory=time.monotonic)
    events: list[Event] = field(default_factory=list)
    unacked: list[tuple[Puller, Frame]] = field(default_factory=list)
    saving: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def restore(self, uplinks_last: int, readings_last: int) -> None:
        """Take the last checkpoint. A stream that ends before a position has begun anew: so does the position."""
        kept = await self.store.take(self.number)
        self.epoch = kept.epoch
        self.applied_seq = kept.applied_seq if kept.applied_seq <= uplinks_last else 0
        self.hist_seq = kept.hist_seq if kept.hist_seq <= readings_last else 0
        if not kept.state:
            self.events += self.engine.configure(self.directory.city)
            return
        try:
            self.events += self.engine.load(kept.state, kept.chunks or {}, self.directory.city)
        except (CitynetError, msgspec.MsgspecError, ValueError, KeyError) as error:
            log.warning("analytics starts with an empty state", partition=self.number, why=str(error).splitlines()[0])
            self.engine = self.directory.engine()
            self.engine.configure(self.directory.city)
            self.afresh = True

    @property
    def ends(self) -> bool:
        """Whether the part stops, or this lane."""
        return self.part.stopping.is_set() or self.leave.is_set()

    async def live(self, puller: Puller) -> None:
        """Follow the live lane until its end."""
        while not self.ends:
            began = time.monotonic()
            frames = await puller.fetch(FETCH_FRAMES, FETCH_WAIT_S)
            if frames:
                await self.take(frames, puller)
            else:
                await self.rest(puller)
            await self.directory.look_at_gateways()
            await self.save_when_due()
            if 0 < len(frames) < FETCH_FRAMES and not self.ends:
                await asyncio.sleep(max(0.0, PACE_S - (time.monotonic() - began)))

    async def history(self, puller: Puller, turn: asyncio.Lock) -> None:
        """Follow the history lane; turn is shared, so that one partition trains at a time and live goes between."""
        while not self.ends:
            frames = await puller.fetch(FETCH_FRAMES, FETCH_WAIT_S)
            async with turn:
                await self.train(frames, puller)
            await self.save_when_due()

    async def take(self, frames: list[Frame], puller: Puller) -> None:
        """Judge the frames of the live lane, each frame a message of its own."""
        messages, seq = [], self.applied_seq
        self.engine.clocks.speed = self.part.clock.speed
        for frame in frames:
            readings, seq = self._readings(frame, seq)
            messages.append(readings)
        await self.directory.meet(messages)
        # From here on nothing is awaited: a checkpoint has a message whole or not at all.
        late = self.engine.late
        messages = [message for message in messages if len(message)]
        for group in [messages] if self.rested else [[message] for message in messages]:
            if group:
                self._note_outage(int(group[0].received.min()))
                self._raise(self.engine.live(group))
        self.part.counters["late"] += self.engine.late - late
        self._count("readings", sum(map(len, messages)))
        self.applied_seq = seq
        self.unacked += [(puller, frame) for frame in frames]

    def _readings(self, frame: Frame, applied_seq: int) -> tuple[Readings, int]:
        try:
            return readings_of(frame.data, applied_seq)
        except pa.ArrowInvalid:
            self.part.counters["foreign"] += 1
            empty = np.empty(0, np.int64)
            return Readings(empty, empty, empty, np.empty(0), empty), applied_seq

    async def train(self, frames: list[Frame], puller: Puller) -> None:
        """Learn the frames of the history lane that are not learned yet, some at a time."""
        waiting: list[Readings] = []
        taken: list[Frame] = []
        for frame in frames:
            taken.append(frame)
            if frame.seq > self.hist_seq:
                waiting.append(self._readings(frame, 0)[0])
            if sum(map(len, waiting)) >= HISTORY_ROWS or frame is frames[-1]:
                await self.directory.meet(waiting)
                self._learn(waiting)
                self.hist_seq = max(self.hist_seq, frame.seq)
                self.unacked += [(puller, one) for one in taken]
                waiting, taken = [], []
                await asyncio.sleep(0)

    def _learn(self, waiting: list[Readings]) -> None:
        if waiting:
            readings = joined(waiting)
            self._raise(self.engine.history(readings))
            self._count("history", len(readings))

    async def rest(self, puller: Puller) -> None:
        """Nothing came: when nothing is on its way either, the city clock moves watermarks and silence."""
        now = self.part.clock.now()
        if await self.part.bus.pending(GATEWAY_UPLINKS[self.number]):
            return
        frames = await puller.fetch(FETCH_FRAMES, 0.05)
        if frames:
            await self.take(frames, puller)
            return
        now_us = int((now - EPOCH).total_seconds() * 1e6)
        self._note_outage(now_us)
        self.rested = True
        self._raise(self.engine.idle(now_us))

    def _note_outage(self, now_us: int) -> None:
        """Between a start and the first rest: a long time without any reading is an outage of the road."""
        if self.rested or self.engine.now == NEVER:
            return
        if (now_us - self.engine.now) / 1e6 / self.part.clock.speed > OUTAGE_S:
            log.info("silence counts from here", partition=self.number)
            self.engine.forgive_silence(now_us)

    def _raise(self, events: list[Event]) -> None:
        self.events += events
        self.part.counters["events"] += len(events)

    def _count(self, name: str, rows: int) -> None:
        self.part.counters[name] += rows
        self.rows += rows

    def _lag_s(self) -> float:
        """Wall seconds between the city clock and what was judged last; 0 when the clock was set back meanwhile."""
        now_us = (self.part.clock.now() - EPOCH).total_seconds() * 1e6
        return max(0.0, (now_us - self.engine.now) / 1e6 / self.part.clock.speed)

    async def save_when_due(self) -> None:
        """Save at once with events, else every 2 s or 50,000 rows."""
        changed = self.unacked or self.events
        old = time.monotonic() - self.saved_at >= SAVE_EVERY_S or self.rows >= SAVE_ROWS
        if self.events or (changed and old):
            await self.save()

    async def save(self) -> None:
        """One transaction for state, positions and events; then acknowledge what it covers."""
        async with self.saving:
            began = self.saved_at = time.monotonic()
            state, chunks = self.engine.dump()
            events, unacked, self.events, self.unacked, self.rows = self.events, self.unacked, [], [], 0
            outages = self.engine.judge.out_of_work()
            kept = Checkpoint(self.number, self.applied_seq, self.hist_seq, state, chunks, self.epoch, outages)
            await self.store.save(kept, events, afresh=self.afresh)
            self.afresh = False
            if events:
                self.mail.set()
            for puller in dict.fromkeys(puller for puller, _ in unacked):
                await puller.ack([frame for mine, frame in unacked if mine is puller])
            self.part.counters["checkpoints"] += 1
            self.part.gauges["checkpoint_s"] = time.monotonic() - began
            self.part.gauges["lag_s"] = self._lag_s()
