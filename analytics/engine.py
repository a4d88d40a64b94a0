"""One partition, pure: readings in, events out. No socket, clock or database; app feeds it and keeps its state."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import msgspec
import numpy as np

from analytics import clock_events, stuck_events
from analytics.city import City
from analytics.clocks import Clocks
from analytics.columns import NEVER, SECOND_US, Array, Floats, Ints, pack, unpack
from analytics.detectors import DETECTORS, Detector
from analytics.detectors.nodata import NoData
from analytics.hours import LocalHours
from analytics.judge import Judge, Outages, Running
from analytics.layout import Layout
from analytics.reorder import Reorder, Rows
from analytics.saved import FORMAT, Saved, SavedRule
from analytics.stuck import Runs
from citynet.errors import ConfigError
from citynet.model import Event, Quality

TICK_US = 10 * SECOND_US  # silence is judged on this grid of the city clock, so that the grid decides, not the process
TICKS_MAX = 360  # after a longer sleep the hour before now is judged
SCORER, SILENCE, RUNS, CLOCKS = "ew_z", "nodata", "runs", "clocks"
# A value with one of these says nothing about the present; with one of UNTRUSTED nothing is learned from it.
UNFIT = int(Quality.OUT_OF_RANGE | Quality.REPEATED)
UNTRUSTED = UNFIT | int(Quality.ESTIMATED | Quality.SUBSTITUTED | Quality.STUCK | Quality.CLOCK_DOUBTFUL)


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings as they come: columns of equal length, times in us since 1970."""

    series: Ints
    time: Ints
    received: Ints
    value: Floats
    quality: Ints

    def __len__(self) -> int:
        """How many."""
        return len(self.series)


def rounds(key: Ints, time_us: Ints) -> list[Array]:
    """Split rows sorted by (key, time) into rounds: the n-th holds the n-th instant of every key."""
    fresh = np.r_[True, key[1:] != key[:-1]]
    instant = np.cumsum(fresh | np.r_[True, time_us[1:] != time_us[:-1]]) - 1
    number = instant - np.maximum.accumulate(np.where(fresh, instant, 0))
    last = int(number.max())
    if last == 0:
        return [np.arange(len(key))]
    order = np.argsort(number, kind="stable")
    return np.split(order, np.searchsorted(number[order], np.arange(1, last + 1)))


def repeated(rows: Rows) -> Array:
    """Which sorted rows have the series and time of the row before: the first counts."""
    return np.asarray(np.r_[False, (rows.row[1:] == rows.row[:-1]) & (rows.time[1:] == rows.time[:-1])])


class Engine:
    """State of one partition. The same messages in the same order give the same events after any restart."""

    def __init__(self, hours: LocalHours, outages: Outages | None = None, *, ahead_s: float = 300.0) -> None:
        family = DETECTORS.load("analytics.detectors")
        self.layout = Layout()
        self.scorer: Detector = family[SCORER](hours)
        self.silence = cast(NoData, family[SILENCE](hours))
        self.runs = Runs()
        self.clocks, self.ahead_s = Clocks(), ahead_s
        self.judge = Judge(self.layout, self.silence, outages or Outages())
        self.reorder = Reorder()
        self.city = City()
        self.now = NEVER  # received time up to which readings are complete
        self.tick = NEVER
        self.late = self.unknown = 0

    def configure(self, city: City) -> list[Event]:
        """Take a new picture of the city. Events close what rules that are gone had opened."""
        self.city = city
        self.layout.refresh(city)
        self._resize()
        return self.judge.configure(city, self.now)

    def _resize(self) -> None:
        self.scorer.resize(self.layout.interval_s[self.layout.obj_of_row])
        self.runs.resize(len(self.layout.series_ids))
        self.silence.resize(self.layout.interval_s)
        self.clocks.resize(len(self.layout.object_ids))
        self.reorder.resize(self.layout.lateness_us)
        self.judge.resize()

    def _rows(self, readings: Readings) -> Rows:
        row = self.layout.rows(readings.series)
        if (row < 0).any() and self.layout.admit(readings.series[row < 0].tolist(), self.city):
            self._resize()
            row = self.layout.rows(readings.series)
        known = row >= 0
        self.unknown += int((~known).sum())
        row = row[known]
        time, received = readings.time[known], readings.received[known]
        obj = self.layout.obj_of_row[row]
        return Rows(row, obj, time, received, readings.value[known], readings.quality[known])

    def live(self, messages: list[Readings]) -> list[Event]:
        """Messages of the live lane in their order: judge what the watermark has passed, then learn it."""
        events: list[Event] = []
        for readings in messages:
            rows = self._rows(readings)
            if len(rows):
                events += self._hear(rows) + self._compare_clocks(rows)
                late = self.reorder.offer(rows)
                self.late += int(late.sum())
                self._learn(rows.take(late))
        return events + self._judge(self.reorder.ripe(self.now))

    def history(self, readings: Readings) -> list[Event]:
        """Readings of the history lane: they train and raise nothing. Those that came late by the live road, which are
        marked so, tell of clocks that are hours behind."""
        rows = self._rows(readings)
        self._learn(rows)
        return self._compare_clocks(rows.take(rows.quality & int(Quality.LATE) > 0))

    def _compare_clocks(self, rows: Rows) -> list[Event]:
        rows = rows.take(rows.quality & int(Quality.REPEATED) == 0)
        behind_s = (rows.received - rows.time) / SECOND_US
        behind_s = np.where(rows.quality & int(Quality.CLOCK_DOUBTFUL) > 0, -self.ahead_s, behind_s)
        found = self.clocks.take(rows.obj, rows.received, behind_s)
        return clock_events.told(found, self.layout, ahead_s=self.ahead_s)

    def idle(self, now_us: int) -> list[Event]:
        """Nothing came up to now_us of the city clock: let watermarks and silence follow it."""
        events = self._ticks(now_us)
        self.now = max(self.now, now_us)
        return events + self._judge(self.reorder.ripe(self.now))

    def forgive_silence(self, until_us: int) -> None:
        """Readings could not come before until_us: silence counts from there at the earliest."""
        self.silence.forgive(np.arange(len(self.layout.object_ids)), until_us)

    def _hear(self, rows: Rows) -> list[Event]:
        """Note who was heard, with the ticks of the city clock in between."""
        order = np.argsort(rows.received, kind="stable")
        obj, received = rows.obj[order], rows.received[order]
        events: list[Event] = []
        taken = 0
        for tick in self._due(int(received[-1])):
            upto = int(np.searchsorted(received, tick, side="right"))
            self.silence.learn(obj[taken:upto], received[taken:upto], np.empty(0))
            events += self.judge.tick(tick)
            taken = upto
        self.silence.learn(obj[taken:], received[taken:], np.empty(0))
        self.now = max(self.now, int(received[-1]))
        return events

    def _due(self, until_us: int) -> range:
        last = until_us // TICK_US * TICK_US
        first = last if self.tick == NEVER else max(self.tick + TICK_US, last - TICKS_MAX * TICK_US)
        self.tick = max(self.tick, last)
        return range(first, last + 1, TICK_US) if self.judge.has_timed else range(0)

    def _ticks(self, until_us: int) -> list[Event]:
        return [event for tick in self._due(until_us) for event in self.judge.tick(tick)]

    def _judge(self, rows: Rows) -> list[Event]:
        if len(rows) == 0:
            return []
        rows = rows.take(~repeated(rows) & (rows.quality & UNFIT == 0))
        if len(rows) == 0:
            return []
        return [event for part in rounds(rows.obj, rows.time) for event in self._instant(rows.take(part))]

    def _instant(self, rows: Rows) -> list[Event]:
        """One instant of each object: score, then learn, then rules."""
        self.judge.latest.set(rows.row, rows.time, rows.value)
        gauges = rows.take(self.layout.gauge[rows.row])
        self.judge.latest.judged(gauges.row, self.scorer.score(gauges.row, gauges.time, gauges.value))
        trusted = gauges.take(gauges.quality & UNTRUSTED == 0)
        self.scorer.learn(trusted.row, trusted.time, trusted.value)
        self._windows(rows)
        stuck = stuck_events.told(self.runs.take(trusted.row, trusted.time, trusted.value), self.layout)
        first = np.r_[True, rows.obj[1:] != rows.obj[:-1]]
        return stuck + self.judge.instants(rows.obj[first], rows.time[first])

    def _windows(self, rows: Rows) -> None:
        for (quantity, _), window in self.judge.windows.items():
            places = np.flatnonzero(self.layout.measures(quantity)[rows.row])
            if len(places):
                window.add(rows.row[places], rows.time[places], rows.value[places])

    def _learn(self, rows: Rows) -> None:
        rows = rows.take(self.layout.gauge[rows.row] & (rows.quality & UNTRUSTED == 0))
        if len(rows) == 0:
            return
        rows = rows.take(np.lexsort((rows.time, rows.row)))
        rows = rows.take(~repeated(rows))
        for part in rounds(rows.row, rows.time):
            self.scorer.learn(rows.row[part], rows.time[part], rows.value[part])

    def dump(self) -> tuple[bytes, dict[str, bytes]]:
        """The state: the small part, and the chunks that changed since the last dump."""
        layout = self.layout
        owners = [layout.object_ids[place] for place in layout.obj_of_row.tolist()]
        saved = Saved(
            format=FORMAT,
            now=self.now,
            tick=self.tick,
            series=list(zip(layout.series_ids, owners, layout.quantity_of_row, strict=True)),
            objects=list(zip(layout.object_ids, layout.classes, strict=True)),
            latest=pack(self.judge.latest.dump()),
            reorder=pack(self.reorder.dump()),
            rules={name: self._saved_rule(run) for name, run in self.judge.running.items() if run.track.busy},
            windows={key: pack(window.dump()) for key, window in self.judge.windows.items()},
        )
        chunks = {f"{SCORER}/{name}": body for name, body in self.scorer.changed().items()}
        chunks |= {f"{SILENCE}/{name}": body for name, body in self.silence.changed().items()}
        chunks |= {RUNS: self.runs.dump(), CLOCKS: self.clocks.dump()}
        return msgspec.msgpack.encode(saved), chunks

    def _saved_rule(self, running: Running) -> SavedRule:
        rule, group = running.rule, self.layout.groups[running.rule.rule.class_]
        members = np.array(self.layout.object_ids, np.int64)[group.members]
        quantities = [leaf.quantity for leaf in rule.leaves if leaf.quantity]
        body = rule.rule.model_dump_json(by_alias=True).encode()
        return SavedRule(rule.version, body, quantities, pack(running.track.dump(members)))

    def load(self, state: bytes, chunks: Mapping[str, bytes], city: City) -> list[Event]:
        """Take the state of dump() into an engine that was just made, then the city of today.

        Raises msgspec.DecodeError or ConfigError when another version wrote it.
        """
        saved = msgspec.msgpack.decode(state, type=Saved)
        if saved.format != FORMAT:
            raise ConfigError(f"analytics state has format {saved.format}, this version reads {FORMAT}")
        self.now, self.tick, self.city = saved.now, saved.tick, city
        self.layout.restore(saved.series, saved.objects)
        self.layout.refresh(city)
        self._resize()
        self.judge.restore(saved.rules, saved.windows, now_us=self.now)
        self.judge.latest.load(unpack(saved.latest))
        self.reorder.load(unpack(saved.reorder))
        for detector, kind in ((self.scorer, SCORER), (self.silence, SILENCE)):
            mine = {name.partition("/")[2]: body for name, body in chunks.items() if name.startswith(kind + "/")}
            detector.load(mine)
        if RUNS in chunks:
            self.runs.load(chunks[RUNS])
        if CLOCKS in chunks:
            self.clocks.load(chunks[CLOCKS])
        self._resize()
        return self.judge.configure(city, self.now)
