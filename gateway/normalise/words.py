"""Keys cut into words, and the table schemas/naming.toml that gives words their meaning. Used by the proposer."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from citynet import units
from citynet.errors import ConfigError
from schemas import ROOT

# Letters with digits that are one word, whatever stands around them.
ONE_WORD = re.compile(
    r"(?i)(?P<pm>pm[ _.-]?(?:2[ _.,p]?5|10(?![0-9])(?:[_.]0)?|1(?![0-9])(?:[_.]0)?|4(?![0-9])(?:[_.]0)?))|"
    r"(?:e?co2|no2|so2|h2s|nh3|ch4|ch2o|(?<![a-z])o[23](?![a-z]))(?!\d)|"
    r"ds18b20|pt1000?|sht\d+x?|bme\d+|scd\d+|4[_-]20 ?ma"
)
PIECE = re.compile(r"[A-ZА-Я]+(?=[A-ZА-Я][a-zа-я])|[A-ZА-Я]?[a-zа-яäöüéèàß]+|[A-ZА-Я]+|\d+|[°℃℉%µμ²³Ω/⋅]+")
WORD_LENGTH_MIN = 3
WORDS_MAX = 24


@dataclass(frozen=True)
class Assumed:
    """A unit that a bare number within low..high has; form: "whole", "fraction" or any."""

    unit: str
    low: float
    high: float
    form: str = ""

    def fits(self, value: float) -> bool:
        """Whether a bare number has this unit."""
        whole = value == int(value)
        return self.low <= value <= self.high and self.form in ("", "whole" if whole else "fraction")


@dataclass(frozen=True)
class Rule:
    """One [[rule]] of the table."""

    quantity: str
    phrases: tuple[tuple[frozenset[str], bool], ...]
    assume: tuple[Assumed, ...] = ()
    assume_only: frozenset[frozenset[str]] = frozenset()
    plausible: tuple[float, float] | None = None
    near: frozenset[str] = frozenset()
    fallback: str = ""
    weak: bool = False
    code: bool = False


@dataclass(frozen=True)
class Naming:
    """The whole table, compiled. index: word -> rules with a phrase that has it."""

    same: dict[str, str]
    known: frozenset[str]
    neutral: frozenset[str]
    statistics: frozenset[str]
    blocking: frozenset[str]
    history: frozenset[str]
    states: dict[str, float]
    rules: tuple[Rule, ...]
    things_stack: dict[str, list[str]]


def _phrase(text: str) -> tuple[frozenset[str], bool]:
    return frozenset(text.rstrip("!").split()), text.endswith("!")


def _rule(body: dict[str, Any]) -> Rule:
    phrases = tuple(_phrase(text) for text in body["phrases"])
    assumed = tuple(Assumed(units.unit(u).code, low, high, *rest) for u, low, high, *rest in body.get("assume", []))
    limits = body.get("plausible")
    return Rule(
        body["quantity"],
        phrases,
        assumed,
        frozenset(_phrase(text)[0] for text in body.get("assume_only", [])),
        (limits[0], limits[1]) if limits else None,
        frozenset(body.get("near", [])),
        body.get("fallback", ""),
        body.get("weak", False),
        body.get("code", False),
    )


@cache
def naming() -> Naming:
    """The compiled table. Raises ConfigError when it is not what its head describes."""
    try:
        raw = tomllib.loads((ROOT / "naming.toml").read_text(encoding="utf-8"))
        same = {other: word for word, others in raw["same"].items() for other in others}
        rules = tuple(_rule(body) for body in raw["rule"])
        told = raw["words"]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"schemas/naming.toml: {error!r}") from error
    known = {word for rule in rules for phrase, _ in rule.phrases for word in phrase} | set(same) | set(raw["same"])
    listed = set(told["neutral"]) | set(told["blocking"]) | set(told["statistics"])
    return Naming(
        same,
        frozenset(known | listed),
        frozenset(told["neutral"]),
        frozenset(told["statistics"]),
        frozenset(told["blocking"]),
        frozenset(told["history"]),
        {word: 1.0 for word in told["true"]} | {word: 0.0 for word in told["false"]},
        rules,
        raw["things_stack"],
    )


@lru_cache(maxsize=20_000)
def words(key: str) -> tuple[str, ...]:
    """The words of a key as they are spelt, lower case: "TempC_SHT20" -> temp, c, sht20; "pm2_5" -> pm25."""
    found: list[str] = []
    start = 0
    for match in ONE_WORD.finditer(key):
        found += PIECE.findall(key[start : match.start()])
        found.append(_particles(match[0]) if match["pm"] else re.sub(r"[^a-z0-9]", "", match[0].lower()))
        start = match.end()
    found += PIECE.findall(key[start:])
    return tuple(word for piece in _units_joined(found[:WORDS_MAX]) for word in _split(piece))


def _particles(text: str) -> str:
    """The word of a particle size: "PM2.5", "pm2_5" and "pm25" are pm25; "pm1_0" is pm1, "pm10" is pm10."""
    digits = re.findall(r"\d+", text)
    return "pm25" if digits[0] in ("2", "25") else f"pm{digits[0]}"


def _units_joined(pieces: list[str]) -> list[str]:
    """Pieces of one unit put together again: k + Wh, m + V, m + 3 + h. The first piece is never part of a unit."""
    result: list[str] = []
    at = 0
    while at < len(pieces):
        for length in (4, 3, 2):
            joined = "".join(pieces[at : at + length])
            if at and at + length <= len(pieces) and len(joined) < 8 and not joined.isdigit() and is_unit(joined):
                break
        else:
            length, joined = 1, pieces[at]
        result.append(joined)
        at += length
    return result


# One letter and a digit are rather a phase, a tariff or a channel than a unit.
NOT_UNITS = frozenset({"1", "/", "t", "d", "g", "s", "m", "h", "l1", "l2", "l3"})


@lru_cache(maxsize=20_000)
def is_unit(text: str) -> bool:
    """Whether a piece of a key may be a unit."""
    return text.casefold() not in NOT_UNITS and not text.isdigit() and units.find(text) is not None


def _split(piece: str) -> tuple[str, ...]:
    """One word, or two known words written together: "soilmoisture"."""
    word, table = piece.casefold(), naming()
    if word in table.known or len(word) < 2 * WORD_LENGTH_MIN or is_unit(piece):
        return (piece if is_unit(piece) else word,)
    for at in range(WORD_LENGTH_MIN, len(word) - WORD_LENGTH_MIN + 1):
        if word[:at] in table.known and word[at:] in table.known:
            return word[:at], word[at:]
    return (word,)


def usual(word: str) -> str:
    """The usual form of a word."""
    low = word.casefold()
    return naming().same.get(low, low)
