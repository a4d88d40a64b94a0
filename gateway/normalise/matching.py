"""Which rules of the naming table fit the words of a value best. Used by reading.py."""

from collections.abc import Iterable
from typing import NamedTuple

from gateway.normalise.leaves import Leaf
from gateway.normalise.naming import Assumed, Naming, Rule, Spread, naming, usual
from gateway.normalise.words import is_unit

PLACES = frozenset({"internal", "external", "probe", "upper", "lower", "left", "right", "front", "rear", "x", "y", "z"})


class Match(NamedTuple):
    score: tuple[int, ...]
    rule: Rule
    phrase: frozenset[str]


class Around(NamedTuple):
    """What stands around a value: all words of the output, what the device is said to measure; and whether to guess."""

    bag: frozenset[str]
    quantities: frozenset[str] = frozenset()
    guesses: bool = True


class Words(NamedTuple):
    """Own and surrounding words of a leaf in their usual form; spelt: own ones as written, for units."""

    own: tuple[str, ...]
    above: tuple[str, ...]
    spelt: tuple[str, ...]


def words_of(leaf: Leaf, table: Naming) -> Words:
    own, above, spelt = tuple(usual(w) for w in leaf.own), tuple(usual(w) for w in leaf.above), leaf.own
    if not _says(own, spelt, table):  # "temperature": {"value": ..}: the key around it says what it is
        own, spelt = tuple(usual(w) for w in leaf.parent) + own, leaf.parent + spelt
        above = above[: len(above) - len(leaf.parent)]
    while above and not _says(own, spelt, table):  # "velocity": {"x": {"max": ..}}
        if above[-1] not in table.wrapping:
            own, spelt = (above[-1], *own), (above[-1], *spelt)
        above = above[:-1]
    return Words(own, above, spelt)


def _says(own: tuple[str, ...], spelt: tuple[str, ...], table: Naming) -> bool:
    """Whether any word of a key names something."""
    silent = table.neutral | table.statistics
    return any(not (word in silent or empty(text) or empty(word)) for word, text in zip(own, spelt, strict=True))


def empty(word: str) -> bool:
    """Whether a word is a number, a letter or a unit."""
    return word.isdigit() or len(word) == 1 or is_unit(word)


def matches(said: Words, around: Around, rules: Iterable[Rule]) -> list[Match]:
    """The rules whose phrase fits best, all of equal rank; first those of what the device is said to measure."""
    own, everything = frozenset(said.own), frozenset(said.own + said.above)
    found: list[Match] = []
    for rule in rules:
        if rule.near and not rule.near & around.bag and rule.quantity not in around.quantities:
            continue
        if rule.without & around.bag:
            continue
        for phrase in rule.phrases:
            if phrase <= everything and phrase & own and not blocked(said, phrase, state=rule.code):
                match = Match((len(phrase), len(phrase & own), -_beside(said, phrase)), rule, phrase)
                if not (rule.alone and unknown_words(said, match)):
                    found.append(match)
    longest = max((len(match.phrase) for match in found), default=0)
    said_to = [m for m in found if m.rule.quantity in around.quantities and len(m.phrase) == longest]
    found = said_to or found
    best = max((match.score for match in found), default=None)
    return [match for match in found if match.score == best]


def _beside(said: Words, phrase: frozenset[str]) -> int:
    """How many own words of the key the phrase does not explain."""
    table = naming()
    silent = table.neutral | table.statistics | phrase
    return sum(w not in silent and not empty(s) for w, s in zip(said.own, said.spelt, strict=True))


def blocked(said: Words, phrase: frozenset[str], *, state: bool = False) -> set[str]:
    """The words that make of a value something else than the measure of a phrase."""
    table = naming()
    above = table.blocking_above if state else table.blocking_above | table.alarms
    return ((set(said.own) - phrase) & table.blocking) | ((set(said.above) - phrase) & above)


def guessed(match: Match, numbers: Spread) -> list[Assumed]:
    """The unit that most devices mean by a bare number: the first that fits, of the rule or else of its quantity."""
    usual = match.rule.usual
    ways = naming().guess.get(match.rule.quantity, ()) if usual is None else usual
    return [way for way in ways if way.fits(numbers)][:1]


def assumed(match: Match, numbers: Spread) -> list[Assumed]:
    rule = match.rule
    if rule.assume_only and match.phrase not in rule.assume_only:
        return []
    return [assumed for assumed in rule.assume if assumed.fits(numbers)]


def unknown_words(said: Words, match: Match) -> bool:
    """Whether the key has words beside the phrase that may change its sense."""
    table = naming()
    left = [(w, s) for w, s in zip(said.own, said.spelt, strict=True) if w not in match.phrase]
    known = table.neutral | table.statistics | PLACES | {"total"}
    return any(w not in known and not empty(s) for w, s in left)
