"""Water, power and heat networks of the demo city with their meters, as registry objects."""

from collections.abc import Iterable
from random import Random
from typing import Any

from citynet.model import DeviceSpec, Proposal
from simulators.geometry import Point, line_string, polygon
from simulators.layout import EAST_FROM_KM, House, Layout, far_km
from simulators.names import Name

# Metering districts: start and end along the shore, km.
WATER_ZONES = (
    (-6.4, -5.3),
    (-5.3, -4.2),
    (-4.2, -3.2),
    (-3.2, -2.2),
    (-2.2, -1.35),
    (-1.35, -0.5),
    (-0.5, 0.9),
    (0.9, 5.6),
)
METERS_PER_WATER_ZONE = 25
FEEDERS = 10
SUBSTATIONS_KM = (-4.9, -1.4, 2.6)
METERS_PER_FEEDER = 10
METERS_PER_HEAT_MAIN = 10
SECTOR_BORDER_KM = 0.84  # houses nearer to the sea hang on the section valve


def point_object(
    key: str,
    cls: str,
    name: Name,
    at: Point,
    *,
    service: str,
    parent: str | None = None,
    device: DeviceSpec | None = None,
    **attributes: Any,
) -> Proposal:
    """An object at a place, owned by its service's organisation."""
    return Proposal(
        key=key,
        cls=cls,
        name_ru=name.ru,
        name_en=name.en,
        service=service,
        org=f"org/{service}",
        parent=parent,
        lon=at[0],
        lat=at[1],
        attributes=attributes,
        device=device,
    )


def line_object(
    key: str,
    cls: str,
    name: Name,
    line: list[Point],
    *,
    service: str,
    parent: str | None = None,
    **attributes: Any,
) -> Proposal:
    """A pipe, cable or main."""
    return Proposal(
        key=key,
        cls=cls,
        name_ru=name.ru,
        name_en=name.en,
        service=service,
        org=f"org/{service}",
        parent=parent,
        geometry=line_string(line),
        attributes=attributes,
    )


def native(external_id: str, profile: str) -> DeviceSpec:
    """A device that speaks our own JSON over MQTT."""
    return DeviceSpec(external_id=external_id, protocol="native", profile=profile)


# --- water


def water(layout: Layout, seed: int) -> list[Proposal]:
    """Trunk mains, metering districts with inlet, valves, pipes and 25 house meters each."""
    rng = Random(f"water-{seed}")
    shore = layout.shore
    trunks = (("W", -6.4, EAST_FROM_KM, 1.36), ("E", EAST_FROM_KM, 5.5, 0.7))
    objects = [
        line_object(
            f"pipe/trunk-{key}",
            "pipe",
            Name("Магистральный водовод", "Water trunk main"),
            shore.line(start, end, inland),
            service="water",
            diameter_mm=700,
        )
        for key, start, end, inland in trunks
    ]
    for number in range(1, len(WATER_ZONES) + 1):
        objects += _water_zone(layout, number, rng)
    return objects


def _water_zone(layout: Layout, number: int, rng: Random) -> list[Proposal]:
    start, end = WATER_ZONES[number - 1]
    middle, shore, key = (start + end) / 2, layout.shore, f"md/{number:02d}"
    east = start >= EAST_FROM_KM
    trunk, top = (0.7, 1.05) if east else (1.36, 1.75)
    zone = Proposal(
        key=key,
        cls="metering_district",
        name_ru=f"Зона учёта воды {number}",
        name_en=f"Water metering district {number}",
        service="water",
        org="org/water",
        geometry=polygon(shore.patch(start + 0.02, end - 0.02, near=0.06, far=top)),
    )
    pipes = [
        line_object(
            f"pipe/{number:02d}-{i}",
            "pipe",
            Name(f"Водопровод, зона {number}", f"Water pipe, district {number}"),
            line,
            service="water",
            parent=key,
            diameter_mm=diameter,
        )
        for i, (line, diameter) in enumerate(_zone_pipes(layout, (start, end), middle=middle, trunk=trunk, top=top))
    ]
    houses = _pick(layout, (start, end), rng=rng, count=METERS_PER_WATER_ZONE)
    meters = [_water_meter(house, number, i, parent=key) for i, house in houses]
    return [zone, *pipes, *_zone_points(layout, number, middle=middle, trunk=trunk), *meters]


def _zone_pipes(
    layout: Layout, span: tuple[float, float], *, middle: float, trunk: float, top: float
) -> Iterable[tuple[list[Point], int]]:
    (start, end), shore = span, layout.shore
    yield [shore.point(middle, trunk), shore.point(middle, 0.7), shore.point(middle, 0.14)], 300
    for inland in (0.14, 0.4, 1.02, top - 0.03):
        yield shore.line(start + 0.06, end - 0.06, inland), 150


def _zone_points(layout: Layout, number: int, *, middle: float, trunk: float) -> list[Proposal]:
    """The inlet with its meter, the inlet valve and the section valve."""
    shore, key = layout.shore, f"md/{number:02d}"
    inlet_at = shore.point(middle + 0.015, trunk - 0.03)
    points = [
        point_object(
            f"district_inlet/{number:02d}",
            "district_inlet",
            Name(f"Ввод зоны учёта {number}", f"Inlet of metering district {number}"),
            inlet_at,
            service="water",
            parent=key,
            device=native(f"inlet-{number:02d}", "district-inlet"),
        )
    ]
    roles = (("вводная", "inlet", trunk - 0.06), ("секционная", "section", 0.3))
    for i, (ru, en, inland) in enumerate(roles, 1):
        points.append(
            point_object(
                f"valve/{number:02d}-{i}",
                "valve",
                Name(f"Задвижка {number}-{i} ({ru})", f"Valve {number}-{i} ({en})"),
                shore.point(middle, inland),
                service="water",
                parent=key,
                device=native(f"valve-{number:02d}-{i}", "valve"),
                role=en,
            )
        )
    return points


def _water_meter(house: House, number: int, index: int, *, parent: str) -> Proposal:
    code = f"{number:02d}-{index:02d}"
    return point_object(
        f"water_meter/{code}",
        "water_meter",
        Name(f"Водомер {code}: {house.address.ru}", f"Water meter {code}: {house.address.en}"),
        house.at,
        service="water",
        parent=parent,
        device=native(f"water-{code}", "water-meter"),
        address_ru=house.address.ru,
        address_en=house.address.en,
        floors=house.floors,
        section=2 if house.inland < SECTOR_BORDER_KM else 1,
    )


def _pick(layout: Layout, span: tuple[float, float], *, rng: Random, count: int) -> list[tuple[int, House]]:
    """Distinct houses between two places along the shore, numbered from 1 in their order along it."""
    houses = [h for h in layout.houses if span[0] <= h.along < span[1]]
    chosen = rng.sample(houses, count)
    return list(enumerate(sorted(chosen, key=lambda h: (h.along, h.inland)), 1))


# --- power


def power(layout: Layout, seed: int) -> list[Proposal]:
    """Substations, ten feeders with a meter each, ten house meters a feeder."""
    rng = Random(f"power-{seed}")
    alongs = sorted(h.along for h in layout.houses)
    borders = [alongs[round(i * (len(alongs) - 1) / FEEDERS)] for i in range(FEEDERS)] + [alongs[-1] + 0.01]
    objects = [
        point_object(
            f"substation/{i}",
            "substation",
            Name(f"Подстанция {i}", f"Substation {i}"),
            layout.shore.point(along, far_km(along) + 0.06),
            service="power",
        )
        for i, along in enumerate(SUBSTATIONS_KM, 1)
    ]
    for number in range(1, FEEDERS + 1):
        objects += _feeder(layout, number, (borders[number - 1], borders[number]), rng=rng)
    return objects


def _feeder(layout: Layout, number: int, borders: tuple[float, float], *, rng: Random) -> list[Proposal]:
    shore, code = layout.shore, f"F-{number:02d}"
    middle = sum(borders) / 2
    station, home = min(enumerate(SUBSTATIONS_KM, 1), key=lambda s: abs(s[1] - middle))
    trunk = min(far_km(home), far_km(middle)) - 0.1
    low = 0.42 if 0 < middle < 2.3 else 0.16
    start = shore.point(home, far_km(home) + 0.06)
    line = [start, *shore.line(home, middle, trunk), shore.point(middle, low)]
    name = Name(f"Фидер {number}", f"Feeder {number}")
    cable = line_object(
        f"feeder/{code}", "feeder", name, line, service="power", parent=f"substation/{station}", voltage_kv=10
    )
    meter = point_object(
        f"feeder_meter/{code}",
        "feeder_meter",
        Name(f"Ячейка фидера {number}", f"Feeder bay {number}"),
        shore.point(middle, trunk),
        service="power",
        parent=f"feeder/{code}",
        device=native(f"feeder-{number:02d}", "feeder-meter"),
        along=round(middle, 3),
    )
    meters = [_power_meter(h, number, i) for i, h in _pick(layout, borders, rng=rng, count=METERS_PER_FEEDER)]
    return [cable, meter, *meters]


def _power_meter(house: House, number: int, index: int) -> Proposal:
    code = f"{number:02d}-{index:02d}"
    return point_object(
        f"power_meter/{code}",
        "power_meter",
        Name(f"Электросчётчик {code}: {house.address.ru}", f"Power meter {code}: {house.address.en}"),
        house.at,
        service="power",
        parent=f"feeder_meter/F-{number:02d}",
        device=native(f"power-{code}", "power-meter"),
        address_ru=house.address.ru,
        address_en=house.address.en,
        floors=house.floors,
    )


# --- heat

HEAT_MAINS = (("1", -3.2, -6.2, -3.2), ("2", -3.2, -3.2, -1.2), ("3", 0.3, -1.2, 0.3), ("4", 0.3, 0.3, 4.6))


def heat(layout: Layout, seed: int) -> list[Proposal]:
    """Two boiler houses, four mains, ten house meters a main."""
    rng = Random(f"heat-{seed}")
    objects = [
        point_object(
            f"boiler_house/{i}",
            "boiler_house",
            Name(f"Котельная {i}", f"Boiler house {i}"),
            layout.shore.point(along, 2.25),
            service="heat",
        )
        for i, along in enumerate((-3.2, 0.3), 1)
    ]
    for number, home, start, end in HEAT_MAINS:
        objects += _heat_main(layout, int(number), (home, start, end), rng=rng)
    return objects


def _heat_main(layout: Layout, number: int, place: tuple[float, float, float], *, rng: Random) -> list[Proposal]:
    home, start, end = place
    shore, key = layout.shore, f"heat_main/{number}"
    far = end if abs(end - home) > abs(start - home) else start
    line = [shore.point(home, 2.25), *shore.line(home, far, 1.05)]
    main = line_object(
        key,
        "heat_main",
        Name(f"Теплотрасса {number}", f"Heat main {number}"),
        line,
        service="heat",
        parent=f"boiler_house/{1 if number < 3 else 2}",
        diameter_mm=400,
    )
    houses = [h for h in layout.houses if start <= h.along < end and h.floors >= 5]
    chosen = sorted(rng.sample(houses, METERS_PER_HEAT_MAIN), key=lambda h: h.along)
    return [main, *(_heat_meter(h, number, i) for i, h in enumerate(chosen, 1))]


def _heat_meter(house: House, number: int, index: int) -> Proposal:
    code = f"{number}-{index:02d}"
    return point_object(
        f"heat_meter/{code}",
        "heat_meter",
        Name(f"Теплосчётчик {code}: {house.address.ru}", f"Heat meter {code}: {house.address.en}"),
        house.at,
        service="heat",
        parent=f"heat_main/{number}",
        device=native(f"heat-{code}", "heat-meter"),
        address_ru=house.address.ru,
        address_en=house.address.en,
        floors=house.floors,
    )
