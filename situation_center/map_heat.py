"""The field of one quantity between the stations that measure it, with its doubt. Pure; called by map_routes.py."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
M_PER_DEGREE = 111_320.0
CELLS_MAX = 96
# More stations than this are first averaged on a grid: a screen cannot show more, and the cost stays the same.
STATIONS_MAX = 1_500
POOLS = 36
REACH_M_MIN, REACH_M_MAX = 250.0, 3_000.0


@dataclass(frozen=True)
class Field:
    """Rows north to south, cells west to east; NaN where nobody measures. Doubt is 0 at a station, 1 far off."""

    west: float
    south: float
    east: float
    north: float
    values: F64
    doubt: F64


def _pooled(x: F64, y: F64, value: F64) -> tuple[F64, F64, F64]:
    """Means over equal squares when there are too many stations."""
    if len(x) <= STATIONS_MAX:
        return x, y, value
    column, row = (np.minimum((POOLS * (v - v.min()) / max(np.ptp(v), 1.0)).astype(int), POOLS - 1) for v in (x, y))
    _, where, count = np.unique(column * POOLS + row, return_inverse=True, return_counts=True)
    means = [np.bincount(where, weights=v) / count for v in (x, y, value)]
    return means[0], means[1], means[2]


def _reach_m(x: F64, y: F64) -> float:
    """How far a station speaks for its surroundings: one and a half times the usual way to its neighbour."""
    if len(x) < 2:
        return REACH_M_MIN * 2
    apart = np.hypot(x[:, None] - x, y[:, None] - y)
    np.fill_diagonal(apart, np.inf)
    return float(np.clip(1.5 * np.median(apart.min(axis=1)), REACH_M_MIN, REACH_M_MAX))


def interpolate(lon: F64, lat: F64, value: F64) -> Field | None:
    """Inverse squares of the distance; nothing farther than two reaches from every station. None without stations."""
    if not len(value):
        return None
    lat0, lon0 = float(lat.mean()), float(lon.mean())
    scale_x, scale_y = M_PER_DEGREE * float(np.cos(np.radians(lat0))), M_PER_DEGREE
    x, y, value = _pooled((lon - lon0) * scale_x, (lat - lat0) * scale_y, value)
    limit_m = 2 * _reach_m(x, y)
    west, east = float(x.min()) - limit_m, float(x.max()) + limit_m
    south, north = float(y.min()) - limit_m, float(y.max()) + limit_m
    cell_m = max(east - west, north - south) / CELLS_MAX
    width, height = (max(1, round(length / cell_m)) for length in (east - west, north - south))
    gx = west + (np.arange(width) + 0.5) * (east - west) / width
    gy = north - (np.arange(height) + 0.5) * (north - south) / height
    values, near_m = _weighted(gx, gy, (x, y, value))
    values[near_m >= limit_m] = np.nan
    return Field(
        west=lon0 + west / scale_x,
        south=lat0 + south / scale_y,
        east=lon0 + east / scale_x,
        north=lat0 + north / scale_y,
        values=values,
        doubt=np.minimum(1.0, near_m / limit_m),
    )


def _weighted(gx: F64, gy: F64, stations: tuple[F64, F64, F64]) -> tuple[F64, F64]:
    """Values and the distance to the nearest station of each cell, row by row to stay small in memory."""
    x, y, value = stations
    values, near_m = np.empty((len(gy), len(gx))), np.empty((len(gy), len(gx)))
    for row, north_m in enumerate(gy):
        squares = (gx[:, None] - x) ** 2 + (north_m - y) ** 2
        weights = 1.0 / np.maximum(squares, 1.0)
        values[row] = weights @ value / weights.sum(axis=1)
        near_m[row] = np.sqrt(squares.min(axis=1))
    return values, near_m
