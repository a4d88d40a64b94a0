"""Where the values of devices go: series by number, with conversion and range shared by all devices of a profile.

Lean, since a city has 100,000 devices: 8 bytes a series. Filled by gateway.directory, read a batch at a time."""

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import structlog
from numpy.typing import NDArray

from citynet import catalog
from citynet.catalog import Mapping, Profile
from citynet.errors import ConfigError
from citynet.units import Line

log = structlog.get_logger()
NO_SERIES = -1
SHAPES_MAX = 64  # of one layout; names on the wire are without end
Place = tuple[str, str]  # quantity, channel
Codes = tuple[int, dict[str, float]]
# Keys of objects and places in lists, down to offsets.
Tree = dict[str | int, "int | Tree"]
STEPS = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")


@dataclass(eq=False)
class Layout:
    """How devices with the same profile and the same series are read.

    offsets: payload key -> place among the targets of a device, NO_SERIES = not allocated yet. Keys whose values stand
    for something else are in codes instead, with what each value means. shapes: keys of a whole sample that are all
    mapped -> their offsets, found by use.
    """

    offsets: dict[str, int]
    codes: dict[str, Codes]
    places: tuple[Place, ...]
    kinds: tuple[int, ...]
    shapes: dict[tuple[str, ...], tuple[int, ...]] = field(default_factory=dict)

    def shape(self, keys: tuple[str, ...]) -> tuple[int, ...] | None:
        """Offsets of the values of a sample, None when one of them must be looked at alone."""
        found = tuple(self.offsets.get(key, NO_SERIES) for key in keys)
        if not found or NO_SERIES in found:
            return None
        if len(self.shapes) < SHAPES_MAX:
            self.shapes[keys] = found
        return found

    @cached_property
    def tree(self) -> Tree | None:
        """Offsets by the steps of their keys; None when a key must be looked at alone."""
        tree: Tree = {}
        if self.codes or NO_SERIES in self.offsets.values():
            return None
        for key, offset in self.offsets.items():
            steps = [int(place) if place else name for place, name in STEPS.findall(key)]
            at = tree
            for step in steps[:-1]:
                below = at.setdefault(step, {})
                if isinstance(below, int):
                    return None
                at = below
            if not steps or steps[-1] in at or "".join(_written(steps)) != key:
                return None
            at[steps[-1]] = offset
        return tree


def _written(steps: list[str | int]) -> Iterator[str]:
    """The other way round."""
    for number, step in enumerate(steps):
        yield f"[{step}]" if isinstance(step, int) else f".{step}" if number else step


class Targets:
    """Columns over all targets of all devices; base + offset is the index of one."""

    def __init__(self) -> None:
        self._series, self._kind = array("i"), array("i")
        # Over kinds: value = (raw * mul + add) / div, the range of it, whether what lies outside is refused.
        self._words: dict[tuple[float, ...], int] = {}

    def __len__(self) -> int:
        return len(self._series)

    def layout(self, profile: Profile | None, known: frozenset[Place]) -> Layout:
        """The layout of a profile's devices whose points have series for the known places."""
        offsets: dict[str, int] = {}
        codes: dict[str, Codes] = {}
        places: list[Place] = []
        kinds: list[int] = []
        for key, mapping in profile.map.items() if profile else ():
            kind = self._kind_of(mapping) if (mapping.quantity, mapping.channel) in known else NO_SERIES
            offset = NO_SERIES if kind == NO_SERIES else len(places)
            if mapping.codes:
                codes[key] = (offset, mapping.codes)
            else:
                offsets[key] = offset
            if offset != NO_SERIES:
                places.append((mapping.quantity, mapping.channel))
                kinds.append(kind)
        return Layout(offsets, codes, tuple(places), tuple(kinds))

    def _kind_of(self, mapping: Mapping) -> int:
        """Number of a conversion; NO_SERIES where the mapping cannot give the unit of its quantity."""
        words = catalog.catalog().quantities.get(mapping.quantity)
        low, high = (words.min, words.max) if words else (None, None)
        try:
            line = Line() if mapping.codes else mapping.line(words.unit if words else mapping.unit)
        except ConfigError as error:  # a profile of the registry, not of the shipped catalogue
            log.error("mapping cannot be used", quantity=mapping.quantity, error=str(error))
            return NO_SERIES
        ends = (-np.inf if low is None else low, np.inf if high is None else high)
        strict = float(words is not None and words.kind == "position")
        return self._words.setdefault((*line.integers, *ends, strict), len(self._words))

    def add(self, layout: Layout, series: dict[Place, int]) -> int:
        """Base of a new device's targets."""
        base = len(self._series)
        self._series.extend([series[place] for place in layout.places])
        self._kind.extend(layout.kinds)
        return base

    def rows(self, index: NDArray[np.intp]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Series of each index; mul, add, div, low, high, strict as rows of a float64 array, one column an index."""
        if not len(index):
            return np.empty(0, np.int32), np.empty((6, 0))
        kinds = np.frombuffer(self._kind, np.int32)[index]
        return np.frombuffer(self._series, np.int32)[index], np.array(list(self._words)).T[:, kinds]
