"""From publish to stored and to the screen: matches pushes with the moment at which each value was published."""

import time
from dataclasses import dataclass, field

import msgspec
import numpy as np

from citynet.bus import Incoming
from citynet.model import LiveNewest
from citynet.registry import Registry
from simulators.ledger import Note
from simulators.proof.tally import series_of


@dataclass
class Arrivals:
    """When each (series, time in us) was first seen, wall ns."""

    seen: dict[tuple[int, int], int] = field(default_factory=dict)

    def take(self, data: bytes) -> None:
        """A live.newest message."""
        now = time.time_ns()
        live = msgspec.msgpack.decode(data, type=LiveNewest)
        for pair in zip(live.series, live.time, strict=True):
            self.seen.setdefault(pair, now)

    async def on_newest(self, message: Incoming) -> None:
        """Handler of the bus subscription."""
        self.take(message.data)

    def percentiles_ms(self, registry: Registry, notes: list[Note]) -> tuple[float, float]:
        """(p50, p99) over all live values that were pushed."""
        spans = []
        for note in notes:
            if note.history:
                continue
            for key in note.keys:
                series = series_of(registry, note.external_id, key)
                arrived = self.seen.get((series or 0, note.times_us[0]))
                if arrived is not None:
                    spans.append((arrived - note.published_ns) / 1e6)
        if not spans:
            return float("nan"), float("nan")
        p50, p99 = np.percentile(spans, [50, 99])
        return round(float(p50), 1), round(float(p99), 1)
