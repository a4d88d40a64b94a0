"""The base map as registry objects: organisations, land and water, port, districts, streets, buildings."""

import math
from random import Random
from typing import Any

from shapely.geometry import LineString, Polygon, box, mapping

from citynet.model import Proposal
from simulators.geometry import Point, Shore, line_string, lonlat, multi_polygon, polygon
from simulators.layout import PORT, Block, Layout, Street
from simulators.names import DISTRICTS, ORGANISATIONS, Name

MAP_CORNERS_KM = ((-13.0, -11.0), (15.0, 9.0))
COAST_WAVES = ((0.03, 2.3), (0.02, 6.1), (0.01, 15.0))  # height km, wave number 1/km
PIERS_KM = ((0.15, -0.3), (0.6, -0.42), (1.05, -0.3), (1.5, -0.42), (1.95, -0.3))  # along, reach


def objects(layout: Layout, seed: int) -> list[Proposal]:
    """All objects without devices, parents first."""
    return [
        *_organisations(),
        *_land_and_water(layout.shore, seed),
        *_port(layout.shore),
        *_districts(layout.shore),
        *(_street(s) for s in layout.streets),
        *(_block(b) for b in layout.blocks),
    ]


def shape(key: str, cls: str, name: Name, geometry: dict[str, Any], **attributes: Any) -> Proposal:
    """An object that is only drawn."""
    return Proposal(key=key, cls=cls, name_ru=name.ru, name_en=name.en, geometry=geometry, attributes=attributes)


def _organisations() -> list[Proposal]:
    return [
        Proposal(
            key=f"org/{key}",
            cls="organisation",
            name_ru=name.ru,
            name_en=name.en,
            service=None if key == "city" else key,
        )
        for key, name in ORGANISATIONS.items()
    ]


def _coast(shore: Shore, seed: int) -> list[Point]:
    """The natural coast: the smooth shore with small bays and capes that never reach the first street."""
    rng = Random(f"coast-{seed}")
    phases = [rng.uniform(0, 2 * math.pi) for _ in COAST_WAVES]
    points = []
    for i in range(-260, 261):
        along = i / 20
        calm = PORT[0] - 0.2 < along < PORT[1] + 0.2
        waves = sum(a * math.sin(k * along + p) for (a, k), p in zip(COAST_WAVES, phases, strict=True))
        points.append(shore.point(along, 0.0 if calm else waves - 0.01))
    return points


def _land_and_water(shore: Shore, seed: int) -> list[Proposal]:
    coast = _coast(shore, seed)
    south_west, north_east = (lonlat(*corner) for corner in MAP_CORNERS_KM)
    frame = box(*south_west, *north_east)
    bay = Polygon([*coast, lonlat(40.0, -8.0), lonlat(8.0, -40.0)]).intersection(frame)
    land = frame.difference(bay)
    shore_line = LineString(coast).intersection(frame)
    return [
        shape("land/1", "land", Name("Суша", "Land"), _rounded(mapping(land))),
        shape("water/bay", "water", Name("Бухта", "Bay"), _rounded(mapping(bay))),
        shape("coast/1", "coast", Name("Береговая линия", "Coast line"), _rounded(mapping(shore_line))),
    ]


def _rounded(geometry: dict[str, Any]) -> dict[str, Any]:
    def walk(value: Any) -> Any:
        return [walk(v) for v in value] if isinstance(value, list | tuple) else round(value, 6)

    return {"type": geometry["type"], "coordinates": walk(geometry["coordinates"])}


def _port(shore: Shore) -> list[Proposal]:
    yard = polygon(shore.patch(*PORT[:2], near=PORT[2], far=PORT[3]))
    piers = [shore.patch(a - 0.05, a + 0.05, near=0.02, far=reach) for a, reach in PIERS_KM]
    moles = [shore.patch(-2.72, -2.69, near=0.02, far=-0.85), shore.patch(3.1, 3.13, near=0.02, far=-1.1)]
    return [
        shape("port/yard", "port", Name("Морской порт", "Sea port"), yard),
        shape("port/piers", "port", Name("Причалы", "Piers"), multi_polygon(piers)),
        shape("port/moles", "port", Name("Молы", "Moles"), multi_polygon(moles)),
    ]


def _districts(shore: Shore) -> list[Proposal]:
    return [
        shape(f"district/{key}", "district", name, polygon(shore.patch(start, end, near=near, far=far)))
        for key, name, start, end, near, far in DISTRICTS
    ]


def _street(street: Street) -> Proposal:
    kind = "cross" if street.inland is None else "main" if street.inland in (0.12, 0.68) else "level"
    return shape(street.key, "street", street.name, line_string(street.line), kind=kind)


def _block(block: Block) -> Proposal:
    number = block.key.rpartition("/")[2]
    rings = [house.ring for house in block.houses]
    return shape(block.key, "building", Name(f"Квартал {number}", f"Block {number}"), multi_polygon(rings))
