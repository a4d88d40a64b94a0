"""Reference data, read side: devices, series, objects, profiles, rules as one cached snapshot per part."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from citynet.catalog import Profile, Rule
from citynet.db import Database, Row, named_sql

SQL = named_sql(Path(__file__).with_name("registry.sql"))
SOME = named_sql(Path(__file__).with_name("registry_some.sql"))


@dataclass(frozen=True, slots=True)
class Device:
    """A device: how it is known on the wire, what it measures, which profile decodes it."""

    device_id: int
    external_id: str
    protocol: str
    profile: str
    point_id: int | None
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Series:
    """A series: what, of which object, in which unit."""

    series_id: int
    object_id: int
    quantity: str
    channel: str
    unit: str


@dataclass(frozen=True, slots=True)
class CityObject:
    """A living object of the city."""

    object_id: int
    uid: str
    key: str
    class_: str
    name_ru: str
    name_en: str
    service: str | None
    org_id: int | None
    parent_id: int | None
    lon: float | None
    lat: float | None
    zone_ids: list[int]
    attributes: dict[str, Any]

    def name(self, language: str) -> str:
        """Name in ru or en."""
        return self.name_ru if language == "ru" else self.name_en


@dataclass(frozen=True, slots=True)
class Script:
    """A payload codec in JavaScript: the newest version that a profile has."""

    version: int
    source: str


@dataclass(frozen=True)
class Registry:
    """One consistent snapshot of the reference data."""

    revision: tuple[Any, ...]
    devices: dict[str, Device] = field(default_factory=dict)
    series: dict[int, Series] = field(default_factory=dict)
    by_point: dict[tuple[int, str, str], int] = field(default_factory=dict)
    objects: dict[int, CityObject] = field(default_factory=dict)
    profiles: dict[str, tuple[int, Profile]] = field(default_factory=dict)
    rules: dict[str, tuple[int, Rule]] = field(default_factory=dict)
    codecs: dict[str, Script] = field(default_factory=dict)


def _device(row: Row) -> Device:
    return Device(
        row["device_id"],
        row["external_id"],
        row["protocol"],
        row["profile"],
        row["point_id"],
        row["attributes"],
    )


def _object(row: Row) -> CityObject:
    fields = {name: value for name, value in row.items() if name != "class"}
    return CityObject(class_=row["class"], **fields)


async def load(db: Database) -> Registry:
    """Read everything in one repeatable-read transaction."""
    async with db.pool.connection() as conn, conn.transaction():
        await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        rows: dict[str, list[Row]] = {}
        for name, query in SQL.items():
            rows[name] = await (await conn.execute(query)).fetchall()
    series = {row["series_id"]: Series(**row) for row in rows["series"]}
    return Registry(
        revision=tuple(rows["revision"][0].values()),
        devices={row["external_id"]: _device(row) for row in rows["devices"]},
        series=series,
        by_point={(s.object_id, s.quantity, s.channel): s.series_id for s in series.values()},
        objects={row["object_id"]: _object(row) for row in rows["objects"]},
        profiles={row["name"]: (row["version"], Profile.model_validate(row["body"])) for row in rows["profiles"]},
        rules={row["rule_id"]: (row["version"], Rule.model_validate(row["body"])) for row in rows["rules"]},
        codecs={row["profile"]: Script(row["version"], row["source"]) for row in rows["codecs"]},
    )


async def some(db: Database, *, devices: Sequence[str], keys: Sequence[str], gateways: Sequence[str]) -> Registry:
    """Devices and objects of these names alone, with owners and parents; nothing else of the registry."""
    given = {"devices": list(devices), "keys": list(keys), "gateways": list(gateways)}
    return Registry(
        revision=(),
        devices={row["external_id"]: _device(row) for row in await db.rows(SOME["devices"], given)},
        objects={row["object_id"]: _object(row) for row in await db.rows(SOME["objects"], given)},
    )


async def refresh(db: Database, known: Registry) -> Registry:
    """known when nothing changed since, else a new snapshot."""
    row = await db.row(SQL["revision"])
    if row and tuple(row.values()) == known.revision:
        return known
    return await load(db)
