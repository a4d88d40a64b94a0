"""Units and states of a value: what the output says, what a bare number may be. Used by reading.py."""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from citynet import catalog, units
from citynet.units import Line
from gateway.normalise.leaves import Leaf, number_of
from gateway.normalise.matching import Match, Words, assumed, guessed
from gateway.normalise.naming import naming
from gateway.normalise.words import words

# "light_detected": 1 is a state and no lux.
DETECTED = frozenset({"detected", "detection", "detector"})


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
    return ""


def measures(match: Match, leaf: Leaf, said: Words, *, guess: bool = False) -> Iterator[tuple[Match, str, Line]]:
    """Ways to read a number as the quantity of a rule: its unit and the conversion; by the guesses if need be."""
    parsed = number_of(leaf.value)
    if parsed is None or isinstance(leaf.value, bool) or not math.isfinite(parsed[0]):
        return
    if parsed[0] in (0, 1) and DETECTED & set(said.own):
        return
    value, wanted = parsed[0], catalog.catalog().quantities[match.rule.quantity].unit
    told = told_unit(leaf, said, match.rule.quantity)
    given = [told] if told else [way.unit for way in (guessed if guess else assumed)(match, value)]
    for unit in given:
        line = _line(unit, wanted, match.rule.quantity)
        if line is None:
            continue
        limits = None if guess else match.rule.plausible
        if limits is None or limits[0] <= line(value) <= limits[1]:
            found = units.find(unit)
            yield match, found.code if found else unit, line


@lru_cache(maxsize=4_096)
def _line(given: str, wanted: str, quantity: str) -> Line | None:
    if wanted == "1" and units.find(given) is None:
        return Line()  # "count", "pulses", "index": names of things that have no unit
    line = units.line(given, wanted, quantity)
    if line and quantity == "heat_temperature_difference":
        return Line(line.factor)  # 3 Cel warmer are 3 K, not 276 K
    return line


def state_of(value: Any) -> float | None:
    if isinstance(value, bool) or (isinstance(value, (int, float)) and value in (0, 1)):
        return float(value)
    if not isinstance(value, str):
        return None
    text = " ".join(words(value)).casefold()
    found = naming().states.get(text)
    return naming().states.get(value.strip().casefold()) if found is None else found
