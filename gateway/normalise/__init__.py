"""Decoded outputs -> quantities with UCUM units, without a profile: for the profile wizard and the command line."""

from typing import Any

from gateway.normalise.found import Found, Unmapped
from gateway.normalise.propose import propose

__all__ = ["Found", "Unmapped", "normalise", "propose", "unwrapped"]


def unwrapped(document: Any) -> Any:
    """The values of a codec's answer: TS013 puts them under data, beside warnings and errors."""
    if isinstance(document, dict) and "data" in document and set(document) <= {"data", "warnings", "errors"}:
        return document["data"]
    return document


def normalise(output: Any) -> list[dict[str, Any]]:
    """[{path, quantity, channel, unit, value}] of what an output measures, in its own order. Never raises."""
    found, _ = propose(unwrapped(output))
    return [
        {"path": f.path, "quantity": f.quantity, "channel": f.channel, "unit": f.unit, "value": f.value} for f in found
    ]
