"""What stands in the streets of the demo city: lamps in cabinets, bins, radio gateways, air stations."""

from random import Random

from citynet.model import DeviceSpec, Proposal
from simulators.geometry import Point, distance_km
from simulators.layout import Layout, district_at
from simulators.names import DISTRICTS, EAST_STREETS, WEST_STREETS, Name
from simulators.networks import native, point_object

APPLICATION_ID = "6f2b1c0e-0d0a-4c55-9d57-3f5a8c3b7e10"  # of the simulated LoRaWAN network server
LAMPS_PER_CABINET = 20
LAMP_STEP_KM = 0.03
LORA_CABINETS = (17, 18, 19, 20)
BINS = 150
TRUCKS = 4
AIR_PER_DISTRICT = 4
RADIO_RANGE_KM = 1.25

# Street level (index in LEVELS_KM) and start along the shore of each cabinet's stretch of lamps.
CABINETS: tuple[tuple[float, int, float], ...] = (
    *((0.12, 0, start) for start in (-6.2, -5.2, -4.2, -3.2, -2.2, -1.1)),
    *((0.68, 2, start) for start in (-5.8, -4.6, -3.4, -2.6, -1.8, -1.0, -0.3)),
    *((1.34, 4, start) for start in (-4.8, -2.9, -0.9)),
    (0.68, 2, 0.35),
    (0.38, 1, 1.0),
    (0.38, 1, 2.1),
    (0.12, 0, 3.3),
)


def gateways(layout: Layout) -> list[Proposal]:
    """One LoRaWAN gateway a district, on a roof high above the bay."""
    return [
        point_object(
            f"gateway/{i}",
            "gateway",
            Name(f"Шлюз LoRaWAN {i}, {name.ru}", f"LoRaWAN gateway {i}, {name.en}"),
            layout.shore.point((start + end) / 2, min(far * 0.55, 1.1)),
            service="waste",
            device=native(f"0016c001f150000{i}", "lora-gateway"),
        )
        for i, (_, name, start, end, _, far) in enumerate(DISTRICTS, 1)
    ]


def lora(external_id: str, profile: str, at: Point, *, heard_by: list[Proposal]) -> DeviceSpec:
    """A device behind the simulated network server and the gateways that hear it, nearest first."""
    ranked = sorted(heard_by, key=lambda g: distance_km(at, _at(g)))
    near = [g for g in ranked if distance_km(at, _at(g)) <= RADIO_RANGE_KM][:3] or ranked[:1]
    ids = [g.device.external_id for g in near if g.device]
    return DeviceSpec(
        external_id=external_id,
        protocol="chirpstack",
        profile=profile,
        attributes={"application_id": APPLICATION_ID, "gateways": ids},
    )


def _at(proposal: Proposal) -> Point:
    return proposal.lon or 0.0, proposal.lat or 0.0


# --- lighting


def lighting(layout: Layout, heard_by: list[Proposal]) -> list[Proposal]:
    """Cabinets and their lamps along the streets; the last four cabinets' lamps are LoRaWAN devices."""
    objects = []
    for number, (inland, level, start) in enumerate(CABINETS, 1):
        street = EAST_STREETS[level] if start >= 0.9 else WEST_STREETS[level]
        objects.append(_cabinet(layout, number, street, place=(start, inland)))
        for i in range(1, LAMPS_PER_CABINET + 1):
            objects.append(_lamp(layout, number, i, place=(start, inland), street=street, heard_by=heard_by))
    return objects


def _cabinet(layout: Layout, number: int, street: Name, *, place: tuple[float, float]) -> Proposal:
    return point_object(
        f"cabinet/K-{number:02d}",
        "cabinet",
        Name(f"Шкаф освещения К-{number:02d}, {street.ru}", f"Lighting cabinet K-{number:02d}, {street.en}"),
        layout.shore.point(place[0] - 0.012, place[1] + 0.018),
        service="lighting",
        device=native(f"cabinet-{number:02d}", "lamp-cabinet"),
    )


def _lamp(
    layout: Layout,
    cabinet: int,
    index: int,
    *,
    place: tuple[float, float],
    street: Name,
    heard_by: list[Proposal],
) -> Proposal:
    side = 0.009 if index % 2 else -0.009
    at = layout.shore.point(place[0] + (index - 1) * LAMP_STEP_KM, place[1] + side)
    code = f"{cabinet:02d}-{index:02d}"
    external_id = f"70b3d5e75e{cabinet:03x}{index:03x}"
    if cabinet in LORA_CABINETS:
        device = lora(external_id, "lamp-lora", at, heard_by=heard_by)
    else:
        device = native(f"lamp-{code}", "lamp")
    return point_object(
        f"lamp/{code}",
        "lamp",
        Name(f"Светильник {code}, {street.ru}", f"Lamp {code}, {street.en}"),
        at,
        service="lighting",
        parent=f"cabinet/K-{cabinet:02d}",
        device=device,
        rated_w=150 if place[1] == 0.68 else 100,
    )


# --- waste


def waste(layout: Layout, seed: int, heard_by: list[Proposal]) -> list[Proposal]:
    """Bins in the yards, each behind the nearest gateway."""
    rng = Random(f"waste-{seed}")
    houses = sorted(rng.sample(layout.houses, BINS), key=lambda h: (h.along, h.inland))
    objects = []
    for i, house in enumerate(houses, 1):
        at = layout.shore.point(house.along + 0.01, house.inland + 0.028)
        parent = min(heard_by, key=lambda g, p=at: distance_km(p, _at(g)))  # type: ignore[misc]
        objects.append(
            point_object(
                f"bin/{i:03d}",
                "bin",
                Name(f"Контейнер {i}: {house.address.ru}", f"Bin {i}: {house.address.en}"),
                at,
                service="waste",
                parent=parent.key,
                device=lora(f"70b3d5e75f{i:06x}", "bin-lora", at, heard_by=heard_by),
                address_ru=house.address.ru,
                address_en=house.address.en,
                volume_l=1100,
                fill_percent_day=round(rng.uniform(14, 34), 1),
            )
        )
    return objects


def trucks() -> list[Proposal]:
    """Garbage trucks. Where they are is said by their trackers, never by the registry."""
    return [
        Proposal(
            key=f"vehicle/{i}",
            cls="vehicle",
            name_ru=f"Мусоровоз {i}",
            name_en=f"Garbage truck {i}",
            service="waste",
            org="org/waste",
            device=native(f"truck-{i}", "vehicle-tracker"),
            attributes={"kind": "waste_truck", "capacity_kg": 9000},
        )
        for i in range(1, TRUCKS + 1)
    ]


# --- air


def air(layout: Layout, seed: int) -> list[Proposal]:
    """Four stations a district and one in the port."""
    rng = Random(f"air-{seed}")
    places = [
        (start + (end - start) * (i + rng.uniform(0.1, 0.9)) / AIR_PER_DISTRICT, rng.uniform(0.1, far * 0.9))
        for _, _, start, end, _, far in DISTRICTS
        for i in range(AIR_PER_DISTRICT)
    ]
    districts = {key: name for key, name, *_ in DISTRICTS}
    objects = []
    for i, (along, inland) in enumerate([*places, (1.1, 0.24)], 1):
        name = districts[district_at(along)]
        objects.append(
            point_object(
                f"air_station/{i:02d}",
                "air_station",
                Name(f"Пост воздуха {i}, {name.ru}", f"Air station {i}, {name.en}"),
                layout.shore.point(along, inland),
                service="air",
                device=native(f"air-{i:02d}", "air-station"),
                road_share=round(rng.uniform(0.6, 1.4), 2),
                along=round(along, 3),
            )
        )
    return objects
