"""The channel of a value: what tells it from others of its quantity. Used by reading.py."""

from citynet import units
from gateway.normalise.leaves import Leaf
from gateway.normalise.matching import PLACES, Match, Words
from gateway.normalise.naming import naming
from gateway.normalise.words import words

STATISTICS = {"maximum": "max", "minimum": "min", "average": "avg"}
CHANNEL_MAX = 40


def channel_of(leaf: Leaf, said: Words, match: Match, *, unit: str) -> str:
    """What tells values of one quantity apart: other words of the key, numbers, places and statistics."""
    table = naming()
    skip = (match.phrase - match.rule.keep) | table.neutral
    kind = units.unit(unit).kind if units.find(unit) else ""
    parts = [w for w in said.above if w.isdigit() or w in PLACES]
    for word, spelt in zip(said.own, said.spelt, strict=True):
        found = units.find(spelt) if not spelt.isdigit() else None
        if word in skip or (found and found.kind == kind and word not in PLACES):
            continue
        parts.append(STATISTICS.get(word, word))
    if leaf.channel:
        parts.append("_".join(words(leaf.channel)) or leaf.channel)
    return "_".join(dict.fromkeys(glued(parts)))[:CHANNEL_MAX]


def glued(parts: list[str]) -> list[str]:
    """Letters with their number: l, 1 becomes l1."""
    result: list[str] = []
    for part in parts:
        if result and part.isdigit() and len(result[-1]) == 1 and result[-1].isalpha():
            result[-1] += part
        else:
            result.append(part.casefold())
    return result
