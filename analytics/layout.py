"""Where things are in the columns of one partition: series -> row, object -> place, class -> its members."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from analytics.city import City
from analytics.columns import Array, Bools, Floats, Ints, grown

NONE = -1


@dataclass
class Group:
    """The objects of one class. members: slot -> object place; columns: quantity -> slot -> row or -1."""

    class_: str
    members: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    columns: dict[str, Ints] = field(default_factory=dict)

    def column(self, quantity: str) -> Ints:
        """Row of the quantity for each slot; -1 where an object has none."""
        known = self.columns.get(quantity)
        if known is None or len(known) < len(self.members):
            known = grown(np.empty(0, np.int64) if known is None else known, len(self.members), NONE)
            self.columns[quantity] = known
        return known


class Layout:
    """Rows and places in order of first appearance; they never move, so state columns only grow."""

    def __init__(self) -> None:
        self.series_ids: list[int] = []
        self.object_ids: list[int] = []
        self.classes: list[str] = []
        self.groups: dict[str, Group] = {}
        self.obj_of_row: Ints = np.empty(0, np.int64)
        self.slot_of_obj: Ints = np.empty(0, np.int64)
        self.class_of_obj: Ints = np.empty(0, np.int64)
        self.quantity_of_row: list[str] = []
        self.gauge: Bools = np.empty(0, np.bool_)
        self.interval_s: Floats = np.empty(0)
        self.lateness_us: Ints = np.empty(0, np.int64)
        self._row: Ints = np.empty(0, np.int64)
        self._place: dict[int, int] = {}
        self._measures: dict[str, Bools] = {}

    def rows(self, series: Array) -> Ints:
        """Rows of series ids; -1 for one that was never admitted."""
        series = series.astype(np.int64)
        inside = (series >= 0) & (series < len(self._row))
        return np.where(inside, self._row[np.where(inside, series, 0)] if len(self._row) else NONE, NONE)

    def admit(self, series: Iterable[int], city: City) -> bool:
        """Give rows to series that the city knows; says whether any was new."""
        fresh = [city.series[s] for s in dict.fromkeys(series) if s in city.series and not self._has(s)]
        for measured in fresh:
            self._object(measured.object_id, city.sites[measured.object_id].class_)
        self._append([(m.series_id, m.object_id, m.quantity) for m in fresh])
        self.refresh(city)
        return bool(fresh)

    def restore(self, series: list[tuple[int, int, str]], objects: list[tuple[int, str]]) -> None:
        """Take rows (series, object, quantity) and places (object, class) as they were, also of what is gone since."""
        for object_id, class_ in objects:
            self._object(object_id, class_)
        self._append(series)

    def _has(self, series_id: int) -> bool:
        return series_id < len(self._row) and bool(self._row[series_id] >= 0)

    def _object(self, object_id: int, class_: str) -> None:
        if object_id in self._place:
            return
        self._place[object_id] = len(self.object_ids)
        self.object_ids.append(object_id)
        self.classes.append(class_)

    def _append(self, series: list[tuple[int, int, str]]) -> None:
        self._join_groups()
        start = len(self.series_ids)
        self._row = grown(self._row, max((item[0] for item in series), default=-1) + 1, NONE)
        for series_id, _, quantity in series:
            self._row[series_id] = len(self.series_ids)
            self.series_ids.append(series_id)
            self.quantity_of_row.append(quantity)
        owners = np.array([self._place[item[1]] for item in series], np.int64)
        self.obj_of_row = np.concatenate([self.obj_of_row, owners])
        self._measures.clear()
        for row in range(start, len(self.series_ids)):
            self._column(row)

    def _column(self, row: int) -> None:
        place = int(self.obj_of_row[row])
        column = self.groups[self.classes[place]].column(self.quantity_of_row[row])
        slot = int(self.slot_of_obj[place])
        # Several channels of one quantity: rules read the one that the registry made first.
        if column[slot] == NONE or self.series_ids[column[slot]] > self.series_ids[row]:
            column[slot] = row

    def place(self, object_id: int) -> int:
        """Place of an object that has one."""
        return self._place[object_id]

    def has(self, object_id: int) -> bool:
        """Whether an object has a place."""
        return object_id in self._place

    def measures(self, quantity: str) -> Bools:
        """Which rows are of the quantity."""
        if quantity not in self._measures:
            self._measures[quantity] = np.array([name == quantity for name in self.quantity_of_row], np.bool_)
        return self._measures[quantity]

    def _join_groups(self) -> None:
        start = len(self.slot_of_obj)
        size = len(self.object_ids)
        self.slot_of_obj, self.class_of_obj = grown(self.slot_of_obj, size, 0), grown(self.class_of_obj, size, 0)
        joining: dict[str, list[int]] = {}
        for place in range(start, size):
            group = self.groups.setdefault(self.classes[place], Group(self.classes[place]))
            mates = joining.setdefault(group.class_, [])
            self.slot_of_obj[place] = len(group.members) + len(mates)
            self.class_of_obj[place] = list(self.groups).index(group.class_)
            mates.append(place)
        for class_, mates in joining.items():
            group = self.groups[class_]
            group.members = np.concatenate([group.members, np.array(mates, np.int64)])

    def refresh(self, city: City) -> None:
        """Take intervals, latenesses and kinds from the city; what has left the registry keeps its last."""
        size, known = len(self.object_ids), len(self.gauge)
        self.interval_s, self.lateness_us = grown(self.interval_s, size, 3600.0), grown(self.lateness_us, size, 0)
        for place, object_id in enumerate(self.object_ids):
            site = city.sites.get(object_id)
            if site:
                self.interval_s[place], self.lateness_us[place] = site.interval_s, site.lateness_us
        self.gauge = grown(self.gauge, len(self.series_ids), False)
        fresh = self.series_ids[known:]
        self.gauge[known:] = [s in city.series and city.series[s].gauge for s in fresh]
