"""What texts and codes of a frame stand for, by the map of the profile; called by decoding.py. Pure."""

import re

from citynet.catalog import Mapping
from gateway.directory import Route
from gateway.wire import Bad, Parsed

NUMBER = re.compile(r"\s*[+-]?\d{1,15}(\.\d{1,15})?\s*")
# Key, target, value.
Row = tuple[str, int, float]


def meaning(codes: dict[str, float], value: float | str) -> float | None:
    """The number that a value stands for: "open", 3, true. Case matters only where two codes differ by it."""
    if isinstance(value, str):
        if value in codes:
            return codes[value]
        return next((code for text, code in codes.items() if text.casefold() == value.strip().casefold()), None)
    texts = (f"{value:g}", *(["true"] if value == 1 else ["false"] if value == 0 else []))
    return next((codes[text] for text in texts if text in codes), None)


def stands_for(mapping: Mapping, text: str) -> float | None:
    """The number that a text is to a profile, as read() takes it; None where it is none."""
    if mapping.codes:
        return meaning(mapping.codes, text)
    return float(text) if NUMBER.fullmatch(text) else None


def read(route: Route, parsed: Parsed) -> list[Row]:
    """Rows of the texts that the profile understands; what is left stays in parsed.bad.

    A text has no time of its own, so that only frames of one moment are read.
    """
    if len(parsed.samples) != 1:
        return []
    rows, left = [], []
    for bad in parsed.bad:
        found = _row(route, bad) if bad.text else None
        if found is not None:
            rows.append(found)
        elif bad.text and bad.key in route.codes:
            left.append(bad._replace(reason="unknown_code"))
        else:
            left.append(bad)
    parsed.bad = left
    return rows


def _row(route: Route, bad: Bad) -> Row | None:
    if bad.key in route.codes:
        target, codes = route.codes[bad.key]
        value = meaning(codes, bad.text)
        return None if value is None else (bad.key, target, value)
    if bad.key in route.targets and NUMBER.fullmatch(bad.text):
        return bad.key, route.targets[bad.key], float(bad.text)
    return None
