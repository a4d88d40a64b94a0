"""Day, week, sun and smooth noise as closed functions of time (epoch seconds), so that a restart changes nothing."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from simulators.geometry import ORIGIN_LAT, ORIGIN_LON

Array = NDArray[np.float64]

UTC_OFFSET_S = 3 * 3600  # Europe/Moscow keeps no summer time
DAY_S = 86400.0
REGISTERS_START = 1735689600.0  # 2025-01-01: where the registers of the city begin to count


def curve(percents: str) -> tuple[float, ...]:
    """24 percents at the whole hours of a day, as factors; the first repeated at 24:00."""
    values = [float(word) / 100.0 for word in percents.split()]
    return (*values, values[0])


HOME_WORKDAY = curve("35 28 24 22 24 38 78 120 125 108 98 95 98 96 94 98 106 122 142 150 146 126 92 58")
HOME_RESTDAY = curve("42 33 27 24 24 28 42 68 100 126 138 136 130 124 118 114 116 124 136 142 136 116 86 60")
WORK_WORKDAY = curve("38 36 35 35 36 42 62 105 150 168 172 170 160 164 166 160 148 120 90 72 62 54 46 41")
WORK_RESTDAY = curve("36 35 34 34 34 36 40 46 56 64 68 70 70 68 66 64 62 58 54 50 47 44 40 38")
ROAD_WORKDAY = curve("20 14 12 12 18 40 95 175 190 150 125 120 122 120 122 135 165 195 180 130 95 70 48 32")
ROAD_RESTDAY = curve("28 20 15 13 14 20 35 55 80 105 125 130 130 128 125 122 120 118 110 95 78 62 48 36")


def hour_of_day(t: Array) -> Array:
    """Local hour 0-24 with fractions."""
    hours: Array = ((t + UTC_OFFSET_S) % DAY_S) / 3600.0
    return hours


def is_restday(t: Array) -> NDArray[np.bool_]:
    """Saturday and Sunday, local time."""
    day = np.floor((t + UTC_OFFSET_S) / DAY_S)
    rest: NDArray[np.bool_] = (day + 3) % 7 >= 5  # 1970-01-01 was a Thursday
    return rest


def weekly(t: Array, workday: tuple[float, ...], restday: tuple[float, ...]) -> Array:
    """A daily curve for workdays and one for rest days, linear between the hours."""
    hour, grid = hour_of_day(t), np.arange(25)
    return np.where(is_restday(t), np.interp(hour, grid, restday), np.interp(hour, grid, workday))


def clipped(values: Array, low: float | None, high: float | None) -> Array:
    """np.clip that keeps its type."""
    out: Array = np.clip(values, low, high)
    return out


def home(t: Array) -> Array:
    """How busy homes are: two peaks on workdays, a late morning on rest days."""
    return weekly(t, HOME_WORKDAY, HOME_RESTDAY)


def work(t: Array) -> Array:
    """How busy shops and offices are."""
    return weekly(t, WORK_WORKDAY, WORK_RESTDAY)


def road(t: Array) -> Array:
    """How busy the streets are."""
    return weekly(t, ROAD_WORKDAY, ROAD_RESTDAY)


def sun_elevation_deg(t: Array) -> Array:
    """Height of the sun over the demo city, within half a degree (Spencer 1971, without refraction)."""
    days = t / DAY_S
    year = 2 * np.pi * ((days - 0.5) % 365.2425) / 365.2425
    declination = (
        0.006918 - 0.399912 * np.cos(year) + 0.070257 * np.sin(year)
        - 0.006758 * np.cos(2 * year) + 0.000907 * np.sin(2 * year)
    )  # fmt: skip
    equation_min = 229.18 * (
        0.000075 + 0.001868 * np.cos(year) - 0.032077 * np.sin(year)
        - 0.014615 * np.cos(2 * year) - 0.040849 * np.sin(2 * year)
    )  # fmt: skip
    solar_h = (t % DAY_S) / 3600.0 + ORIGIN_LON / 15.0 + equation_min / 60.0
    angle, latitude = np.pi * (solar_h / 12.0 - 1.0), np.radians(ORIGIN_LAT)
    height = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(angle)
    result: Array = np.degrees(np.arcsin(height))
    return result


class Waves:
    """Smooth noise of n devices: sums of sines with the device's own periods. amplitude, period_s range per term."""

    def __init__(self, rng: np.random.Generator, n: int, terms: tuple[tuple[float, float, float], ...]) -> None:
        self._amplitude = np.array([term[0] for term in terms])[None, :, None]
        periods = np.stack([rng.uniform(term[1], term[2], n) for term in terms], axis=1)
        self._omega = (2 * np.pi / periods)[:, :, None]
        self._phase = rng.uniform(0, 2 * np.pi, periods.shape)[:, :, None]

    def __call__(self, t: Array) -> Array:
        """Shape (n, len(t))."""
        angle = self._omega * (t[None, None, :] - REGISTERS_START) + self._phase
        total: Array = (self._amplitude * np.sin(angle)).sum(axis=1)
        return total


class Integral:
    """The integral of a rate per hour since REGISTERS_START, on a grid of 15 min made once."""

    STEP_S = 900.0

    def __init__(self, rate: Callable[[Array], Array], until: float) -> None:
        self._grid = np.arange(REGISTERS_START, until + DAY_S, self.STEP_S)
        values = rate(self._grid)
        area = (values[1:] + values[:-1]) / 2 * (self.STEP_S / 3600.0)
        self._total = np.concatenate([[0.0], np.cumsum(area)])

    def __call__(self, t: Array) -> Array:
        """Value of the integral at each moment."""
        result: Array = np.interp(t, self._grid, self._total)
        return result
