"""Rules ready to run: condition, headline, sentence. Compiled from registry rows; checked before one is saved."""

import re
import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from analytics.columns import SECOND_US, Floats
from analytics.expression import Code, Leaf, Source, compile_text, refuse
from citynet.catalog import Rule

# Signals that say that an object is out of work; only they suppress what hangs below it.
OUTAGE_SIGNALS = frozenset({"nodata", "supply"})
FIELDS = frozenset({"value", "low", "high", "score", "minutes", "hours"})
HOLD_S_MAX = 7 * 86_400
BACK_RU, BACK_EN = "Вернулось к норме: ", "Back to normal: "


@dataclass(frozen=True)
class Compiled:
    """A rule version over numpy. headline is what {value} shows: the first thing that the text reads."""

    rule: Rule
    version: int
    code: Code
    leaves: tuple[Leaf, ...]
    timed: bool  # judged on the city clock, not when a reading comes

    @property
    def hold_us(self) -> int:
        """On-delay."""
        return self.rule.hold_s * SECOND_US

    @property
    def clear_us(self) -> int:
        """Off-delay."""
        return self.rule.clear_s * SECOND_US

    @property
    def headline(self) -> Leaf:
        """Leaf whose value stands in the sentence; of score(q) it is q itself."""
        first = self.leaves[0]
        return Leaf("value", first.quantity) if first.function == "score" else first

    @property
    def scored(self) -> str:
        """The quantity whose usual band stands in the sentence, or empty."""
        return next((leaf.quantity for leaf in self.leaves if leaf.function == "score"), "")

    def truth(self, source: Source, size: int) -> Floats:
        """1, 0 or NaN (unknown) for each of size objects."""
        return np.broadcast_to(self.code.run(source), (size,)).astype(np.float64)


class Number(float):
    """A figure of a sentence; an unknown one is a dash."""

    def __format__(self, spec: str) -> str:
        """The figure by its format, or a dash."""
        return "–" if np.isnan(self) else float.__format__(self, spec)


class RussianNumber(Number):
    """A figure with the decimal comma of Russian."""

    def __format__(self, spec: str) -> str:
        """See Number."""
        return super().__format__(spec).replace(".", ",")


def why(words: tuple[str, str], figures: Mapping[str, float], *, over: bool) -> tuple[str, str]:
    """A sentence in Russian and English with its figures; one that is over begins by saying so."""
    before = (BACK_RU, BACK_EN) if over else ("", "")
    ru = words[0].format_map({name: RussianNumber(value) for name, value in figures.items()})
    return before[0] + ru, before[1] + words[1].format_map({name: Number(value) for name, value in figures.items()})


def sentence(template: str, figures: Mapping[str, float], kind: type[Number] = Number) -> str:
    """The template with its figures."""
    return template.format_map({name: kind(figures.get(name, np.nan)) for name in FIELDS})


def _check_template(name: str, template: str) -> None:
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        refuse(f"{name}: {error}")
    for _, key, spec, conversion in parts:
        if key is None:
            continue
        if key not in FIELDS:
            refuse(f"{name}: unknown field {{{key}}}: there are {', '.join(sorted(FIELDS))}")
        if conversion or not re.fullmatch(r",?(\.\d)?[fge%]?", spec or ""):
            refuse(f"{name}: the format of {{{key}}} is not allowed: write for example {{{key}:.1f}}")


def compile_rule(rule: Rule, version: int, *, quantities: Collection[str]) -> Compiled:
    """A rule that can run. quantities are those of its class. Raises BadInput with words for its author."""
    code, leaves = compile_text(rule.text, quantities)
    if not (0 <= rule.hold_s <= HOLD_S_MAX and 0 <= rule.clear_s <= HOLD_S_MAX):
        refuse("hold_s and clear_s are between 0 and 604800 seconds")
    _check_template("why_ru", rule.why_ru)
    _check_template("why_en", rule.why_en)
    timed = any(leaf.function == "nodata" for leaf in leaves)
    return Compiled(rule, version, code, tuple(leaves), timed)
