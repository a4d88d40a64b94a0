"""What analytics knows of the city: series, objects with their intervals and parents, rules. From the registry."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from analytics.columns import SECOND_US
from analytics.rules import Compiled, compile_rule
from citynet.catalog import Profile, Quantity, Rule
from citynet.errors import BadInput
from citynet.registry import Registry

DEFAULT_INTERVAL_S, DEFAULT_LATENESS_S = 3_600, 60
PARENT_LEVELS = 6


@dataclass(frozen=True, slots=True)
class Site:
    """An object that is measured. parents: the objects above it, nearest first, with their classes."""

    object_id: int
    class_: str
    interval_s: float
    lateness_us: int
    parents: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """A series: gauges have a usual value, registers and codes do not."""

    series_id: int
    object_id: int
    quantity: str
    gauge: bool


@dataclass(frozen=True)
class City:
    """One consistent picture; the engines take it whole."""

    series: Mapping[int, Measured] = field(default_factory=dict)
    sites: Mapping[int, Site] = field(default_factory=dict)
    rules: Mapping[str, tuple[Compiled, ...]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def quantities_by_class(profiles: Mapping[str, Profile]) -> dict[str, set[str]]:
    """Which quantities devices of each class can give."""
    found: dict[str, set[str]] = defaultdict(set)
    for profile in profiles.values():
        found[profile.class_] |= {mapping.quantity for mapping in profile.map.values()}
    return found


def compile_rules(
    rules: Mapping[str, tuple[int, Rule]], profiles: Mapping[str, Profile], quantities: Mapping[str, Quantity]
) -> tuple[dict[str, tuple[Compiled, ...]], dict[str, str]]:
    """Rules by class, and why the others cannot run. A class without devices may name any quantity."""
    known, ready, refused = quantities_by_class(profiles), defaultdict(list), {}
    for rule_id, (version, rule) in sorted(rules.items()):
        if rule.told_by:
            continue
        try:
            names = known.get(rule.class_) or quantities.keys()
            ready[rule.class_].append(compile_rule(rule, version, quantities=names))
        except BadInput as error:
            refused[rule_id] = error.detail
    return {name: tuple(items) for name, items in ready.items()}, refused


def _parents(registry: Registry, object_id: int) -> tuple[tuple[int, str], ...]:
    found: list[tuple[int, str]] = []
    above = registry.objects[object_id].parent_id
    while above in registry.objects and len(found) < PARENT_LEVELS:
        found.append((above, registry.objects[above].class_))
        above = registry.objects[above].parent_id
    return tuple(found)


def _sites(registry: Registry) -> dict[int, Site]:
    pace: dict[int, tuple[float, int]] = {}
    for device in registry.devices.values():
        if device.point_id is not None and device.profile in registry.profiles:
            profile = registry.profiles[device.profile][1]
            interval, lateness = pace.get(device.point_id, (float("inf"), 0))
            pace[device.point_id] = (min(interval, profile.interval_s), max(lateness, profile.lateness_s))
    sites = {}
    for object_id in {series.object_id for series in registry.series.values()} & registry.objects.keys():
        interval, lateness = pace.get(object_id, (DEFAULT_INTERVAL_S, DEFAULT_LATENESS_S))
        class_ = registry.objects[object_id].class_
        sites[object_id] = Site(object_id, class_, interval, lateness * SECOND_US, _parents(registry, object_id))
    return sites


def city_of(registry: Registry, quantities: Mapping[str, Quantity]) -> City:
    """The registry as the engines want it."""
    sites = _sites(registry)
    series = {
        s.series_id: Measured(s.series_id, s.object_id, s.quantity, quantities[s.quantity].kind == "gauge")
        for s in registry.series.values()
        if s.object_id in sites and s.quantity in quantities
    }
    profiles = {name: profile for name, (_, profile) in registry.profiles.items()}
    rules, refused = compile_rules(registry.rules, profiles, quantities)
    return City(series, sites, rules, refused)
