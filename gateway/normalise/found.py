"""The two answers of the proposer for a value: understood or not."""

from dataclasses import dataclass

from citynet.units import Line


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
    guessed: bool = False
    invert: bool = False

    @property
    def how(self) -> str:
        """state, guessed (the usual unit of a bare number in doubt, for a person to confirm) or unit."""
        return "guessed" if self.guessed else "state" if self.line is None else "unit"


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A value that was not, and why."""

    path: str
    reason: str
