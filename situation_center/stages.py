"""From conditions to incidents: stages with one signature, pure over a picture of the city. Run by intake.py."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from citynet.catalog import Rule
from citynet.registry import CityObject, Registry
from situation_center.incident_states import OPEN, deadline_of, priority_of

PARENTS_MAX = 8
SAME_CAUSE_WITHIN = timedelta(minutes=30)
PARENT_BEFORE_MAX = timedelta(hours=24)
CHILD_BEFORE_MAX = timedelta(minutes=30)
# What may explain the silence or failure of everything behind an object.
EXPLAINING = frozenset({"supply", "nodata"})
RADIO_GATEWAY = "gateway"
# How far apart two objects may suffer from one cause, metres; a signal that is not here correlates by topology only.
RADIUS_M = {
    "particles": 15_000.0,
    "no2": 15_000.0,
    "wind": 30_000.0,
    "voltage": 1_500.0,
    "pressure": 1_500.0,
    "fire": 50.0,
}
METRES_PER_DEGREE = 111_195.0


@dataclass(frozen=True)
class Incident:
    """An open incident as the stages see it: where it is, what it is about."""

    incident_id: int
    type: str
    signal: str
    object_id: int
    state: str
    priority: int
    opened: datetime
    newest: datetime
    owned: bool = False


@dataclass(frozen=True)
class Why:
    """A decision in words, kept on the incident."""

    by: str
    ru: str
    en: str


@dataclass(frozen=True)
class Alarm:
    """A condition on its way through the stages. incident_id None at the end = a new incident."""

    condition_id: int
    object_id: int
    signal: str
    severity: str
    opened: datetime
    rule: Rule
    place: CityObject
    incident_id: int | None = None
    why: Why | None = None
    priority: int = 4
    org_id: int | None = None
    deadline: datetime | None = None
    deadline_kind: str | None = None
    adopts: tuple[int, ...] = ()


@dataclass
class City:
    """What the stages know: reference data, open incidents, which of them holds an active condition of an object."""

    registry: Registry
    incidents: dict[int, Incident] = field(default_factory=dict)
    by_signal: dict[tuple[int, str], int] = field(default_factory=dict)
    down: dict[int, dict[str, tuple[int, datetime]]] = field(
        default_factory=dict
    )  # object -> signal -> incident, since
    # Object -> the radio gateways that hear its device, as learned from uplinks; 0 = one that is not registered.
    gateways: dict[int, frozenset[int]] = field(default_factory=dict)

    def parents(self, object_id: int) -> list[CityObject]:
        """The chain upwards: cabinet, feeder, gateway, metering district, nearest first."""
        chain: list[CityObject] = []
        place = self.registry.objects.get(object_id)
        while place and place.parent_id and len(chain) < PARENTS_MAX:
            place = self.registry.objects.get(place.parent_id)
            if place and place not in chain:
                chain.append(place)
        return chain

    def unheard(self, object_id: int, *, silent: int = -1) -> list[int]:
        """The gateways that hear an object, if all of them are silent (the one called silent too); else none."""
        heard_by = self.gateways.get(object_id, frozenset())
        return sorted(heard_by) if all(one == silent or "nodata" in self.down.get(one, {}) for one in heard_by) else []

    def note(self, alarm: Alarm, incident_id: int, *, active: bool) -> None:
        """Remember where an alarm went, for the next one of the batch."""
        self.by_signal[(alarm.object_id, alarm.signal)] = incident_id
        if active:
            self.down.setdefault(alarm.object_id, {})[alarm.signal] = (incident_id, alarm.opened)
        known = self.incidents.get(incident_id)
        if known:
            self.incidents[incident_id] = replace(known, newest=max(known.newest, alarm.opened))


Stage = Callable[[Alarm, City], Alarm]


def dedup(alarm: Alarm, city: City) -> Alarm:
    """One incident for one object and signal: a second rule or a second time is the same trouble."""
    known = city.by_signal.get((alarm.object_id, alarm.signal))
    if known is None:
        return alarm
    return replace(alarm, incident_id=known, why=Why("signal", "тот же объект и признак", "same object and signal"))


def suppress_by_parent(alarm: Alarm, city: City) -> Alarm:
    """A child is silent because its cabinet, feeder or gateway is: the rule says which parent may explain it."""
    if alarm.incident_id is not None:
        return alarm
    for parent in _explaining(alarm, city):
        for signal, (incident_id, since) in city.down.get(parent.object_id, {}).items():
            if signal in EXPLAINING and -CHILD_BEFORE_MAX < alarm.opened - since < PARENT_BEFORE_MAX:
                return replace(alarm, incident_id=incident_id, why=_after(parent, alarm.opened - since))
    return alarm


def _explaining(alarm: Alarm, city: City) -> list[CityObject]:
    """Objects whose outage would explain it: by the rule's class of parents, or the gateways that alone hear it."""
    above = [one for one in city.parents(alarm.object_id) if one.class_ == alarm.rule.parent]
    if alarm.signal != "nodata" or alarm.object_id not in city.gateways:
        return above
    heard_by = [city.registry.objects[one] for one in city.unheard(alarm.object_id) if one in city.registry.objects]
    return [*(one for one in above if one.class_ != RADIO_GATEWAY), *heard_by]


def _after(parent: CityObject, gap: timedelta) -> Why:
    seconds = round(abs(gap.total_seconds()))
    ru = f"причина: {parent.name_ru}, на {seconds} с {'раньше' if gap >= timedelta(0) else 'позже'}"
    en = f"merged by: {parent.name_en}, {seconds} s {'earlier' if gap >= timedelta(0) else 'later'}"
    return Why("parent", ru, en)


def adopt_children(alarm: Alarm, city: City) -> Alarm:
    """The parent is heard of after its children: their untouched incidents move into this one."""
    if alarm.incident_id is not None or alarm.signal not in EXPLAINING:
        return alarm
    found = [i.incident_id for i in city.incidents.values() if _is_child(i, alarm, city)]
    return replace(alarm, adopts=tuple(found))


def _is_child(incident: Incident, alarm: Alarm, city: City) -> bool:
    known = city.registry.rules.get(incident.type)
    if known is None or incident.state != "new" or incident.owned:
        return False
    if abs(alarm.opened - incident.opened) >= CHILD_BEFORE_MAX:
        return False
    if incident.signal == "nodata" and alarm.object_id in city.unheard(incident.object_id, silent=alarm.object_id):
        return True
    below = any(p.object_id == alarm.object_id for p in city.parents(incident.object_id))
    return below and known[1].parent == alarm.place.class_


def correlate(alarm: Alarm, city: City) -> Alarm:
    """Same cause: the same signal within a time and a distance."""
    reach = RADIUS_M.get(alarm.signal)
    if alarm.incident_id is not None or reach is None:
        return alarm
    for incident in city.incidents.values():
        if incident.signal != alarm.signal or incident.state not in OPEN:
            continue
        place = city.registry.objects.get(incident.object_id)
        away = distance_m(alarm.place, place) if place and place.service == alarm.place.service else math.inf
        if away <= reach and abs(alarm.opened - incident.newest) <= SAME_CAUSE_WITHIN:
            ru, en = f"та же причина в {away:.0f} м", f"same cause {away:.0f} m away"
            return replace(alarm, incident_id=incident.incident_id, why=Why("cause", ru, en))
    return alarm


def distance_m(a: CityObject, b: CityObject) -> float:
    """Metres between two objects; infinite when one has no place. A city is flat enough."""
    if a.lon is None or a.lat is None or b.lon is None or b.lat is None:
        return math.inf
    east = (a.lon - b.lon) * math.cos(math.radians((a.lat + b.lat) / 2))
    return math.hypot(east, a.lat - b.lat) * METRES_PER_DEGREE


def prioritise(alarm: Alarm, _: City) -> Alarm:
    """Severity x time to respond."""
    return replace(alarm, priority=priority_of(alarm.severity, alarm.signal))


def assign(alarm: Alarm, _: City) -> Alarm:
    """The organisation that owns the object; a person takes it from the queue."""
    return replace(alarm, org_id=alarm.place.org_id)


def start_timers(alarm: Alarm, _: City) -> Alarm:
    """First deadline: somebody acknowledges."""
    deadline, kind = deadline_of("new", alarm.priority, alarm.opened)
    return replace(alarm, deadline=deadline, deadline_kind=kind)


# notify, the last stage, is the notice that incident_rows.notify() leaves with the commit.
STAGES: tuple[Stage, ...] = (dedup, suppress_by_parent, adopt_children, correlate, prioritise, assign, start_timers)


def judge(alarm: Alarm, city: City) -> Alarm:
    """Send an alarm through all stages."""
    for stage in STAGES:
        alarm = stage(alarm, city)
    return alarm


def alarm_of(row: dict[str, Any], city: City) -> Alarm | None:
    """The alarm of a condition row; None when rule or object are gone, or the rule only logs.

    What only logs may still lie inside the incident of its parent: 500 silent devices behind one gateway.
    """
    known, place = city.registry.rules.get(row["rule_id"]), city.registry.objects.get(row["object_id"])
    if known is None or place is None or not (known[1].kind == "operational" or known[1].parent):
        return None
    return Alarm(
        condition_id=row["condition_id"],
        object_id=row["object_id"],
        signal=row["signal"],
        severity=row["severity"],
        opened=row["opened"],
        rule=known[1],
        place=place,
    )
