"""Units and states of a value: what the output says, what a bare number may be. Used by reading.py."""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from citynet import catalog, units
from citynet.units import Line
from gateway.normalise.leaves import Leaf, number_of
from gateway.normalise.matching import Match, Words, assumed, guessed
from gateway.normalise.naming import Spread, naming, usual
from gateway.normalise.words import is_unit, words


def told_unit(leaf: Leaf, said: Words, quantity: str) -> str:
    """The unit that the output itself names for a quantity; "" when it names none."""
    if leaf.unit:
        return leaf.unit
    parsed = number_of(leaf.value)
    if parsed and parsed[1]:
        return parsed[1]
    wanted = catalog.catalog().quantities[quantity].unit
    for word in reversed(said.spelt):
        found = units.find(word) if not word.isdigit() else None
        if found and _line(found.code, wanted, quantity):
            return found.code
        if _is_other_unit(word):
            return ""  # "ph_mV": the acid of the name is no unit of the number
    return ""


def measures(match: Match, leaf: Leaf, said: Words, *, guess: bool = False) -> Iterator[tuple[Match, str, Line]]:
    """Ways to read a number as the quantity of a rule: its unit and the conversion; by the guesses if need be."""
    parsed = number_of(leaf.value)
    if parsed is None or isinstance(leaf.value, bool) or not math.isfinite(parsed[0]):
        return
    if parsed[0] in (0, 1) and naming().detected & set(said.own):
        return
    if naming().codes & (set(said.own) - match.phrase):
        return
    numbers, wanted = leaf.spread or Spread.of(parsed[0]), catalog.catalog().quantities[match.rule.quantity].unit
    told = told_unit(leaf, said, match.rule.quantity)
    if not told and _other_unit(said, match):
        return  # "oxygen_mgL" is no share
    given = [told] if told else [way.unit for way in (guessed if guess else assumed)(match, numbers)]
    for unit in given:
        line = _line(unit, wanted, match.rule.quantity)
        if line is None:
            continue
        limits = None if guess else match.rule.plausible
        if limits is None or (limits[0] <= line(numbers.low) and line(numbers.high) <= limits[1]):
            found = units.find(unit)
            yield match, found.code if found else unit, line


def _other_unit(said: Words, match: Match) -> bool:
    """Whether the key holds a unit, which then is one of something else: "ph_mV" is no pH. "min" may be a minimum."""
    return any(_is_other_unit(word) and usual(word) not in match.phrase for word in said.spelt)


def _is_other_unit(word: str) -> bool:
    return len(word) > 1 and is_unit(word) and usual(word) not in naming().neutral | naming().statistics


@lru_cache(maxsize=4_096)
def takes(quantity: str, given: units.Unit | None) -> bool:
    """Whether values of a quantity may come in a unit."""
    wanted = catalog.catalog().quantities[quantity].unit
    return given is None or wanted == "1" or units.line(given.code, wanted, quantity) is not None


@lru_cache(maxsize=4_096)
def _line(given: str, wanted: str, quantity: str) -> Line | None:
    if wanted == "1" and units.find(given) is None:
        return Line()  # "count", "pulses", "index": names of things that have no unit
    line = units.line(given, wanted, quantity)
    if line and quantity == "heat_temperature_difference":
        return Line(line.factor)  # 3 Cel warmer are 3 K, not 276 K
    return line


def state_of(value: Any, numbers: Spread | None = None) -> float | None:
    """0 or 1 of what a value says; a number is a state only where all of its kind are 0 or 1."""
    if isinstance(value, (int, float)) and numbers and not (numbers.whole and 0 <= numbers.low <= numbers.high <= 1):
        return None
    if isinstance(value, bool) or (isinstance(value, (int, float)) and value in (0, 1)):
        return float(value)
    if not isinstance(value, str):
        return None
    text = " ".join(words(value)).casefold()
    found = naming().states.get(text)
    return naming().states.get(value.strip().casefold()) if found is None else found
