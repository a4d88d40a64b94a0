"""Rules over the objects of a partition: truth -> edges -> events with their sentence. Called by the engine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from analytics.city import City
from analytics.columns import Array, Bools, Floats, Ints, unpack
from analytics.detectors.nodata import NoData
from analytics.expression import Leaf
from analytics.latest import Latest
from analytics.layout import Group, Layout
from analytics.rules import BACK_EN, BACK_RU, OUTAGE_SIGNALS, Compiled, RussianNumber, compile_rule, sentence
from analytics.saved import SavedRule
from analytics.track import Edges, Track
from analytics.windows import How, Window
from citynet.catalog import Rule
from citynet.model import Edge, Event, event_id

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The class of gateways of radio networks. Where uplinks tell which of them hear a device, these count, not its parent.
RADIO_GATEWAY = "gateway"
Windows = dict[tuple[str, int], Window]


class Outages:
    """Objects that are out of work now, over all partitions: what hangs below them raises nothing."""

    def __init__(self) -> None:
        self.down: set[tuple[str, int]] = set()
        self._elsewhere: frozenset[int] = frozenset()  # judged by other workers
        self.object_ids: Ints = np.empty(0, np.int64)
        # By radio, as learned from uplinks: objects that only silent gateways hear, and those that another one hears.
        self.deaf: Ints = np.empty(0, np.int64)
        self.reached: Ints = np.empty(0, np.int64)

    def set(self, rule_id: str, object_id: int, *, down: bool) -> None:
        """A condition of an outage signal opened or closed."""
        (self.down.add if down else self.down.discard)((rule_id, object_id))
        self._gather()

    def elsewhere(self, object_ids: frozenset[int]) -> None:
        """What other workers say of their partitions."""
        if object_ids != self._elsewhere:
            self._elsewhere = object_ids
            self._gather()

    def leave(self, object_ids: list[int]) -> None:
        """Another worker judges these objects from now on."""
        self.down = {item for item in self.down if item[1] not in object_ids}
        self._gather()

    def _gather(self) -> None:
        self.object_ids = np.unique(np.array([*(item[1] for item in self.down), *self._elsewhere], np.int64))


@dataclass(frozen=True, slots=True)
class View:
    """What an expression sees: some objects of a class at their instants."""

    latest: Latest
    windows: Windows
    silence: NoData
    group: Group
    slots: Ints
    time_us: Ints

    def rows(self, quantity: str) -> Ints:
        """Row of the quantity for each object; -1 = none."""
        return self.group.column(quantity)[self.slots]

    def value(self, quantity: str) -> Floats:
        """See Source."""
        return self.latest.get("value", self.rows(quantity))

    def score(self, quantity: str) -> Floats:
        """See Source."""
        return self.latest.get("score", self.rows(quantity))

    def rate(self, quantity: str) -> Floats:
        """See Source."""
        return self.latest.rate(self.rows(quantity))

    def window(self, quantity: str, seconds: int, how: How) -> Floats:
        """See Source."""
        return self.windows[quantity, seconds].get(self.rows(quantity), self.time_us, how)

    def nodata(self) -> Floats:
        """See Source."""
        return self.silence.score(self.group.members[self.slots], self.time_us, np.empty(0)).score

    def updated(self, leaves: tuple[Leaf, ...]) -> Bools:
        """Whether this instant brought a value that the leaves read."""
        fresh = np.zeros(len(self.slots), np.bool_)
        for quantity in {leaf.quantity for leaf in leaves if leaf.quantity}:
            rows = self.rows(quantity)
            fresh |= (rows >= 0) & (self.latest.time[rows] == self.time_us)
        return fresh

    def only(self, where: Array) -> "View":
        """The same at fewer objects."""
        return View(self.latest, self.windows, self.silence, self.group, self.slots[where], self.time_us[where])


@dataclass
class Running:
    """A rule at work."""

    rule: Compiled
    track: Track


class Judge:
    """All rules over one partition. Readings judge plain rules, ticks of the city clock judge those on silence."""

    def __init__(self, layout: Layout, silence: NoData, outages: Outages) -> None:
        self.layout, self.silence, self.outages = layout, silence, outages
        self.latest = Latest()
        self.windows: Windows = {}
        self.running: dict[str, Running] = {}
        self._city = City()
        self._parents: dict[tuple[str, str], Ints] = {}

    def out_of_work(self) -> list[int]:
        """Objects of this partition that are."""
        return sorted({one for _, one in self.outages.down if self.layout.has(one)})

    def configure(self, city: City, now_us: int) -> list[Event]:
        """Take new rules; conditions of rules that are gone close now."""
        self._city = city
        self._parents.clear()
        wanted = {rule.rule.id: rule for rules in city.rules.values() for rule in rules}
        gone = [self.running.pop(name) for name in list(self.running) if self._leaves(name, wanted)]
        events = [event for running in gone for event in self._abandon(running, now_us)]
        # In the order of the city, whatever was running before: the order of events must not depend on restarts.
        tracks = {name: running.track for name, running in self.running.items()}
        self.running = {name: Running(rule, tracks.get(name) or Track()) for name, rule in wanted.items()}
        for leaf in (leaf for rule in wanted.values() for leaf in rule.leaves if leaf.function == "window"):
            self.windows.setdefault((leaf.quantity, leaf.seconds), Window(leaf.seconds))
        self.resize()
        return events

    def restore(self, rules: Mapping[str, SavedRule], windows: Mapping[tuple[str, int], bytes], *, now_us: int) -> None:
        """Take rules with their open conditions, and windows, as they were saved."""
        compiled = {name: self._compiled(saved) for name, saved in rules.items()}
        by_class: dict[str, tuple[Compiled, ...]] = {}
        for rule in compiled.values():
            by_class[rule.rule.class_] = (*by_class.get(rule.rule.class_, ()), rule)
        self.configure(City(rules=by_class), now_us)
        for key, body in windows.items():
            self.windows[key] = Window(key[1])
            self.windows[key].load(unpack(body))
        for name, saved in rules.items():
            self._restore_track(self.running[name], unpack(saved.track))

    def _compiled(self, saved: SavedRule) -> Compiled:
        rule = Rule.model_validate_json(saved.body)
        return compile_rule(rule, saved.version, quantities=saved.quantities)

    def _restore_track(self, running: Running, columns: dict[str, Array]) -> None:
        places = [self.layout.place(object_id) for object_id in columns.pop("object_id").tolist()]
        running.track.load(self.layout.slot_of_obj[places], columns)
        if running.rule.rule.signal in OUTAGE_SIGNALS:
            group = self.layout.groups[running.rule.rule.class_]
            for place in group.members[running.track.active].tolist():
                self.outages.set(running.rule.rule.id, self.layout.object_ids[place], down=True)

    def _leaves(self, name: str, wanted: dict[str, Compiled]) -> bool:
        before, after = self.running[name].rule.rule, wanted.get(name)
        return after is None or (after.rule.class_, after.rule.signal) != (before.class_, before.signal)

    def _abandon(self, running: Running, now_us: int) -> Iterator[Event]:
        group = self.layout.groups.get(running.rule.rule.class_)
        slots = np.flatnonzero(running.track.active)
        if group is None or not len(slots):
            return
        view = View(self.latest, self.windows, self.silence, group, slots, np.full(len(slots), now_us))
        none = np.zeros(len(slots), np.bool_)
        yield from self._events(running, view, Edges(none, none, ~none, view.time_us))

    def resize(self) -> None:
        """Follow the layout."""
        self.latest.resize(len(self.layout.series_ids))
        for window in self.windows.values():
            window.resize(len(self.layout.series_ids))
        for running in self.running.values():
            group = self.layout.groups.get(running.rule.rule.class_)
            running.track.resize(len(group.members) if group else 0)
        self._parents.clear()

    @property
    def has_timed(self) -> bool:
        """Whether any rule needs ticks."""
        return any(running.rule.timed for running in self.running.values())

    def instants(self, places: Ints, time_us: Ints) -> list[Event]:
        """Judge objects, each at its instant, after their values are in."""
        events: list[Event] = []
        classes = self.layout.class_of_obj[places]
        for number, group in enumerate(self.layout.groups.values()):
            mine = np.flatnonzero(classes == number) if len(self.layout.groups) > 1 else np.arange(len(places))
            rules = self._city.rules.get(group.class_, ())
            if len(mine) == 0 or not rules:
                continue
            slots = self.layout.slot_of_obj[places[mine]]
            view = View(self.latest, self.windows, self.silence, group, slots, time_us[mine])
            for rule in rules:
                if not rule.timed:
                    events += self._run(self.running[rule.rule.id], view.only(view.updated(rule.leaves)))
        return events

    def tick(self, time_us: int) -> list[Event]:
        """Judge silence at one instant of the city clock."""
        events: list[Event] = []
        for running in self.running.values():
            group = self.layout.groups.get(running.rule.rule.class_)
            if running.rule.timed and group is not None:
                slots = np.arange(len(group.members))
                times = np.full(len(slots), time_us)
                events += self._run(
                    running, View(self.latest, self.windows, self.silence, group, slots, times), ticking=True
                )
        return events

    def _run(self, running: Running, view: View, *, ticking: bool = False) -> list[Event]:
        rule, track = running.rule, running.track
        if len(view.slots) == 0:
            return []
        below = self._suppressed(rule, view)
        held = bool(below.any())
        if ticking and held:
            # A device below a silent parent was not heard because it could not be: its silence starts when it can.
            waiting = view.slots[below & ~track.active[view.slots]]
            self.silence.forgive(view.group.members[waiting], int(view.time_us[0]))
        truth = rule.truth(view, len(view.slots))
        if held:
            truth = np.where(below, np.nan, truth)
            track.forget_pending(view.slots[below])
        edges = track.advance(view.slots, view.time_us, truth, hold_us=rule.hold_us, clear_us=rule.clear_us)
        return list(self._events(running, view, edges)) if edges.any() else []

    def _suppressed(self, rule: Compiled, view: View) -> Bools:
        parent, outages = rule.rule.parent, self.outages
        below = np.zeros(len(view.slots), np.bool_)
        if len(outages.object_ids) == 0:
            return below
        if parent is not None:
            key = (rule.rule.class_, parent)
            if key not in self._parents:
                self._parents[key] = np.array([self._parent(place, parent) for place in view.group.members], np.int64)
            below = np.asarray(np.isin(self._parents[key][view.slots], outages.object_ids))
        if rule.timed and len(outages.deaf) + len(outages.reached):
            members = np.array(self.layout.object_ids, np.int64)[view.group.members[view.slots]]
            if parent == RADIO_GATEWAY:
                below &= ~np.isin(members, outages.reached)
            below |= np.isin(members, outages.deaf)
        return below

    def _parent(self, place: int, class_: str) -> int:
        site = self._city.sites.get(self.layout.object_ids[place])
        return next((object_id for object_id, kind in site.parents if kind == class_), -1) if site else -1

    def _events(self, running: Running, view: View, edges: Edges) -> Iterator[Event]:
        rule = running.rule
        for number in np.flatnonzero(edges.opened | edges.again | edges.closed):
            edge: Edge = "open" if edges.opened[number] else "close" if edges.closed[number] else "again"
            event = self._event(running, view.only(np.array([number])), edge=edge, since=int(edges.since[number]))
            if edge != "again" and rule.rule.signal in OUTAGE_SIGNALS:
                self.outages.set(rule.rule.id, event.object_id, down=edge == "open")
            yield event

    def _event(self, running: Running, view: View, *, edge: Edge, since: int) -> Event:
        rule, body, slot, now = running.rule, running.rule.rule, int(view.slots[0]), int(view.time_us[0])
        opened, times = int(running.track.opened[slot]), int(running.track.times[slot])
        object_id = self.layout.object_ids[int(view.group.members[slot])]
        started = since if edge == "open" else opened
        figures = self._figures(rule, view) | {"minutes": (now - started) / 60e6, "hours": (now - started) / 3600e6}
        row = int(view.rows(rule.headline.quantity)[0]) if rule.headline.quantity else -1
        n = times if edge == "again" else 0
        before = (BACK_RU, BACK_EN) if edge == "close" else ("", "")
        return Event(
            event_id=event_id(
                body.id, rule.version, object_id, signal=body.signal, opened=instant(opened), edge=edge, n=n
            ),
            rule_id=body.id,
            rule_version=rule.version,
            object_id=object_id,
            signal=body.signal,
            edge=edge,
            severity=body.severity,
            time=instant(now),
            why_ru=before[0] + sentence(body.why_ru, figures, RussianNumber),
            why_en=before[1] + sentence(body.why_en, figures),
            series_id=self.layout.series_ids[row] if row >= 0 else None,
            **{name: _known(figures[name]) for name in ("value", "low", "high", "score")},
        )

    def _figures(self, rule: Compiled, view: View) -> dict[str, float]:
        figures = {"value": float(rule.headline.read(view)[0]), "low": np.nan, "high": np.nan, "score": np.nan}
        if rule.scored:
            row = view.rows(rule.scored)
            figures |= {name: float(self.latest.get(name, row)[0]) for name in ("low", "high", "score")}
        return figures


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def instant(time_us: int) -> datetime:
    """us since 1970 as aware UTC."""
    return EPOCH + timedelta(microseconds=time_us)
