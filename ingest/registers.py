"""How the registers of meters count: exchanges, factors, where they roll over. Used by rollups.py."""

from collections import defaultdict
from pathlib import Path

from citynet import catalog, db
from citynet.catalog import Profile
from citynet.db import Connection, Row
from ingest.consumption import Register, Swap
from ingest.table import microseconds

SQL = db.named_sql(Path(__file__).with_name("rollups.sql"))


async def registers_of(conn: Connection, counting: list[Row]) -> dict[int, Register]:
    """How each of these series counts: its exchanges, what its meters are multiplied by, and where they roll over."""
    ids, objects = [row["series_id"] for row in counting], list({row["object_id"] for row in counting})
    swaps: dict[int, list[Swap]] = defaultdict(list)
    for row in await (await conn.execute(SQL["swaps"], {"ids": ids})).fetchall():
        swaps[row["series_id"]].append(Swap(microseconds(row["at"]), row["final"], row["initial"]))
    meters: dict[int, list[Row]] = defaultdict(list)
    for row in await (await conn.execute(SQL["meters"], {"objects": objects})).fetchall():
        meters[row["object_id"]].append(row)
    names = list({row["profile"] for rows in meters.values() for row in rows if row["profile"]})
    found = await (await conn.execute(SQL["profiles"], {"names": names})).fetchall()
    profiles = {row["name"]: Profile.model_validate(row["body"]) for row in found}
    return {
        row["series_id"]: Register(
            wraps=_wraps(row, profiles, meters[row["object_id"]]),
            swaps=swaps[row["series_id"]],
            factors=_factors(meters[row["object_id"]]),
        )
        for row in counting
    }


def _wraps(series: Row, profiles: dict[str, Profile], meters: list[Row]) -> float | None:
    """Where the register of the meter that is there now starts again, in the unit of the series."""
    profile = profiles.get(meters[-1]["profile"]) if meters else None
    place = (series["quantity"], series["channel"])
    for mapping in profile.map.values() if profile else ():
        if (mapping.quantity, mapping.channel) == place and mapping.wraps is not None:
            line = mapping.line(catalog.catalog().quantities[mapping.quantity].unit)
            return float(line.factor) * mapping.wraps
    return None


def _factors(meters: list[Row]) -> list[tuple[int, float]]:
    """From when on the register of a point is multiplied by what."""
    return [(microseconds(row["valid_from"]), _number(row["ratio"]) * _number(row["weight"])) for row in meters]


def _number(told: object) -> float:
    usable = isinstance(told, (int, float)) and not isinstance(told, bool) and 0 < told < float("inf")
    return float(told) if usable else 1.0  # type: ignore[arg-type]
