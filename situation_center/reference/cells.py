"""What a cell of a registry file means, and how a value is written into one. Pure; used by import and export."""

import json
import math
import re
from datetime import UTC, datetime, tzinfo
from typing import Any

import numpy as np
import shapely
from shapely.errors import ShapelyError

from citynet.classes import Attribute
from citynet.errors import BadInput

KEEP = "~"  # leaves what is there
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
TAGS_MAX, TAG_MAX, NAME_MAX = 20, 50, 200
JSON_MAX = 100_000
YES, NO = ("true", "yes", "да", "1"), ("false", "no", "нет", "0")
RUSSIAN_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?")
RADIO = ("chirpstack",)  # protocols whose devices are known by an EUI; The Things Stack names them as it likes
EUI = re.compile(r"[0-9a-f]{16}")
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
WHOLE_DIGITS = 18  # more do not fit into 64 bits


def text(cell: str, limit: int = NAME_MAX) -> str:
    """Words for people. Raises BadInput (bad_text)."""
    if len(cell) > limit or not cell.isprintable():
        raise BadInput("bad_text", cell[:80])
    return cell


def coordinate(cell: str, limit: float) -> float:
    """Degrees, with a decimal point or comma. Raises BadInput (bad_coordinates)."""
    try:
        value = float(cell.replace(",", "."))
    except ValueError as error:
        raise BadInput("bad_coordinates", cell[:40]) from error
    if not -limit <= value <= limit:
        raise BadInput("bad_coordinates", cell[:40])
    return value


def moment(cell: str, zone: tzinfo) -> datetime:
    """ISO 8601 or dd.mm.yyyy; without a zone it is the city's. Raises BadInput (bad_date)."""
    russian = RUSSIAN_DATE.fullmatch(cell)
    try:
        if russian:
            day, month, year, *clock = (int(n or 0) for n in russian.groups())
            made = datetime(year, month, day, clock[0], clock[1], clock[2], tzinfo=zone)
        else:
            made = datetime.fromisoformat(cell)
    except ValueError as error:
        raise BadInput("bad_date", cell[:40]) from error
    made = (made if made.tzinfo else made.replace(tzinfo=zone)).astimezone(UTC)
    if not FIRST <= made < LAST:
        raise BadInput("bad_date", cell[:40])
    return made


def words(cell: str) -> list[str]:
    """What commas, semicolons or bars divide, each once."""
    return list(dict.fromkeys(w for w in (part.strip() for part in re.split("[,;|]", cell)) if w))


def tags(cell: str) -> list[str]:
    """A few short words. Raises BadInput (bad_tags)."""
    found = words(cell)
    if len(found) > TAGS_MAX or any(len(w) > TAG_MAX or not w.isprintable() for w in found):
        raise BadInput("bad_tags", cell[:80])
    return found


def geometry(cell: str) -> bytes:
    """WKB of a WKT geometry on Earth. Raises BadInput (bad_geometry)."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # a number beyond all numbers: infinite, refused below
            made = shapely.from_wkt(cell)
    except ShapelyError as error:
        raise BadInput("bad_geometry", cell[:40]) from error
    if made is None or made.is_empty or not made.is_valid:
        raise BadInput("bad_geometry", cell[:40])
    west, south, east, north = made.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise BadInput("bad_geometry", cell[:40])
    return bytes(shapely.to_wkb(made))


def external_id(cell: str, *, radio: bool) -> str:
    """The name of a device on the wire; an EUI of a LoRaWAN network in its usual form. Raises BadInput."""
    if re.fullmatch(r"[\d.,]+[eE]\+\d+", cell):
        raise BadInput("number_not_text", cell[:40])
    plain = re.sub(r"[\s:.-]", "", cell).lower()
    if radio and EUI.fullmatch(plain):
        return plain
    if not re.fullmatch(r"[^\s/*>+#\x00-\x1f]{1,100}", cell):
        raise BadInput("bad_identifier", cell[:40])
    return cell


def attribute(cell: str, known: Attribute | None) -> Any:
    """A typed value; of an unknown attribute what its JSON says, else text. Raises BadInput (bad_attribute)."""
    if known is None or known.type in ("geometry", "list"):
        return loose(cell)
    if known.type == "number":
        try:
            value = float(cell.replace(",", "."))
        except ValueError as error:
            raise BadInput("bad_attribute", cell[:80]) from error
        if not math.isfinite(value):
            raise BadInput("bad_attribute", cell[:80])
        return int(value) if value.is_integer() and abs(value) < 1e15 and not re.search("[eE]", cell) else value
    if known.type == "bool":
        if cell.lower() not in YES + NO:
            raise BadInput("bad_attribute", cell[:80])
        return cell.lower() in YES
    if known.type == "date":
        return cell[:10] if re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00", cell) else _day(cell)
    return cell


def _day(cell: str) -> str:
    found = RUSSIAN_DATE.fullmatch(cell)
    return f"{found[3]}-{int(found[2]):02}-{int(found[1]):02}" if found else cell


def loose(cell: str) -> Any:
    """What the JSON of a cell says, else its text. Raises BadInput (bad_attribute) for what no database keeps."""
    if len(cell) > JSON_MAX or "\\u0000" in cell:
        raise BadInput("bad_attribute", f"{len(cell)} characters")
    try:
        found = json.loads(cell, parse_constant=_no_constant, parse_int=_whole, parse_float=_finite)
    except (ValueError, RecursionError):
        return cell
    if SURROGATE.search(cell) and any(0xD800 <= ord(c) < 0xE000 for c in json.dumps(found, ensure_ascii=False)):
        raise BadInput("bad_attribute", "half of a character")
    return found


def _no_constant(name: str) -> Any:
    raise BadInput("bad_attribute", name)


def _whole(text: str) -> int:
    if len(text) > WHOLE_DIGITS:
        raise BadInput("bad_attribute", f"{text[:40]}..")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadInput("bad_attribute", text[:40])
    return value
