"""Which zones an object lies in: membership by shapely, computed where the registry is written. Pure."""

from collections.abc import Mapping
from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape

from citynet.errors import BadInput

# Areas that rights and rules may name.
CLASSES = ("district", "metering_district")
Place = tuple[float | None, float | None, bytes | None]


def wkb(geometry: dict[str, Any], key: str) -> bytes:
    """WKB of a GeoJSON geometry. Raises BadInput."""
    try:
        made = shape(geometry)
    except (ShapelyError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise BadInput("bad_geometry", f"{key}: {error}") from error
    if made.is_empty or not made.is_valid:
        raise BadInput("bad_geometry", f"{key}: empty or crossing itself")
    return shapely.to_wkb(made)


class Zones:
    """The zones of a city, indexed."""

    def __init__(self, zones: Mapping[int, bytes]) -> None:
        self._ids = list(zones)
        self._tree = shapely.STRtree([shapely.from_wkb(bytes(g)) for g in zones.values()])

    def members(self, places: Mapping[int, Place]) -> dict[int, list[int]]:
        """Zone ids of each object, in order of id; an object on a border is in both."""
        found: dict[int, list[int]] = {i: [] for i in places}
        located = {i: g for i, g in ((i, _geometry(p)) for i, p in places.items()) if g is not None}
        if not located or not self._ids:
            return found
        keys = list(located)
        for place, zone in self._tree.query(list(located.values()), predicate="intersects").T:
            found[keys[place]].append(self._ids[zone])
        return {i: sorted(zones) for i, zones in found.items()}


def _geometry(place: Place) -> shapely.Geometry | None:
    lon, lat, stored = place
    if lon is not None and lat is not None:
        return shapely.Point(lon, lat)
    return shapely.from_wkb(bytes(stored)) if stored else None
