"""The table schemas/naming.toml that gives words their meaning, compiled. Used by words.py and the proposer."""

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from citynet import units
from citynet.errors import ConfigError
from schemas import ROOT


@dataclass(frozen=True, slots=True)
class Spread:
    """What all numbers of one value are like: one output's number, or those of many outputs of a device."""

    low: float
    high: float
    whole: bool

    @classmethod
    def of(cls, value: float) -> "Spread":
        """Of one number."""
        return cls(value, value, value.is_integer())

    def wider(self, value: float) -> "Spread":
        """With one number more."""
        return Spread(min(self.low, value), max(self.high, value), self.whole and value.is_integer())


@dataclass(frozen=True)
class Assumed:
    """A unit that a bare number within low..high has; form: "whole", "fraction" or any."""

    unit: str
    low: float
    high: float
    form: str = ""

    def fits(self, numbers: "Spread") -> bool:
        """Whether bare numbers have this unit."""
        form = "whole" if numbers.whole else "fraction"
        return self.low <= numbers.low and numbers.high <= self.high and self.form in ("", form)


@dataclass(frozen=True)
class Rule:
    """One [[rule]] of the table."""

    quantity: str
    phrases: tuple[frozenset[str], ...]
    assume: tuple[Assumed, ...] = ()
    assume_only: frozenset[frozenset[str]] = frozenset()
    usual: tuple[Assumed, ...] | None = None
    plausible: tuple[float, float] | None = None
    near: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    fallback: str = ""
    weak: bool = False
    keep: frozenset[str] = frozenset()
    code: bool = False
    alone: bool = False
    invert: bool = False


@dataclass(frozen=True)
class Naming:
    """The whole table, compiled. index: word -> rules with a phrase that has it."""

    same: dict[str, str]
    known: frozenset[str]
    neutral: frozenset[str]
    statistics: frozenset[str]
    blocking: frozenset[str]
    blocking_above: frozenset[str]
    alarms: frozenset[str]
    history: frozenset[str]
    states: dict[str, float]
    rules: tuple[Rule, ...]
    foreign: frozenset[str]
    things_stack: dict[str, list[str]]
    guess: dict[str, tuple[Assumed, ...]]
    detected: frozenset[str]
    phases: frozenset[str]
    codes: frozenset[str]
    wrapping: frozenset[str]
    medium_keys: frozenset[str]
    medium: dict[str, str]
    moment: frozenset[str]
    by_unit: dict[str, str]
    numbered: dict[str, dict[str, str]]
    obis: dict[str, str]
    inferred: dict[str, tuple[frozenset[str], ...]]


def _phrase(text: str, same: dict[str, str]) -> frozenset[str]:
    return frozenset(same.get(word, word) for word in text.split())


def _assumed(ways: list[Any]) -> tuple[Assumed, ...]:
    return tuple(Assumed(units.unit(u).code, low, high, *rest) for u, low, high, *rest in ways)


def _rule(body: dict[str, Any], same: dict[str, str]) -> Rule:
    phrases = tuple(_phrase(text, same) for text in body["phrases"])
    limits = body.get("plausible")
    return Rule(
        body["quantity"],
        phrases,
        _assumed(body.get("assume", [])),
        frozenset(_phrase(text, same) for text in body.get("assume_only", [])),
        _assumed(body["usual"]) if "usual" in body else None,
        (limits[0], limits[1]) if limits else None,
        frozenset(body.get("near", [])),
        frozenset(body.get("without", [])),
        body.get("fallback", ""),
        body.get("weak", False),
        frozenset(body.get("keep", [])),
        body.get("code", False),
        body.get("alone", False),
        body.get("invert", False),
    )


@cache
def naming() -> Naming:
    """The compiled table. Raises ConfigError when it is not what its head describes."""
    try:
        raw = tomllib.loads((ROOT / "naming.toml").read_text(encoding="utf-8"))
        same = {other: word for word, others in raw["same"].items() for other in others}
        rules = tuple(_rule(body, same) for body in raw["rule"])
        told = raw["words"]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"schemas/naming.toml: {error!r}") from error
    known = {word for rule in rules for phrase in rule.phrases for word in phrase} | set(same) | set(raw["same"])
    listed = set(told["neutral"]) | set(told["blocking"]) | set(told["statistics"])
    return Naming(
        same,
        frozenset(known | listed),
        frozenset(told["neutral"]),
        frozenset(told["statistics"]),
        frozenset(told["blocking"]),
        frozenset(told["blocking_above"]),
        frozenset(told["alarms"]),
        frozenset(told["history"]),
        {word: 1.0 for word in told["true"]} | {word: 0.0 for word in told["false"]},
        rules,
        frozenset(told["foreign"]),
        raw["things_stack"],
        {quantity: _assumed(ways) for quantity, ways in raw["guess"].items()},
        frozenset(told["detected"]),
        frozenset(told["phases"]),
        frozenset(told["codes"]),
        frozenset(told["wrapping"]),
        frozenset(told["medium_keys"]),
        raw["medium"],
        frozenset(told["moment"]),
        raw["by_unit"],
        raw["numbered"],
        raw["obis"],
        {sector: tuple(_phrase(text, same) for text in told) for sector, told in raw["inferred"].items()},
    )


def usual(word: str) -> str:
    """The usual form of a word."""
    low = word.casefold()
    return naming().same.get(low, low)
