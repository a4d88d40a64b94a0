"""What the values of a decoded output are, from their names and units alone. Where that leaves a doubt it says so."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from citynet import catalog, units
from citynet.units import Line
from gateway.normalise.leaves import Leaf, leaves, number_of
from gateway.normalise.words import Assumed, Naming, Rule, is_unit, naming, usual, words

PLACES = frozenset({"internal", "external", "probe", "upper", "lower", "left", "right", "front", "rear", "x", "y", "z"})
STATISTICS = {"maximum": "max", "minimum": "min", "average": "avg"}
CHANNEL_MAX = 40


@dataclass(frozen=True, slots=True)
class Found:
    """A value that was understood: canonical = raw * factor + offset, or a state of a code quantity."""

    path: str
    quantity: str
    channel: str
    unit: str
    value: float
    given_unit: str = ""
    line: Line | None = None
    score: tuple[int, ...] = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A value that was not, and why."""

    path: str
    reason: str


class _Match(NamedTuple):
    score: tuple[int, ...]
    rule: Rule
    phrase: frozenset[str]


class _Words(NamedTuple):
    """Own and surrounding words of a leaf in their usual form; spelt: own ones as written, for units."""

    own: tuple[str, ...]
    above: tuple[str, ...]
    spelt: tuple[str, ...]


def _words(leaf: Leaf, table: Naming) -> _Words:
    own, above, spelt = tuple(usual(w) for w in leaf.own), tuple(usual(w) for w in leaf.above), leaf.own
    said = [w for w, s in zip(own, spelt, strict=True) if not (w in table.neutral or w in table.statistics or empty(s))]
    if not said:  # "temperature": {"value": ..}: the key around it says what it is
        own, above, spelt = above + own, (), leaf.above + spelt
    return _Words(own, above, spelt)


def empty(word: str) -> bool:
    """Whether a word is a number, a letter or a unit."""
    return word.isdigit() or len(word) == 1 or is_unit(word)


def _matches(said: _Words, bag: frozenset[str], table: Naming) -> list[_Match]:
    """The rules whose phrase fits best, all of equal rank."""
    own, everything = frozenset(said.own), frozenset(said.own + said.above)
    found: list[_Match] = []
    for rule in table.rules:
        if rule.near and not rule.near & bag:
            continue
        for phrase, _ in rule.phrases:
            if phrase <= everything and phrase & own and not _blocked(said, phrase, table):
                found.append(_Match((len(phrase), len(phrase & own)), rule, phrase))
    best = max((match.score for match in found), default=None)
    return [match for match in found if match.score == best]


def _blocked(said: _Words, phrase: frozenset[str], table: Naming) -> bool:
    left = (set(said.own) | set(said.above)) - phrase
    return bool(left & table.blocking)


def _assumed(match: _Match, value: float) -> list[Assumed]:
    rule = match.rule
    if rule.assume_only and match.phrase not in rule.assume_only:
        return []
    return [assumed for assumed in rule.assume if assumed.fits(value)]


def _told_unit(leaf: Leaf, said: _Words, quantity: str) -> str:
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


def _measures(match: _Match, leaf: Leaf, said: _Words) -> Iterator[tuple[_Match, str, Line]]:
    """Ways to read a number as the quantity of a rule: its unit and the conversion."""
    parsed = number_of(leaf.value)
    if parsed is None or isinstance(leaf.value, bool) or not math.isfinite(parsed[0]):
        return
    value, wanted = parsed[0], catalog.catalog().quantities[match.rule.quantity].unit
    told = _told_unit(leaf, said, match.rule.quantity)
    given = [told] if told else [a.unit for a in _assumed(match, value)]
    for unit in given:
        line = _line(unit, wanted, match.rule.quantity)
        if line is None:
            continue
        limits = match.rule.plausible
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


def _state(value: Any) -> float | None:
    if isinstance(value, bool) or (isinstance(value, (int, float)) and value in (0, 1)):
        return float(value)
    if not isinstance(value, str):
        return None
    text = " ".join(words(value)).casefold()
    found = naming().states.get(text)
    return naming().states.get(value.strip().casefold()) if found is None else found


def _channel(leaf: Leaf, said: _Words, match: _Match, *, unit: str) -> str:
    """What tells values of one quantity apart: other words of the key, numbers, places and statistics."""
    table = naming()
    skip = match.phrase | table.neutral
    kind = units.unit(unit).kind if units.find(unit) else ""
    parts = [w for w in said.above if w.isdigit() or w in PLACES]
    for word, spelt in zip(said.own, said.spelt, strict=True):
        found = units.find(spelt) if not spelt.isdigit() else None
        if word in skip or (found and found.kind == kind and word not in PLACES):
            continue
        parts.append(STATISTICS.get(word, word))
    if leaf.channel:
        parts.append("_".join(words(leaf.channel)) or leaf.channel)
    return "_".join(dict.fromkeys(_glued(parts)))[:CHANNEL_MAX]


def _glued(parts: list[str]) -> list[str]:
    """Letters with their number: l, 1 becomes l1."""
    result: list[str] = []
    for part in parts:
        if result and part.isdigit() and len(result[-1]) == 1 and result[-1].isalpha():
            result[-1] += part
        else:
            result.append(part.casefold())
    return result


def _unknown_words(said: _Words, match: _Match) -> bool:
    """Whether the key has words beside the phrase that may change its sense."""
    table = naming()
    left = [(w, s) for w, s in zip(said.own, said.spelt, strict=True) if w not in match.phrase]
    known = table.neutral | table.statistics | PLACES
    return any(w not in known and not empty(s) for w, s in left)


def _choose(leaf: Leaf, said: _Words, found: list[_Match]) -> Found | str:
    """The one reading of a leaf, or why there is none."""
    found = [match for match in found if match.rule.fallback or not _unclear(leaf, said, match)]
    if not found:
        return "an unknown word beside the name, and no unit"
    readings = [way for match in found for way in _measures(match, leaf, said) if not match.rule.code]
    strong = [way for way in readings if not way[0].rule.weak] or readings
    near = [way for way in strong if way[0].rule.near] or strong
    ways = {(_quantity(said, match), unit): (match, unit, line) for match, unit, line in near}
    states = {match.rule.quantity: match for match in found if match.rule.code}
    state = _state(leaf.value) if states else None
    if state is not None and len(states) == 1 and not ways:
        [(quantity, match)] = states.items()
        return Found(leaf.path, quantity, _channel(leaf, said, match, unit="1"), "1", state, score=match.score)
    if len(ways) > 1 or (ways and state is not None):
        return "ambiguous: " + " or ".join(sorted({q for q, _ in ways} | (set(states) if state is not None else set())))
    if not ways:
        return _why_not(leaf, found)
    [((quantity, unit), (match, _, line))] = ways.items()
    number = number_of(leaf.value)
    value = line(number[0]) if number else math.nan
    wanted = catalog.catalog().quantities[quantity].unit
    channel = _channel(leaf, said, match, unit=unit)
    return Found(leaf.path, quantity, channel, wanted, value, unit, line, match.score)


def _unclear(leaf: Leaf, said: _Words, match: _Match) -> bool:
    """One word of a phrase with an unknown word beside it and no unit: "light guide" is no light."""
    if len(match.phrase) > 1 or not _unknown_words(said, match):
        return False
    return match.rule.code or not _told_unit(leaf, said, match.rule.quantity)


def _quantity(said: _Words, match: _Match) -> str:
    return match.rule.fallback if match.rule.fallback and _unknown_words(said, match) else match.rule.quantity


def _why_not(leaf: Leaf, found: list[_Match]) -> str:
    names = " or ".join(sorted({match.rule.quantity for match in found}))
    number = number_of(leaf.value)
    if all(match.rule.code for match in found):
        return f"not a state of {names}"
    if number is None or isinstance(leaf.value, bool):
        return f"not a number: {names}"
    return f"wrong unit for {names}: {leaf.unit[:20]}" if leaf.unit else f"no unit, and the number fits none: {names}"


def _things_stack(leaf: Leaf, table: Naming) -> Found | None:
    """A value of the form that The Things Stack calls normalized."""
    told = table.things_stack.get(leaf.path[leaf.path.find("].") + 2 :] if leaf.path.startswith("[") else leaf.path)
    if told is None:
        return None
    quantity, unit, channel = told[0], told[1], (told[2:] or [""])[0]
    wanted = catalog.catalog().quantities[quantity]
    if wanted.kind == "code":
        state = _state(leaf.value)
        return None if state is None else Found(leaf.path, quantity, channel, "1", state, score=(9,))
    if isinstance(leaf.value, bool) or not isinstance(leaf.value, (int, float)) or not math.isfinite(leaf.value):
        return None
    line = units.line(unit, wanted.unit, quantity)
    if line is None or (wanted.min is not None and wanted.max is not None and not _within(line(leaf.value), wanted)):
        return None
    return Found(leaf.path, quantity, channel, wanted.unit, line(leaf.value), unit, line, (9,))


def _within(value: float, words_: catalog.Quantity) -> bool:
    return (words_.min is None or value >= words_.min) and (words_.max is None or value <= words_.max)


def _read(leaf: Leaf, bag: frozenset[str], table: Naming) -> Found | Unmapped:
    if leaf.value is None or (isinstance(leaf.value, float) and not math.isfinite(leaf.value)):
        return Unmapped(leaf.path, "no value")
    if leaf.past:
        return Unmapped(leaf.path, "of another moment")
    exact = _things_stack(leaf, table)
    if exact is not None:
        return exact
    said = _words(leaf, table)
    found = _matches(said, bag, table)
    if not found:
        left = (set(said.own) | set(said.above)) & table.blocking
        return Unmapped(leaf.path, f"not a measure: {' '.join(sorted(left))}" if left else "unknown name")
    chosen = _choose(leaf, said, found)
    return Unmapped(leaf.path, chosen) if isinstance(chosen, str) else chosen


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=0.01, abs_tol=0.06)


def _apart(found: list[Found]) -> Iterator[Found | Unmapped]:
    """One value a quantity and channel: equal ones are said once, different ones by the better name or not at all."""
    by_series: dict[tuple[str, str], list[Found]] = {}
    for one in found:
        by_series.setdefault((one.quantity, one.channel), []).append(one)
    for group in by_series.values():
        first = max(group, key=lambda one: one.score)  # the first of equals
        rivals = [one for one in group if not _same(one.value, first.value)]
        if any(one.score == first.score for one in rivals):
            paths = ", ".join(one.path for one in group[:4])
            yield from (Unmapped(one.path, f"ambiguous: {one.quantity} several times: {paths}"[:200]) for one in group)
            continue
        yield first
        for one in group:
            if one is not first:
                yield Unmapped(one.path, f"{'ambiguous beside' if one in rivals else 'the same as'} {first.path}")


def propose(output: Any) -> tuple[list[Found], list[Unmapped]]:
    """What an output means: values understood and values not, each in the order of the output."""
    table, all_leaves = naming(), list(leaves(output))
    bag = frozenset(usual(word) for leaf in all_leaves for word in leaf.own + leaf.above)
    read = [_read(leaf, bag, table) for leaf in all_leaves]
    settled = [*_apart([one for one in read if isinstance(one, Found)]), *(o for o in read if isinstance(o, Unmapped))]
    order = {leaf.path: number for number, leaf in enumerate(all_leaves)}
    settled.sort(key=lambda one: order[one.path])
    return [o for o in settled if isinstance(o, Found)], [o for o in settled if isinstance(o, Unmapped)]
