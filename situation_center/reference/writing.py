"""How a value is written into a cell of a registry file, so that reading it gives the same value. Pure."""

import json
from datetime import UTC, datetime
from typing import Any

import shapely

from citynet.classes import Attribute
from situation_center.reference.cells import loose


def write_attribute(value: Any, known: Attribute | None) -> str:
    """The cell that attribute() reads back as the same value."""
    if value is None:
        return ""
    if isinstance(value, str) and (known is not None and known.type not in ("geometry", "list", "number", "bool")):
        return value
    if isinstance(value, str) and loose(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def write_geometry(stored: bytes | None) -> str:
    """WKT with all digits."""
    return "" if stored is None else str(shapely.to_wkt(shapely.from_wkb(bytes(stored)), rounding_precision=-1))


def write_moment(value: datetime) -> str:
    """ISO 8601 in UTC."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
