"""The shape of the demo bay: a smooth shore; places are (along, inland) km on it. For the world files."""

import math
from typing import Any

import numpy as np

ORIGIN_LON, ORIGIN_LAT = 37.77, 44.72
KM_PER_DEGREE_LAT = 111.2
KM_PER_DEGREE_LON = KM_PER_DEGREE_LAT * math.cos(math.radians(ORIGIN_LAT))
HEAD_KM = (0.9, 0.35)
AXIS_ANGLE = math.radians(-42)  # the bay opens to the south-east
HYPERBOLA_A, HYPERBOLA_B = 8.9, 2.67  # radius 0.8 km at the head, banks that part slowly

Point = tuple[float, float]


def lonlat(x_km: float, y_km: float) -> Point:
    """WGS 84 degrees, rounded to 0.1 m, of a place in km east and north of the origin."""
    return round(ORIGIN_LON + x_km / KM_PER_DEGREE_LON, 6), round(ORIGIN_LAT + y_km / KM_PER_DEGREE_LAT, 6)


def distance_km(a: Point, b: Point) -> float:
    """Distance of two lon / lat points, flat-earth: exact to a metre within one city."""
    return math.hypot((a[0] - b[0]) * KM_PER_DEGREE_LON, (a[1] - b[1]) * KM_PER_DEGREE_LAT)


class Shore:
    """The shore line; along grows from the west bank (negative) over the head (0) to the east bank."""

    def __init__(self) -> None:
        q = np.linspace(-1.75, 1.75, 4001)
        u, v = HYPERBOLA_A * (np.cosh(q) - 1), HYPERBOLA_B * np.sinh(q)
        cos, sin = math.cos(AXIS_ANGLE), math.sin(AXIS_ANGLE)
        self._x = HEAD_KM[0] + u * cos - v * sin
        self._y = HEAD_KM[1] + u * sin + v * cos
        steps = np.hypot(np.diff(self._x), np.diff(self._y))
        length = np.concatenate([[0.0], np.cumsum(steps)])
        self._along = length - length[2000]
        dx, dy = np.gradient(self._x, self._along), np.gradient(self._y, self._along)
        norm = np.hypot(dx, dy)
        self._nx, self._ny = -dy / norm, dx / norm

    def point(self, along: float, inland: float) -> Point:
        """lon / lat of a place; inland < 0 lies in the water."""
        columns = (self._x, self._y, self._nx, self._ny)
        x, y, nx, ny = (float(np.interp(along, self._along, column)) for column in columns)
        return lonlat(x + inland * nx, y + inland * ny)

    def line(self, start: float, end: float, inland: float, *, step: float = 0.1) -> list[Point]:
        """Points along the shore at a constant distance from it."""
        count = max(2, round(abs(end - start) / step) + 1)
        return [self.point(float(s), inland) for s in np.linspace(start, end, count)]

    def patch(self, start: float, end: float, *, near: float, far: float) -> list[Point]:
        """A closed ring: the strip between two distances from the shore."""
        ring = self.line(start, end, near) + self.line(end, start, far)
        return [*ring, ring[0]]


def line_string(points: list[Point]) -> dict[str, Any]:
    """GeoJSON LineString."""
    return {"type": "LineString", "coordinates": [list(p) for p in points]}


def polygon(ring: list[Point]) -> dict[str, Any]:
    """GeoJSON Polygon without holes."""
    return {"type": "Polygon", "coordinates": [[list(p) for p in ring]]}


def multi_polygon(rings: list[list[Point]]) -> dict[str, Any]:
    """GeoJSON MultiPolygon without holes."""
    return {"type": "MultiPolygon", "coordinates": [[[list(p) for p in ring]] for ring in rings]}
