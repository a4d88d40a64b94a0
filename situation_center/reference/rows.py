"""From the cells of a registry file to changes of the registry, with every fault of a row. Pure."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any

from citynet.catalog import PROTOCOLS, Catalog, Profile
from citynet.classes import Attribute, ObjectClass
from citynet.errors import BadInput
from situation_center.reference import cells
from situation_center.reference.columns import Reject
from situation_center.registry_plan import Change, DeviceChange
from situation_center.registry_versions import LIFE_CYCLES, Version

LIFE_WORDS = {
    "запланировано": "planned", "установлено": "installed", "в работе": "active", "списано": "retired",
    "выведено из работы": "out_of_service", "заменено": "swapped",
}  # fmt: skip


@dataclass(frozen=True)
class Words:
    """What rows are checked against."""

    catalog: Catalog
    profiles: Mapping[str, Profile]
    kinds: Mapping[str, ObjectClass]
    zone: tzinfo
    now: datetime


@dataclass
class Row:
    """One row: the change it means, whether it names the object well enough to create it, and its faults."""

    line: int
    change: Change | None = None
    faults: list[Reject] = field(default_factory=list)


class Reader:
    """Reads the rows of one file. names: the meanings of its columns."""

    def __init__(self, names: list[str], words: Words) -> None:
        self.names, self.words = names, words
        self.columns = set(names)

    def read(self, line: int, given: list[str]) -> Row:
        """The row with all its faults."""
        row = Row(line)
        if len(given) > len(self.names) and any(given[len(self.names) :]):
            row.faults.append(Reject(line, "", "too_many_cells", str(len(given))))
        padded = given + [""] * (len(self.names) - len(given))
        cell = {name: c for name, c in zip(self.names, padded, strict=False) if c != cells.KEEP}
        if any("\0" in c for c in given):
            row.faults.append(Reject(line, "", "bad_text", "NUL"))
        else:
            row.change = self._change(row, cell)
        return row

    def _try(self, row: Row, name: str, cell: Mapping[str, str], *, read: Callable[[str], Any]) -> Any:
        """The value of a cell; a fault becomes a line of the report."""
        try:
            return read(cell[name])
        except BadInput as error:
            row.faults.append(Reject(row.line, name, error.reason, error.detail[:200]))
            return None

    def _change(self, row: Row, cell: dict[str, str]) -> Change | None:
        profile = self._profile(row, cell)
        protocol = self._protocol(row, cell, profile)
        device_id = self._device_id(row, cell, protocol or (profile.protocol if profile else None))
        cls = cell.get("class", "").lower() or (profile.class_ if profile else "")
        if cls and cls not in self.words.kinds:
            row.faults.append(Reject(row.line, "class", "unknown_class", cls[:80]))
        alone = cls == "device" or cell.get("key", "").startswith("device/")
        key = self._key(row, cell, f"{cls}/{device_id}" if device_id and cls else "", alone=alone)
        given, names = self._given(row, cell, cls)
        life = self._life_cycle(row, cell)
        device = None
        if device_id:
            attributes = self._attributes(row, cell, "device.", self.words.kinds.get("device"))
            named = profile.name if profile else None
            if alone:
                known = {"external_id": device_id, "protocol": protocol, "profile": named}
                attributes |= {n: v for n, v in known.items() if v is not None}
                given = replace(given, attributes=attributes)
            else:
                device = DeviceChange(device_id, protocol, named, attributes)
        since = self._since(row, cell)
        return Change(
            key=key,
            cls=cls,
            given=given,
            names=frozenset(names),
            org=cell.get("org") or None,
            parent=cell.get("parent") or None,
            device=device,
            life_cycle=life,
            since=since,
            usual_protocol=profile.protocol if profile and device_id and not protocol else None,
        )

    def _key(self, row: Row, cell: Mapping[str, str], natural: str, *, alone: bool) -> str:
        """The given key, else the natural one. A device that is on no object has the class device and its own key."""
        key = cell.get("key") or natural
        if not key and not row.faults:
            row.faults.append(Reject(row.line, "key", "missing_key", cell.get("external_id", "")))
        if len(key) > 200 or not key.isprintable():
            row.faults.append(Reject(row.line, "key", "bad_key", key[:80]))
        if alone and key != natural:
            row.faults.append(Reject(row.line, "key", "bad_key", f"{key[:80]} -> {natural[:80]}?"))
        return key

    def _profile(self, row: Row, cell: Mapping[str, str]) -> Profile | None:
        name = cell.get("profile", "")
        if name and name not in self.words.profiles:
            near = difflib.get_close_matches(name, self.words.profiles, 1)
            row.faults.append(
                Reject(row.line, "profile", "unknown_profile", f"{name[:60]}{f' -> {near[0]}?' if near else ''}")
            )
        return self.words.profiles.get(name)

    def _protocol(self, row: Row, cell: Mapping[str, str], profile: Profile | None) -> str | None:
        """How the device speaks, as the row says: in its own cell, or by an empty one that leaves it to the profile."""
        if "protocol" not in cell:
            return None
        word = cell["protocol"].lower()
        if word and word not in PROTOCOLS:
            row.faults.append(Reject(row.line, "protocol", "unknown_protocol", word[:80]))
            return None
        return word or (profile.protocol if profile else None)

    def _device_id(self, row: Row, cell: Mapping[str, str], protocol: str | None) -> str:
        if not cell.get("external_id"):
            return ""
        radio = protocol in cells.RADIO
        read = self._try(row, "external_id", cell, read=lambda c: cells.external_id(c, radio=radio))
        return read or ""

    def _life_cycle(self, row: Row, cell: Mapping[str, str]) -> str | None:
        word = cell.get("life_cycle", "").lower()
        word = LIFE_WORDS.get(word, word.replace(" ", "_"))
        if word and word not in LIFE_CYCLES:
            row.faults.append(Reject(row.line, "life_cycle", "bad_life_cycle", word[:80]))
        return word if word in LIFE_CYCLES else None

    def _since(self, row: Row, cell: Mapping[str, str]) -> datetime | None:
        if not cell.get("since"):
            return None
        made: datetime | None = self._try(row, "since", cell, read=lambda c: cells.moment(c, self.words.zone))
        if made and made > self.words.now:
            row.faults.append(Reject(row.line, "since", "date_in_future", cell["since"][:40]))
        return made

    def _given(self, row: Row, cell: Mapping[str, str], cls: str) -> tuple[Version, set[str]]:
        """The fields of the object that the row brings. An empty cell clears, but for names."""
        found: dict[str, Any] = {}
        for name in self.columns & {"name_ru", "name_en", "address"} & set(cell):
            found[name] = self._try(row, name, cell, read=cells.text) or ""
        for name in ("name_ru", "name_en"):
            if not found.get(name):
                found.pop(name, None)  # a name is never cleared
        if "service" in cell:
            found["service"] = self._service(row, cell)
        if "tags" in cell:
            found["tags"] = self._try(row, "tags", cell, read=cells.tags) or []
        found |= self._place(row, cell)
        attributes = self._attributes(row, cell, "attr.", self.words.kinds.get(cls))
        names = set(found)
        names |= {f"{field}_id" for field in ("org", "parent") if field in cell}
        return Version(**found, attributes=attributes), names

    def _service(self, row: Row, cell: Mapping[str, str]) -> str | None:
        name = cell["service"]
        if name and name not in self.words.catalog.services:
            row.faults.append(Reject(row.line, "service", "unknown_service", name[:80]))
        return name or None

    def _place(self, row: Row, cell: Mapping[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if "lon" in cell and "lat" in cell:
            if bool(cell["lon"]) != bool(cell["lat"]):
                row.faults.append(Reject(row.line, "lon", "bad_coordinates", f"{cell['lon']} {cell['lat']}"[:40]))
            elif cell["lon"]:
                found["lon"] = self._try(row, "lon", cell, read=lambda c: cells.coordinate(c, 180))
                found["lat"] = self._try(row, "lat", cell, read=lambda c: cells.coordinate(c, 90))
            else:
                found |= {"lon": None, "lat": None}
        if "geometry" in cell:
            found["geometry"] = self._try(row, "geometry", cell, read=cells.geometry) if cell["geometry"] else None
        return found

    def _attributes(self, row: Row, cell: Mapping[str, str], prefix: str, cls: ObjectClass | None) -> dict[str, Any]:
        """Typed values by name; an empty cell is None and takes the attribute away."""
        found: dict[str, Any] = {}
        for column, value in cell.items():
            if not column.startswith(prefix):
                continue
            name = column.removeprefix(prefix)
            if cls is None and prefix == "attr.":
                found[name] = value or None  # typed when the registry has said of which class the object is
                continue
            known = cls.find(name) if cls else None
            found[name] = self._try(row, column, cell, read=_reader(known)) if value else None
        return found


def _reader(known: Attribute | None) -> Callable[[str], Any]:
    return lambda cell: cells.attribute(cell, known)
