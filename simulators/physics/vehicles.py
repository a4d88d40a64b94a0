"""Garbage trucks: each goes up and down its street, stops at bins and rests for a third of the day."""

import math

import numpy as np

from citynet.model import Proposal
from simulators.geometry import KM_PER_DEGREE_LAT, KM_PER_DEGREE_LON
from simulators.physics.kind import Kind
from simulators.physics.rhythm import DAY_S, REGISTERS_START, UTC_OFFSET_S, Array
from simulators.world import World

DRIVE_MPS = 7.0
STOP_EVERY_M, STOP_S = 180.0, 45.0
SHIFT_S = 16 * 3600.0
SHIFTS_START_S = (5 * 3600.0, 17 * 3600.0)  # every other truck goes by night
NO_HISTORY_S = 1e12  # a way of hours ago is nothing to learn from


class Way:
    """A street as a line that is driven to its end and back again."""

    def __init__(self, street: Proposal) -> None:
        line = np.array((street.geometry or {})["coordinates"], float)
        self._lon, self._lat = line[:, 0], line[:, 1]
        east, north = np.diff(self._lon) * KM_PER_DEGREE_LON, np.diff(self._lat) * KM_PER_DEGREE_LAT
        self._course = np.degrees(np.arctan2(east, north)) % 360
        self._along = np.concatenate([[0.0], np.cumsum(np.hypot(east, north) * 1000)])

    @property
    def length_m(self) -> float:
        """From end to end."""
        return float(self._along[-1])

    def at(self, driven_m: Array) -> tuple[Array, Array, Array]:
        """lon, lat and course after so many metres."""
        there = driven_m % (2 * self.length_m)
        back = there > self.length_m
        along = np.where(back, 2 * self.length_m - there, there)
        leg = np.clip(np.searchsorted(self._along, along, "right") - 1, 0, len(self._course) - 1)
        course = (self._course[leg] + np.where(back, 180.0, 0.0)) % 360
        return np.interp(along, self._along, self._lon), np.interp(along, self._along, self._lat), course


class Trucks(Kind):
    """A place every ten seconds."""

    interval_s, history_step_s, digits = 10.0, NO_HISTORY_S, 6

    def __init__(self, world: World) -> None:
        super().__init__(world.devices["vehicle"], world.seed, 53)
        streets = [Way(o) for o in world.objects if o.cls == "street"]
        longest = sorted(streets, key=lambda way: -way.length_m)
        self._ways = longest[: len(self.devices)]
        self._starts_s = np.array([SHIFTS_START_S[i % len(SHIFTS_START_S)] for i in range(len(self.devices))])

    def nominal(self, t: Array) -> dict[str, Array]:
        day, second = np.divmod(t - REGISTERS_START + UTC_OFFSET_S - self._starts_s[:, None], DAY_S)
        worked = day * SHIFT_S + np.clip(second, 0, SHIFT_S)
        stretch_s = STOP_EVERY_M / DRIVE_MPS + STOP_S
        stretches, since = np.divmod(worked, stretch_s)
        driven = stretches * STOP_EVERY_M + np.minimum(since * DRIVE_MPS, STOP_EVERY_M)
        moving = (second < SHIFT_S) & (since * DRIVE_MPS < STOP_EVERY_M)
        lon, lat, course = (np.stack(c) for c in zip(*map(Way.at, self._ways, driven), strict=True))
        satellites = 11.0 + np.round(2 * np.sin(2 * math.pi * t / 5400.0)) + np.zeros_like(lon)
        return {
            "lat": lat,
            "lon": lon,
            "speed": np.where(moving, DRIVE_MPS * 3.6, 0.0),
            "heading": np.round(course, 1),
            "accuracy": 30.0 / satellites,
            "satellites": satellites,
        }
