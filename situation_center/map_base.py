"""The base map as GeoJSON: streets, shores, networks from the registry, kept packed until it changes."""

import gzip
import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
import shapely

from citynet import registry
from citynet.access import Actor, allowed, require
from citynet.db import Database, Row
from situation_center.map_feed import SQL

# What web/src/style.js draws.
CLASSES = (
    "land", "water", "coast", "port", "park", "green", "building", "street", "pipe", "feeder", "heat_main", "district",
)  # fmt: skip
KEPT_MAX = 16


@dataclass(frozen=True)
class Packed:
    """The answer, compressed once; etag changes with it."""

    etag: str
    body: bytes


class BaseMap:
    """Base maps by what a viewer may see of them; usually all see the same one."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Any, ...], Packed] = {}

    async def get(self, db: Database, actor: Actor) -> Packed:
        """The base map of a viewer, packed anew when the registry has changed. Needs screen.open."""
        require(actor, "screen.open")
        row = await db.row(registry.SQL["revision"])
        key = (row and row["objects"], actor.services, actor.zone_ids)
        if key not in self._kept:
            rows = await db.rows(SQL["base"], {"classes": list(CLASSES)})
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            self._kept[key] = pack([r for r in rows if r["service"] is None or allowed(actor, "screen.open", r)])
        return self._kept[key]


def pack(rows: list[Row]) -> Packed:
    """A FeatureCollection of rows with WKB geometry."""
    data = msgspec.json.encode({"type": "FeatureCollection", "features": [_feature(row) for row in rows]})
    return Packed(etag=f'"{hashlib.sha256(data).hexdigest()[:20]}"', body=gzip.compress(data, 6))


def _feature(row: Row) -> dict[str, Any]:
    known = row["attributes"]
    properties = {
        "id": row["object_id"],
        "class": row["class"],
        "name_ru": row["name_ru"],
        "name_en": row["name_en"],
        "service": row["service"],
        "zone": row["zone_ids"][0] if row["zone_ids"] else None,
        **{name: known[name] for name in ("kind", "label") if name in known},
    }
    shape = shapely.to_geojson(shapely.from_wkb(bytes(row["geometry"])))
    return {"type": "Feature", "properties": properties, "geometry": msgspec.Raw(shape.encode())}
