"""Decoded outputs -> quantities with UCUM units, without a profile: for the profile wizard and the command line."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gateway.normalise.found import Found, Unmapped
from gateway.normalise.propose import Known, propose

__all__ = ["Found", "Known", "Unmapped", "known_of", "normalise", "propose", "unwrapped"]

BESIDE_DATA = {"data", "warnings", "errors", "sector", "quantities", "profile", "vendor", "model", "fPort"}
TOLD = ("path", "quantity", "channel", "unit", "value", "how")


def unwrapped(document: Any) -> Any:
    """The values of a codec's answer: TS013 puts them under data, beside warnings, errors and what the device is."""
    if isinstance(document, dict) and "data" in document and set(document) <= BESIDE_DATA:
        return document["data"]
    return document


def known_of(document: Any, *, guesses: bool = True) -> Known:
    """What a document says beside its data: the sector (heat, gas, waste, lighting) and the quantities measured."""
    if unwrapped(document) is document:
        return Known(guesses=guesses)
    sector, quantities = document.get("sector"), document.get("quantities")
    said = frozenset(map(str, quantities)) if isinstance(quantities, list) else frozenset()
    return Known(sector if isinstance(sector, str) else "", said, guesses)


def normalise(
    output: Any, *, sector: str = "", quantities: Iterable[str] = (), guesses: bool = True
) -> list[dict[str, Any]]:
    """[{path, quantity, channel, unit, value, how}] of what an output measures, in its own order. Never raises.

    sector (heat, gas, waste, lighting) and quantities (what the device is said to measure) decide between readings; an
    output of the form {data, sector, quantities} names its own.
    how: unit (told by the output or the only usual one), state, or guessed: left out when guesses is false.
    """
    told = known_of(output, guesses=guesses)
    known = replace(told, sector=sector or told.sector, quantities=frozenset(quantities) or told.quantities)
    found, _ = propose(unwrapped(output), known)
    return [{name: getattr(one, name) for name in TOLD} for one in found]
