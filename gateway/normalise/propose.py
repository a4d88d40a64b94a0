"""What the values of a decoded output are, from their names and units alone. Where that leaves a doubt it says so."""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gateway.normalise.found import Found, Unmapped
from gateway.normalise.leaves import leaves
from gateway.normalise.naming import naming, usual
from gateway.normalise.reading import read_leaf


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
            paths = ", ".join(one.path for one in group[:4])
            yield from (Unmapped(one.path, f"ambiguous: {one.quantity} several times: {paths}"[:200]) for one in group)
            continue
        yield first
        for one in group:
            if one is not first:
                yield Unmapped(one.path, f"{'ambiguous beside' if one in rivals else 'the same as'} {first.path}")


def _numbered(group: list[Found]) -> Iterator[Found]:
    """Values of one list under one name: their place in the list tells them apart."""
    for one in group:
        place = re.findall(r"\[(\d+)\]", one.path)[-1]
        yield replace(one, channel="_".join(filter(None, (one.channel, str(int(place) + 1)))))


def propose(output: Any, *, sector: str = "", guesses: bool = True) -> tuple[list[Found], list[Unmapped]]:
    """What an output means: values understood and values not, each in the order of the output.

    sector: heat, gas, waste, lighting .. decide between readings; guesses: whether bare numbers in doubt get their most
    usual unit.
    """
    table, all_leaves = naming(), list(leaves(output))
    bag = frozenset(usual(word) for leaf in all_leaves for word in leaf.own + leaf.above) | {f"sector:{sector}"}
    read = [read_leaf(leaf, bag, table, guesses=guesses) for leaf in all_leaves]
    settled = [*_apart([one for one in read if isinstance(one, Found)]), *(o for o in read if isinstance(o, Unmapped))]
    order = {leaf.path: number for number, leaf in enumerate(all_leaves)}
    settled.sort(key=lambda one: order[one.path])
    return [o for o in settled if isinstance(o, Found)], [o for o in settled if isinstance(o, Unmapped)]
