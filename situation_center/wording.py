"""All words that people read: texts/{ru,en}.toml with plural forms, numbers, units and moments of the city's zone.

Called by the shell, the screens and the sign-in page.
"""

import tomllib
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

TEXTS = Path(__file__).with_name("texts")
LANGUAGES = ("ru", "en")
MONTHS = {
    "ru": ["янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"],
    "en": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
}


@cache
def texts(language: str) -> dict[str, Any]:
    """The catalogue of one language: tables of words."""
    return tomllib.loads((TEXTS / f"{language}.toml").read_text(encoding="utf-8"))


def say(language: str, key: str, **values: object) -> str:
    """The text "table.word" with {values} filled in. A missing key is a KeyError: a test walks them all."""
    table, _, word = key.partition(".")
    text = str(texts(language)[table][word])
    return text.format(**values) if values else text


def word(language: str, table: str, name: str) -> str:
    """A word of a table that is open to plug-ins (units, classes, reasons): the name itself where nobody wrote one."""
    return str(texts(language).get(table, {}).get(name, name))


def name_of(language: str, actor: str) -> str:
    """The login of a person; a part of citynet by what it is."""
    kind, _, name = actor.partition(":")
    return word(language, "actor", name) if kind == "part" else name or actor


def plural_form(language: str, n: int) -> str:
    """one, few or many: 1 объект, 3 объекта, 5 объектов; English knows one and many."""
    if language == "en":
        return "one" if n == 1 else "many"
    if n % 10 == 1 and n % 100 != 11:
        return "one"
    return "few" if n % 10 in (2, 3, 4) and n % 100 not in (12, 13, 14) else "many"


def count(language: str, noun: str, n: int) -> str:
    """A number with its noun in the right form."""
    return f"{integer(language, n)} {texts(language)['plural'][noun][plural_form(language, n)]}"


def integer(language: str, n: int) -> str:
    """12 345 in Russian, 12,345 in English."""
    return f"{n:,}".replace(",", "\u202f" if language == "ru" else ",")


def number(language: str, value: float | None, digits: int | None = None) -> str:
    """A measured value: about three significant digits, a dash where there is none."""
    if value is None:
        return "—"
    size = abs(value)
    places = digits if digits is not None else 0 if size >= 100 else 1 if size >= 10 else 2
    text = f"{value:,.{places}f}"
    text = text.rstrip("0").rstrip(".") if "." in text and digits is None else text
    text = "0" if text in ("-0", "") else text
    return text.replace(",", "\u202f").replace(".", ",") if language == "ru" else text


def unit(language: str, ucum: str) -> str:
    """How people write a UCUM unit: m3/h is м³/ч."""
    return word(language, "unit", ucum)


def measured(language: str, value: float | None, ucum: str) -> str:
    """Value and unit."""
    return f"{number(language, value)} {unit(language, ucum)}".strip()


def clock_time(moment: datetime | None, zone: ZoneInfo) -> str:
    """14:05:09 in the city's zone."""
    return moment.astimezone(zone).strftime("%H:%M:%S") if moment else "—"


def zone_name(moment: datetime, zone: ZoneInfo) -> str:
    """UTC+3 or UTC−3:30: how the zone stands then, in every language."""
    minutes = int((moment.astimezone(zone).utcoffset() or timedelta()).total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'−' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''}"


def date_time(language: str, moment: datetime | None, zone: ZoneInfo) -> str:
    """21 ноя, 14:05 in the city's zone."""
    if moment is None:
        return "—"
    local = moment.astimezone(zone)
    return f"{local.day} {MONTHS[language][local.month - 1]}, {local:%H:%M}"


def span(language: str, length: timedelta) -> str:
    """45 с, 12 мин, 3 ч 20 мин, 2 д 4 ч."""
    s = int(abs(length.total_seconds()))
    names = texts(language)["span"]
    if s < 60:
        return f"{s} {names['s']}"
    if s < 3600:
        return f"{s // 60} {names['min']}"
    if s < 86400:
        return f"{s // 3600} {names['h']} {s % 3600 // 60} {names['min']}"
    return f"{s // 86400} {names['d']} {s % 86400 // 3600} {names['h']}"


def milliseconds(moment: datetime | None) -> int | None:
    """Epoch milliseconds, as the browser counts."""
    return int(moment.timestamp() * 1000) if moment else None
