"""The register of addresses: written in one way, found by what people type, nearest to a point. Called by the API."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from citynet.access import Actor, require
from citynet.db import Connection, Database, Row, named_sql
from citynet.errors import BadInput
from situation_center.reference import cells

SQL = named_sql(Path(__file__).with_name("addresses.sql"))
FOUND_MAX = 20
LIKENESS_MIN = 0.3
NEAR_M_MAX = 500.0
ADDED_MAX = 10_000
# What people write for the kinds of streets and for the words of a house; the register writes none of them.
STREETS = (
    "улица ул у|проспект просп пр-т пр-кт прт|переулок пер п-к|проезд пр-д прд|площадь пл|бульвар б-р бул бр|"
    "набережная наб|шоссе ш|тупик туп|аллея ал|street st str|avenue ave av|lane ln|square sq|road rd|embankment emb"
)
KINDS = {form: group.split()[0] for group in STREETS.split("|") for form in group.split()}
ONE_PART = re.compile(
    r"^(.*?\D)\s*((?:д\.?|дом)?\s*\d+\s*[а-яa-z]?(?:[/\\]\d+)?(?:\s*(?:к|корп|стр|с)\.?\s*\d+)?)$", re.I
)
HOUSE = re.compile(r"^(?:д|дом|house|№|n|no)?\.?\s*(\d+)\s*([а-яa-z]?)(?:\s*[/\\]\s*(\d+))?$")
PART = re.compile(r"^(к|корп|корпус|bld|с|стр|строение|лит|литера)\.?\s*([\dа-яa-z]+)$")
HOUSE_AND_PART = re.compile(r"^(?:д\.?|дом)?\s*\d+[а-яa-z]?\s*[а-яa-z]{1,8}\.?\s*\d+$")
PARTS = {"к": "к", "корп": "к", "корпус": "к", "bld": "к", "с": "с", "стр": "с", "строение": "с"}


@dataclass(frozen=True)
class Address:
    """An entry of the register. likeness 0 to 1 for a search, metres for the nearest."""

    address_id: int
    street: str
    house: str
    lon: float
    lat: float
    likeness: float | None = None
    metres: float | None = None


def _tidy(text: str) -> str:
    text = text.lower().replace("ё", "е").replace("«", "").replace("»", "").replace('"', "")
    return re.sub(r"\s+", " ", text).strip(" ,.")


def street_norm(text: str) -> str:
    """A street without the word of its kind where that says nothing: ул. Мира = Мира; пр-т Мира = проспект мира."""
    words = [w for w in re.split(r"[\s.]+", _tidy(text)) if w]
    kinds = [KINDS[w] for w in words if w in KINDS]
    rest = [w for w in words if w not in KINDS]
    kind = next((k for k in kinds if k not in ("улица", "street")), "")
    return " ".join([kind, *rest]).strip() if rest else " ".join(words)


def house_norm(text: str) -> str:
    """12, 12а, 12/3, 12к2, 12с1 however it was written."""
    parts = [p for p in re.split(r"[,;]|(?<=\d)\s+(?=[а-яa-z]+\.?\s*\d)", _tidy(text)) if p.strip()]
    out = ""
    for part in (p.strip(" .") for p in parts):
        house, more = HOUSE.match(part), PART.match(part)
        if house and not out:
            out = house[1] + (house[2] or "") + (f"/{house[3]}" if house[3] else "")
        elif more:
            out += PARTS.get(more[1], "лит") + more[2]
        else:
            out += part.replace(" ", "")
    return out


def _is_house(part: str) -> bool:
    plain = _tidy(part)
    return any(form.match(plain) for form in (HOUSE, PART, HOUSE_AND_PART))


def split(text: str) -> tuple[str, str]:
    """Street and house of an address in one line, both in normal form; the town before them is left out."""
    parts = [p.strip() for p in re.split(r"[,;]", text) if p.strip()]
    if len(parts) == 1 and (found := ONE_PART.match(parts[0])):
        parts = [found[1], found[2]]
    house: list[str] = []
    while len(parts) > 1 and _is_house(parts[-1]):
        house.insert(0, parts.pop())
    return street_norm(parts[-1]) if parts else "", house_norm(", ".join(house))


def norm(street: str, house: str) -> str:
    """The key of the register."""
    return f"{street_norm(street)}, {house_norm(house)}"


def _address(row: Row) -> Address:
    return Address(**row)


async def add(db: Database, actor: Actor, given: list[tuple[str, str, float, float]]) -> int:
    """Write addresses (street, house, lon, lat); the number of new or moved ones. Needs registry.write."""
    require(actor, "registry.write")
    if len(given) > ADDED_MAX:
        raise BadInput("too_many_rows", f"at most {ADDED_MAX} addresses at once")
    rows = {}
    for street, house, lon, lat in given:
        if not street.strip() or not house.strip():
            raise BadInput("bad_address", f"{street}, {house}"[:100])
        where = (cells.coordinate(str(lon), 180), cells.coordinate(str(lat), 90))
        rows[norm(street, house)] = (cells.text(street.strip()), cells.text(house.strip()), *where)
    columns = [list(column) for column in zip(*rows.values(), strict=True)] or [[], [], [], []]
    named = dict(zip(("streets", "houses", "lons", "lats"), columns, strict=True)) | {"norms": list(rows)}
    detail = {"addresses": len(rows)}
    async with db.transaction(actor.name, action="address.write", detail=detail) as conn:
        return (await conn.execute(SQL["add"], named)).rowcount


async def search(db: Database, actor: Actor, text: str, *, limit: int = FOUND_MAX) -> list[Address]:
    """Addresses most like what was typed, the best first; a wrong letter does no harm. Needs registry.read."""
    require(actor, "registry.read")
    street, house = split(text.replace("\0", "")[:200])
    if not street:
        return []
    given = {"street": street, "house": house, "least": LIKENESS_MIN, "limit": min(max(limit, 1), FOUND_MAX)}
    return [_address(row) for row in await db.rows(SQL["search"], given)]


async def nearest(db: Database, actor: Actor, lon: float, *, lat: float) -> list[Address]:
    """The nearest addresses within 500 m. Needs registry.read."""
    require(actor, "registry.read")
    given = {
        "lon": cells.coordinate(str(lon), 180),
        "lat": cells.coordinate(str(lat), 90),
        "metres": NEAR_M_MAX,
        "limit": 5,
    }
    return [_address(row) for row in await db.rows(SQL["nearest"], given)]


async def points(conn: Connection, texts: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Longitude and latitude of addresses in one line that the register has; the others are left out."""
    norms = {text: ", ".join(split(text)) for text in texts}
    rows = await (await conn.execute(SQL["exact"], {"norms": list(set(norms.values()))})).fetchall()
    known = {row["norm"]: (row["lon"], row["lat"]) for row in rows}
    return {text: known[norm_] for text, norm_ in norms.items() if norm_ in known}
