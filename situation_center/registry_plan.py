"""From changes to versions: what an object and its device would be after a proposal or a row of a file. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from citynet.classes import ObjectClass
from citynet.errors import BadInput
from citynet.model import DeviceSpec, Proposal
from situation_center import zones
from situation_center.registry_versions import GONE, LIFE_CYCLES, TRANSITIONS, Current, Version, take

Ids = dict[str, int]
KNOWN = ("external_id", "protocol", "profile")
PLACE = ("lon", "lat", "geometry")
WHOLE = ("name_ru", "name_en", "service", "org_id", "parent_id", *PLACE)


@dataclass(frozen=True)
class DeviceChange:
    """The device on an object. None = as it is; whole = attributes that are not given go."""

    external_id: str
    protocol: str | None = None
    profile: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    whole: bool = False


@dataclass(frozen=True)
class Change:
    """What shall be true of one object: given holds the fields in names; org and parent are keys.

    usual_protocol: that of the profile, for a device that has none yet or gets another profile.
    """

    key: str
    cls: str
    given: Version
    names: frozenset[str]
    org: str | None = None
    parent: str | None = None
    whole: bool = False
    device: DeviceChange | None = None
    life_cycle: str | None = None
    since: datetime | None = None
    usual_protocol: str | None = None


@dataclass
class Plan:
    """Versions by id and when they begin; which are areas, which devices alone; device -> point that it measures."""

    versions: dict[int, Version] = field(default_factory=dict)
    starts: dict[int, datetime] = field(default_factory=dict)
    areas: set[int] = field(default_factory=set)
    alone: set[int] = field(default_factory=set)
    ties: dict[int, int] = field(default_factory=dict)


def device_key(external_id: str) -> str:
    """Natural key of the object that is the device itself."""
    return f"device/{external_id}"


def from_proposal(proposal: Proposal) -> Change:
    """A proposal says all of an object but tags, address and life cycle."""
    more = {n: getattr(proposal, n) for n in ("tags", "address") if getattr(proposal, n) is not None}
    given = Version(
        name_ru=proposal.name_ru,
        name_en=proposal.name_en,
        service=proposal.service,
        lon=proposal.lon,
        lat=proposal.lat,
        geometry=zones.wkb(proposal.geometry, proposal.key) if proposal.geometry else None,
        attributes=proposal.attributes,
        **more,
    )
    return Change(
        key=proposal.key,
        cls=proposal.cls,
        given=given,
        names=frozenset((*WHOLE, *more)),
        org=proposal.org,
        parent=proposal.parent,
        whole=True,
        device=_device(proposal.device) if proposal.device else None,
        life_cycle=proposal.life_cycle,
    )


def _device(spec: DeviceSpec) -> DeviceChange:
    return DeviceChange(spec.external_id, spec.protocol, spec.profile, attributes=spec.attributes, whole=True)


def make_plan(
    changes: Iterable[Change],
    *,
    ids: Ids,
    before: Mapping[int, Current],
    kinds: Mapping[str, ObjectClass],
    source: str,
    known: zones.Zones,
) -> Plan:
    """The versions that these changes lead to. Raises BadInput for the first one that the registry cannot take."""
    plan = Plan()
    changes = list(changes)
    for change in changes:
        object_id = ids[change.key]
        now = before.get(object_id)
        plan.versions[object_id] = object_version(change, ids, now, kinds=kinds, source=source)
        if change.cls in zones.CLASSES:
            plan.areas.add(object_id)
        if change.cls == "device":
            plan.alone.add(object_id)
        _start(plan, object_id, change.since, now=now)
    _place(plan, known)
    for change in changes:
        if change.device:
            _plan_device(plan, change, ids, before=before, kinds=kinds, source=source)
    return plan


def _place(plan: Plan, known: zones.Zones) -> None:
    others = {i: v for i, v in plan.versions.items() if i not in plan.areas | plan.alone}
    members = known.members({i: (v.lon, v.lat, v.geometry) for i, v in others.items()})
    plan.versions |= {i: v.but(zone_ids=members[i]) for i, v in others.items()}


def _start(plan: Plan, object_id: int, since: datetime | None, *, now: Current | None) -> None:
    """A given date; nothing is said for a change of something known that has none: it begins now."""
    if since is not None and not (now and since < now.valid_from):
        plan.starts[object_id] = since


def object_version(
    change: Change, ids: Ids, now: Current | None, *, kinds: Mapping[str, ObjectClass], source: str
) -> Version:
    """The version of the object itself. Raises BadInput."""
    cls, old = kinds.get(change.cls), now.version if now else None
    given = change.given.but(
        org_id=ids[change.org] if change.org else None,
        parent_id=ids[change.parent] if change.parent else None,
        life_cycle=change.life_cycle or "active",
    )
    if change.device is None:
        given = given.but(attributes=given.attributes | _protocol(change, given.attributes, old))
    names = set(change.names)
    if change.life_cycle and change.device is None:
        check_step(old, change.life_cycle, change.key)
        names.add("life_cycle")
    keys = set(given.attributes) | (set(old.attributes) if change.whole and old else set())
    version = take(old, given, [*sorted(names), *(f"attributes.{k}" for k in sorted(keys))], source=source, cls=cls)
    if cls and (old is None or version.attributes != old.attributes):
        cls.check(version.attributes)
    # One name serves both languages until there is another.
    return version.but(name_ru=version.name_ru or version.name_en, name_en=version.name_en or version.name_ru)


def _protocol(change: Change, attributes: Mapping[str, Any], old: Version | None) -> dict[str, str]:
    """What the profile says, unless the device has a protocol already and keeps its profile."""
    if change.usual_protocol is None:
        return {}
    before = old.attributes if old else {}
    kept = before.get("protocol") if before.get("profile") == attributes.get("profile") else None
    return {"protocol": kept or change.usual_protocol}


def check_step(old: Version | None, wanted: str, key: str) -> None:
    """Raise BadInput for a step of the life cycle that is not allowed."""
    if wanted not in LIFE_CYCLES:
        raise BadInput("bad_life_cycle", f"{wanted}: one of {', '.join(LIFE_CYCLES)}")
    if old and not old.retired and wanted != old.life_cycle and wanted not in TRANSITIONS[old.life_cycle]:
        raise BadInput("bad_transition", f"{key}: {old.life_cycle} cannot become {wanted}")


def _plan_device(
    plan: Plan,
    change: Change,
    ids: Ids,
    *,
    before: Mapping[int, Current],
    kinds: Mapping[str, ObjectClass],
    source: str,
) -> None:
    """Devices are objects too: they belong where their point belongs, but have no place of their own."""
    device = change.device
    assert device is not None
    point_id, device_id = ids[change.key], ids[device_key(device.external_id)]
    at, now = plan.versions[point_id], before.get(device_id)
    old, cls = now.version if now else None, kinds.get("device")
    known = {n: getattr(device, n) for n in KNOWN if getattr(device, n) is not None}
    known |= _protocol(change, known, old)
    keys = set(device.attributes) | set(known)
    keys |= set(old.attributes) - set(KNOWN) if device.whole and old else set()
    given = Version(attributes={**device.attributes, **known})
    version = take(old, given, [f"attributes.{k}" for k in sorted(keys)], source=source, cls=cls)
    if cls and (old is None or version.attributes != old.attributes):
        cls.check(version.attributes)
    life = change.life_cycle or version.life_cycle
    check_step(old, life, device_key(device.external_id))
    same = {n: getattr(at, n) for n in ("name_ru", "name_en", "service", "org_id", "zone_ids")}
    plan.versions[device_id] = version.but(**same, life_cycle=life)
    if life not in GONE:
        plan.ties[device_id] = point_id
    if change.since is not None:
        point_now = before.get(point_id)
        correction = point_now is not None and now is not None and change.since == point_now.valid_from
        _start(plan, device_id, now.valid_from if correction and now else change.since, now=now)
