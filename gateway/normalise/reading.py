"""One value of an output read alone: quantity, unit and channel, or why it stays unmapped. Used by propose.py."""

import math
from dataclasses import replace
from functools import lru_cache

from citynet import catalog, units
from citynet.units import Line
from gateway.normalise.channels import CHANNEL_MAX, STATISTICS, channel_of, glued
from gateway.normalise.found import Found, Unmapped
from gateway.normalise.leaves import Leaf, number_of
from gateway.normalise.matching import Around, Match, Words, blocked, matches, unknown_words, words_of
from gateway.normalise.measuring import measures, state_of, takes, told_unit
from gateway.normalise.naming import Naming, Rule, naming, usual
from gateway.normalise.words import is_unit

Ways = dict[tuple[str, str], tuple[Match, Line]]


def _choose(leaf: Leaf, said: Words, found: list[Match], *, around: Around) -> Found | str:
    """The one reading of a leaf, or why there is none."""
    clear = [match for match in found if match.rule.fallback or not _unclear(leaf, said, match)]
    ways = _ways(leaf, said, clear)
    states = {match.rule.quantity: match for match in clear if match.rule.code}
    state = state_of(leaf.value, leaf.spread) if states else None
    if state is not None and len(states) == 1 and not ways:
        [match] = states.values()
        return _state(leaf, said, match, state=state)
    guessed = around.guesses and not ways and state is None
    ways = _guess(leaf, said, found) if guessed else ways
    if len(ways) > 1 or (ways and state is not None):
        return "ambiguous: " + " or ".join(sorted({q for q, _ in ways} | (set(states) if state is not None else set())))
    if not ways:
        return _why_not(leaf, clear) if clear else "an unknown word beside the name, and no unit"
    return _said_to_measure(_read(leaf, said, ways, guessed=guessed), ways, around)


def _state(leaf: Leaf, said: Words, match: Match, *, state: float) -> Found:
    rule = match.rule
    channel = channel_of(leaf, said, match, unit="1")
    state = 1 - state if rule.invert else state
    return Found(leaf.path, rule.quantity, channel, "1", state, score=match.score, invert=rule.invert)


def _ways(leaf: Leaf, said: Words, found: list[Match], *, guess: bool = False) -> Ways:
    """(quantity, unit) -> how to read the number so; the rules that the surroundings speak for before the others."""
    measured = [match for match in found if not match.rule.code]
    told = [match for match in measured if told_unit(leaf, said, match.rule.quantity)]  # "batV" is no share
    readings = [way for match in told or measured for way in measures(match, leaf, said, guess=guess)]
    strong = [way for way in readings if not way[0].rule.weak] or readings
    near = [way for way in strong if way[0].rule.near] or strong
    return {(_quantity(said, match), unit): (match, line) for match, unit, line in near}


def _guess(leaf: Leaf, said: Words, found: list[Match]) -> Ways:
    """What most devices mean, also where a word that nobody knows stands beside the name."""
    found = [match for match in found if not naming().foreign & (set(said.own) - match.phrase)]
    found = [match for match in found if not _moment(said, match)]
    return _ways(leaf, said, found) or _ways(leaf, said, found, guess=True)


def _moment(said: Words, match: Match) -> bool:
    """Whether the phrase is a word at the head of a longer name that says when: "currentAckToken" is no current."""
    head = said.own[:1]
    return match.phrase == set(head) and head[0] in naming().moment and unknown_words(said, match)


def _read(leaf: Leaf, said: Words, ways: Ways, *, guessed: bool) -> Found:
    [((quantity, unit), (match, line))] = ways.items()
    number = number_of(leaf.value)
    value = line(number[0]) if number else math.nan
    wanted = catalog.catalog().quantities[quantity].unit
    channel = channel_of(leaf, said, match, unit=unit)
    score = (0, *match.score) if guessed else match.score
    return Found(leaf.path, quantity, channel, wanted, value, unit, line, score, guessed=guessed)


def _said_to_measure(found: Found, ways: Ways, around: Around) -> Found:
    """What a name of one word means on a device that is said to measure one thing alone in its unit."""
    kinds = catalog.catalog().quantities
    alike = [
        q for q in around.quantities & kinds.keys() if kinds[q].unit == found.unit and found.unit not in ("1", "%")
    ]
    [(match, _)] = ways.values()
    if found.quantity in around.quantities or len(alike) != 1 or len(match.phrase) > 1:
        return found
    return replace(found, quantity=alike[0])


def _unclear(leaf: Leaf, said: Words, match: Match) -> bool:
    """One word of a phrase with an unknown word beside it and no unit: "light guide" is no light."""
    if len(match.phrase) > 1 or not unknown_words(said, match):
        return False
    return match.rule.code or not told_unit(leaf, said, match.rule.quantity)


def _quantity(said: Words, match: Match) -> str:
    return match.rule.fallback if match.rule.fallback and unknown_words(said, match) else match.rule.quantity


def _why_not(leaf: Leaf, found: list[Match]) -> str:
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
        state = state_of(leaf.value)
        return None if state is None else Found(leaf.path, quantity, channel, "1", state, score=(9,))
    if isinstance(leaf.value, bool) or not isinstance(leaf.value, (int, float)) or not math.isfinite(leaf.value):
        return None
    line = units.line(unit, wanted.unit, quantity)
    if line is None or (wanted.min is not None and wanted.max is not None and not _within(line(leaf.value), wanted)):
        return None
    return Found(leaf.path, quantity, channel, wanted.unit, line(leaf.value), unit, line, (9,))


def _by_unit(leaf: Leaf, said: Words, *, around: Around, table: Naming) -> Found | Unmapped:
    """A value whose unit alone says what it is, and the sector of the device."""
    number, unknown = number_of(leaf.value), Unmapped(leaf.path, "unknown name")
    given = leaf.unit or (number[1] if number else "") or _unit_in(said, table)
    unit = units.find(given) if given else None
    kinds = [f"{unit.kind} {word}" for word in around.bag if word.startswith("sector:")] if unit else []
    quantity = (
        next((table.by_unit[kind] for kind in [*kinds, unit.kind] if kind in table.by_unit), None) if unit else None
    )
    if number is None or isinstance(leaf.value, bool) or unit is None or quantity is None:
        return unknown
    if table.foreign & set(said.own):
        return unknown
    wanted = catalog.catalog().quantities[quantity]
    line = units.line(given, wanted.unit, quantity)
    if line is None or not math.isfinite(number[0]) or not _within(line(number[0]), wanted):
        return unknown
    words_ = [STATISTICS.get(word, word) for word in said.own if word not in table.neutral | {usual(given)}]
    channel = "_".join(dict.fromkeys(glued(words_)))[:CHANNEL_MAX]
    return Found(leaf.path, quantity, channel, wanted.unit, line(number[0]), unit.code, line, guessed=True)


def _unit_in(said: Words, table: Naming) -> str:
    """The unit of a key that says nothing else: "l2V", "phase_A_V", "minC". A letter after "channel" is its label."""
    rest = [w for w, s in zip(said.spelt, said.own, strict=True) if s not in table.statistics]
    while rest and rest[-1].isdigit() and len(rest[-2:][0]) > 1:
        rest.pop()
    if not rest or not is_unit(rest[-1]):
        return ""
    *before, unit = rest
    alone = len(unit) == 1 and len(said.own) == 1
    if alone or not all(word in table.phases or word.isdigit() or len(word) == 1 for word in before):
        return ""
    return "" if len(unit) == 1 and before and before[-1] in table.phases and len(before[-1]) > 1 else unit


def _by_parent(leaf: Leaf, found: list[Match]) -> list[Match]:
    """What the key around says where that is clear: "humidity": {"name": "Probe A", "value": 40, "unit": "%"}."""
    return [match for match in found if leaf.unit or len(match.phrase) > 1]


def _within(value: float, words_: catalog.Quantity) -> bool:
    return (words_.min is None or value >= words_.min) and (words_.max is None or value <= words_.max)


@lru_cache(maxsize=1_024)
def _fitting(given: units.Unit | None, *, number: bool, state: bool) -> tuple[Rule, ...]:
    """Rules of measures for numbers of a unit that they take, rules of states for what may be a state."""
    rules = naming().rules
    fits = {rule.quantity for rule in rules if number and rule.quantity and takes(rule.quantity, given)}
    return tuple(rule for rule in rules if not rule.quantity or (state if rule.code else rule.quantity in fits))


def _possible(leaf: Leaf) -> tuple[Rule, ...]:
    """The rules that a value can be of at all, whatever its name."""
    parsed = None if isinstance(leaf.value, bool) else number_of(leaf.value)
    text = leaf.unit or parsed[1] if parsed else ""
    state = state_of(leaf.value, leaf.spread) is not None
    return _fitting(units.find(text) if text else None, number=parsed is not None, state=state)


def read_leaf(leaf: Leaf, around: Around, table: Naming) -> Found | Unmapped:
    """What one value is, or why that is not known."""
    if leaf.value is None or (isinstance(leaf.value, float) and not math.isfinite(leaf.value)):
        return Unmapped(leaf.path, "no value")
    if leaf.past:
        return Unmapped(leaf.path, "of another moment")
    exact = _things_stack(leaf, table)
    if exact is not None:
        return exact
    said = words_of(leaf, table)
    # What the value can be first; the other rules only to say what it is not.
    named, found = said, matches(said, around, _possible(leaf))
    if not found and leaf.parent and not blocked(said, frozenset()):
        wider = Words(said.own + tuple(map(usual, leaf.parent)), said.above, said.spelt + leaf.parent)
        found = _by_parent(leaf, matches(wider, around, _possible(leaf)))
        said = wider if found else said
    if not found and not blocked(said, frozenset()):
        found = matches(said, around, table.rules)
        by_unit = _by_unit(leaf, named, around=around, table=table) if found and leaf.unit else None
        if isinstance(by_unit, Found) and all(match.rule.quantity for match in found):
            return by_unit  # a name that does not go with its unit: "consumption" in litres
    found = found or matches(said, around, table.rules)
    if not found:
        left = blocked(said, frozenset())
        return (
            Unmapped(leaf.path, f"not a measure: {' '.join(sorted(left))}")
            if left
            else _by_unit(leaf, named, around=around, table=table)
        )
    if any(not match.rule.quantity for match in found):
        return Unmapped(leaf.path, "not a measure: " + " ".join(sorted(found[0].phrase)))
    chosen = _choose(leaf, said, found, around=around)
    return Unmapped(leaf.path, chosen) if isinstance(chosen, str) else chosen
