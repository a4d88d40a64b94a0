"""The columns of a registry file: their names in both languages, and what of a header cannot be understood. Pure."""

import difflib
from dataclasses import dataclass

COLUMNS = (
    "key", "class", "name_ru", "name_en", "service", "org", "parent", "lon", "lat", "geometry", "address", "tags",
    "life_cycle", "external_id", "profile", "protocol", "since",
)  # fmt: skip
ALIASES = {
    "name": "name_ru", "название": "name_ru", "имя": "name_ru", "наименование": "name_ru", "ключ": "key",
    "код": "key", "класс": "class", "тип": "class", "вид": "class", "служба": "service", "сервис": "service",
    "организация": "org", "родитель": "parent", "долгота": "lon", "longitude": "lon", "lng": "lon", "широта": "lat",
    "latitude": "lat", "адрес": "address", "метки": "tags", "теги": "tags", "состояние": "life_cycle",
    "status": "life_cycle", "eui": "external_id", "deveui": "external_id", "dev_eui": "external_id",
    "device_id": "external_id", "идентификатор": "external_id", "профиль": "profile", "протокол": "protocol",
    "с": "since", "дата": "since",
    "installed": "since", "установлен": "since",
}  # fmt: skip
PREFIXES = ("attr.", "device.")


@dataclass(frozen=True)
class Reject:
    """One fault: line 1 is the header; name is the column; reason a word that both languages explain."""

    line: int
    name: str
    reason: str
    value: str


def header(columns: list[str]) -> tuple[list[str], list[Reject]]:
    """The meaning of each column, and what cannot be understood."""
    names = [_meaning(c) for c in columns]
    faults = [
        Reject(1, title, "unknown_column", _nearest(title))
        for title, name in zip(columns, names, strict=True)
        if name not in COLUMNS and not _attribute_column(name)
    ]
    faults += [Reject(1, n, "duplicate_column", n) for n in dict.fromkeys(names) if names.count(n) > 1]
    if not {"key", "external_id"} & set(names):
        faults.append(Reject(1, "key", "missing_column", "key, external_id"))
    if ("lon" in names) != ("lat" in names):
        faults.append(Reject(1, "lon", "missing_column", "lon, lat"))
    return names, faults


def _meaning(title: str) -> str:
    plain = title.strip().lower().replace(" ", "_")
    head, dot, rest = title.strip().partition(".")
    if dot and f"{head.lower()}." in PREFIXES:
        return f"{head.lower()}.{rest}"
    return ALIASES.get(plain, plain)


def _attribute_column(name: str) -> bool:
    rest = name.partition(".")[2]
    return name.startswith(PREFIXES) and 0 < len(rest) <= 100 and rest.isprintable() and rest not in COLUMNS


def _nearest(title: str) -> str:
    known = [*COLUMNS, *ALIASES]
    found = difflib.get_close_matches(title.strip().lower(), known, 1)
    return f"{title[:40]} -> {found[0]}?" if found else title[:40]
