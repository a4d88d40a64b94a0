"""What the values of a decoded output are, from their names and units alone. Where that leaves a doubt it says so."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.normalise.channels import CHANNEL_MAX
from gateway.normalise.found import Found, Unmapped
from gateway.normalise.leaves import Leaf, leaves, number_of
from gateway.normalise.matching import Around, empty
from gateway.normalise.naming import Naming, Spread, naming, usual
from gateway.normalise.reading import read_leaf
from gateway.normalise.words import words


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
        if rivals and len({re.sub(r"\[\d+\]", "", one.path) for one in group}) == 1:
            yield from _numbered(group)
            continue
        if any(one.score == first.score for one in rivals):
            if (apart := _by_words(group)) is not None:
                yield from apart
                continue
            paths = ", ".join(one.path for one in group[:4])
            yield from (Unmapped(one.path, f"ambiguous: {one.quantity} several times: {paths}"[:200]) for one in group)
            continue
        yield first
        for one in group:
            if one is not first:
                yield Unmapped(one.path, f"{'ambiguous beside' if one in rivals else 'the same as'} {first.path}")


def _numbered(group: list[Found]) -> Iterator[Found]:
    """Values of one list under one name: their place in the list tells them apart, in lists of lists all places."""
    places = [[str(int(place) + 1) for place in re.findall(r"\[(\d+)\]", one.path)] for one in group]
    last = len({place[-1] for place in places}) == len(group)
    for one, place in zip(group, places, strict=True):
        yield replace(one, channel="_".join(filter(None, (one.channel, *(place[-1:] if last else place)))))


def _by_words(group: list[Found]) -> list[Found] | None:
    """The same, told apart by the words of their paths that not all have: boiler.temperature, hall.temperature."""
    said = [[usual(word) for key in one.path.split(".") for word in words(key) if not empty(word)] for one in group]
    common = set.intersection(*map(set, said))
    own = ["_".join(dict.fromkeys(word for word in one if word not in common)) for one in said]
    channels = ["_".join(filter(None, (one.channel, word)))[:CHANNEL_MAX] for one, word in zip(group, own, strict=True)]
    if len(set(channels)) < len(group):
        return None
    return [replace(one, channel=channel) for one, channel in zip(group, channels, strict=True)]


@dataclass(frozen=True)
class Known:
    """What is known of a device beside its output.

    sector: heat, gas, waste, lighting .. decide between readings; quantities: what it is said to measure decides before
    them; guesses: whether bare numbers in doubt get their most usual unit; spreads: by place() the numbers of more
    outputs of the device, so that one of them does not decide alone.
    """

    sector: str = ""
    quantities: frozenset[str] = frozenset()
    guesses: bool = True
    spreads: Mapping[tuple[str, ...], Spread] = field(default_factory=dict)


NOTHING = Known()


def place(leaf: Leaf) -> tuple[str, ...]:
    """What a value has in common with those of other outputs of its device: where it stands and how it is called."""
    return (leaf.path, *leaf.own)


def spreads_of(outputs: Iterable[Any]) -> dict[tuple[str, ...], Spread]:
    """The numbers of all outputs of a device by their place."""
    found: dict[tuple[str, ...], Spread] = {}
    for output in outputs:
        for leaf in leaves(output):
            number = number_of(leaf.value)
            if number and math.isfinite(number[0]):
                known = found.get(place(leaf))
                found[place(leaf)] = known.wider(number[0]) if known else Spread.of(number[0])
    return found


def _sectors(all_leaves: list[Leaf], bag: frozenset[str], table: Naming) -> list[str]:
    """What an output tells of the sector of its device: its medium, or names that stand together.

    A meter of energy, volume and power is one of heat.
    """
    texts = [
        one.value for one in all_leaves if isinstance(one.value, str) and table.medium_keys & {*one.own, *one.above}
    ]
    media = [table.medium[usual(word)] for text in texts for word in words(text) if usual(word) in table.medium]
    return media[:1] or [sector for sector, told in table.inferred.items() if any(names <= bag for names in told)]


def propose(output: Any, known: Known = NOTHING) -> tuple[list[Found], list[Unmapped]]:
    """What an output means: values understood and values not, each in the order of the output."""
    table = naming()
    all_leaves = [replace(leaf, spread=known.spreads.get(place(leaf))) for leaf in leaves(output)]
    bag = frozenset(usual(word) for leaf in all_leaves for word in leaf.own + leaf.above)
    bag |= {f"sector:{sector}" for sector in ([known.sector] if known.sector else _sectors(all_leaves, bag, table))}
    around = Around(bag, known.quantities, known.guesses)
    read = [read_leaf(leaf, around, table) for leaf in all_leaves]
    settled = [*_apart([one for one in read if isinstance(one, Found)]), *(o for o in read if isinstance(o, Unmapped))]
    order = {leaf.path: number for number, leaf in enumerate(all_leaves)}
    settled.sort(key=lambda one: order[one.path])
    return [o for o in settled if isinstance(o, Found)], [o for o in settled if isinstance(o, Unmapped)]
