"""The part ingest: one lane a stream, several processes may run. Started by `citynet run ingest`."""

import asyncio
import time

from citynet import bus
from citynet.bus import Consumer
from citynet.model import Event, Receipt
from citynet.part import Part, together
from ingest import events, receipts
from ingest.archive import Archive
from ingest.disk import Watch
from ingest.edits import EditWriter
from ingest.figures import Latency
from ingest.lane import Lane, Outcome, Write
from ingest.messages import MessageWriter
from ingest.quarantine import QuarantineWriter
from ingest.radio_writer import RadioWriter
from ingest.replay import ReplayLane
from ingest.retention import Keeper
from ingest.roller import Roller
from ingest.snapshots import Snapshots
from ingest.writer import ReadingsWriter

LIVE_MESSAGES = 64  # a message holds at most 500 kB, about 10,000 rows
HISTORY_MESSAGES = 4
SINGLE_MESSAGES = 500
RADIO_MESSAGES = 32  # a message holds at most 1,000 frames
FIGURES_S = 1.0


class Readings:
    """The lanes of readings and what they have in common: figures, and that history gives way to live."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.latency = Latency()
        self.live_at = 0.0
        self.stored = 0

    def lanes(self) -> list[Lane]:
        """Live, history and corrections."""
        limit = self.part.settings.payload_bytes
        live, history = ReadingsWriter("UPLINKS", limit), ReadingsWriter("HISTORY", limit)
        return [
            Lane(self.part, bus.INGEST_LIVE, live, LIVE_MESSAGES, self._after_live),
            Lane(self.part, bus.INGEST_HISTORY, history, HISTORY_MESSAGES, self._after_history),
            Lane(self.part, bus.INGEST_EDITS, EditWriter(limit), HISTORY_MESSAGES, self._after_history),
        ]

    async def _after_live(self, outcome: Outcome, _: float) -> None:
        self.live_at = time.monotonic()
        if outcome.arrival_ns is not None and len(outcome.arrival_ns):
            self.latency.add(outcome.arrival_ns, outcome.committed_ns)

    async def _after_history(self, _: Outcome, took_s: float) -> None:
        # While live readings flow, history has at most half of the database's time, in short transactions.
        if time.monotonic() - self.live_at < 1:
            await asyncio.sleep(took_s)

    async def figures(self) -> None:
        """Keep the gauges of the part, once a second. Raises Unavailable when the broker is away."""
        before, at = self.part.counters["readings_stored"], time.monotonic()
        while not self.part.stopping.is_set():
            await asyncio.sleep(FIGURES_S)
            stored, now = self.part.counters["readings_stored"], time.monotonic()
            self.part.gauges["rows_s"] = (stored - before) / (now - at)
            before, at = stored, now
            percentiles = self.latency.percentiles_ms()
            if percentiles:
                self.part.gauges["stored_ms_p50"], self.part.gauges["stored_ms_p99"] = percentiles
            self.part.gauges["lag"] = await self.part.bus.pending(bus.INGEST_LIVE)
            self.part.gauges["lag_history"] = await self.part.bus.pending(bus.INGEST_HISTORY)


def lanes(part: Part) -> list[Lane]:
    """The lanes of single messages."""
    limit = part.settings.payload_bytes
    event = MessageWriter("EVENTS", Event, events.store, "events_stored", "live.condition", limit)
    receipt = MessageWriter("RECEIPTS", Receipt, receipts.store, "receipts_stored", "live.receipt", limit)

    def lane(consumer: Consumer, write: Write, *, small: bool) -> Lane:
        return Lane(part, consumer, write, SINGLE_MESSAGES, small=small)

    return [
        Lane(part, bus.INGEST_RADIO, RadioWriter(limit), RADIO_MESSAGES),
        lane(bus.INGEST_EVENTS, event, small=True),
        lane(bus.INGEST_RECEIPTS, receipt, small=True),
        lane(bus.INGEST_DEAD, QuarantineWriter(limit), small=False),
    ]


async def run(part: Part) -> None:
    """Run all lanes until the part stops; one that fails ends the others. Raises Unavailable."""
    part.active = True
    readings = Readings(part)
    try:
        work = [lane.run() for lane in [*readings.lanes(), *lanes(part)]]
        keepers = (ReplayLane(part), Archive(part), Roller(part), Snapshots(part), Watch(part), Keeper(part))
        await together([*work, *(one.run() for one in keepers), readings.figures()])
    finally:
        part.active = False
