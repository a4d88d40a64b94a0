"""Decoded outputs -> quantities with UCUM units, without a profile: for the profile wizard and the command line."""

from typing import Any

from gateway.normalise.found import Found, Unmapped
from gateway.normalise.propose import propose

__all__ = ["Found", "Unmapped", "normalise", "propose", "sector_of", "unwrapped"]

BESIDE_DATA = {"data", "warnings", "errors", "sector", "profile", "vendor", "model", "fPort"}
TOLD = ("path", "quantity", "channel", "unit", "value", "how")


def unwrapped(document: Any) -> Any:
    """The values of a codec's answer: TS013 puts them under data, beside warnings, errors and what the device is."""
    if isinstance(document, dict) and "data" in document and set(document) <= BESIDE_DATA:
        return document["data"]
    return document


def sector_of(document: Any) -> str:
    """The sector that a document names beside its data: heat, gas, waste, lighting, ...; "" when it names none."""
    sector = document.get("sector") if unwrapped(document) is not document else ""
    return sector if isinstance(sector, str) else ""


def normalise(output: Any, *, sector: str = "", guesses: bool = True) -> list[dict[str, Any]]:
    """[{path, quantity, channel, unit, value, how}] of what an output measures, in its own order. Never raises.

    sector decides between readings (heat, gas, waste, lighting), an output of the form {data, sector} names its own.
    how: unit (told by the output or the only usual one), state, or guessed: left out when guesses is false.
    """
    found, _ = propose(unwrapped(output), sector=sector or sector_of(output), guesses=guesses)
    return [{name: getattr(one, name) for name in TOLD} for one in found]
