"""A decoded output taken apart into single values with their path, words and unit. Pure; used by the proposer."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from gateway.normalise.naming import Spread, naming, usual
from gateway.normalise.words import words

LEAVES_MAX = 1_000
DEPTH_MAX = 16
TEXT_MAX = 60
# How codecs write a value with its own name and unit: {"name": .., "value": .., "unit": ..} in many spellings.
VALUE_KEYS = ("value", "_value", "measurementValue", "data", "Value", "val", "v", "reading")
NAME_KEYS: tuple[str, ...] = ("variable", "name", "_name", "typeName", "displayName", "type", "label", "alias", "n")
NAME_KEYS += ("quantity", "Name", "desc", "parameter", "measurement", "field", "key", "devtype", "sensor", "title")
NAME_KEYS += ("Type", "Sensor", "obis", "OBIS", "obis_code", "OBIS_ID")
UNIT_KEYS = ("unit", "units", "_unit", "typeUnits", "Unit", "unitId", "uom", "u", "Units")
CHANNEL_KEYS = ("channel", "measurementChannel", "port", "address", "channel_id", "index")
NUMBER_TEXT = re.compile(
    r"\s*([+-]?\d{1,15}(?:\.\d{1,15})?(?:[eE][+-]?\d{1,2})?)\s*([^\d\s(.][^(]{0,12})?(?:\s*\(.*\))?\s*"
)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value: own words are those of its key or name, above those of the keys around it, parent of the next one."""

    path: str
    own: tuple[str, ...]
    above: tuple[str, ...]
    value: Any
    unit: str = ""
    channel: str = ""
    past: bool = False
    parent: tuple[str, ...] = ()
    spread: Spread | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    path: str
    above: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    channel: str = ""
    past: bool = False
    depth: int = 0
    parent: tuple[str, ...] = ()


def _first(body: dict[str, Any], keys: tuple[str, ...]) -> tuple[str, Any] | None:
    return next(((key, body[key]) for key in keys if key in body), None)


def _text(found: tuple[str, Any] | None) -> str:
    return found[1][:TEXT_MAX].removesuffix(" RMS") if found and isinstance(found[1], str) else ""


def _numbered(body: dict[str, Any]) -> str:
    """The name behind a number: measurementId 4097."""
    found = (numbers.get(str(body[key])) for key, numbers in naming().numbered.items() if key in body)
    return next((name for name in found if name), "")


def _record(body: dict[str, Any], place: _Place) -> Leaf | None:
    """The one value of a dictionary that is a value with name or unit, else None."""
    value, unit, name = _first(body, VALUE_KEYS), _first(body, UNIT_KEYS), _first(body, NAME_KEYS)
    named = _numbered(body) or _text(name)
    if value is None or isinstance(value[1], (dict, list)) or (unit is None and not named):
        return None
    if unit is None and name is not None and name[0] == "type" and len(body) > 6:
        return None  # rather a message with a type than a measure
    told = _first(body, CHANNEL_KEYS)
    channel = str(told[1]) if told and isinstance(told[1], (str, int)) and str(told[1]) else place.channel
    own, above = (words(named), place.above + place.own) if named else (place.own, place.above)
    path = f"{place.path}.{value[0]}".lstrip(".")
    return Leaf(path, own, above, value[1], _text(unit), channel, place.past, place.own if named else ())


def _units_told(body: dict[str, Any]) -> dict[tuple[str, ...], str]:
    """Units that siblings give, by the usual words of what they are the unit of: energyUnit, flow_unit, temp_unit."""
    told = {}
    for key, text in body.items():
        if isinstance(text, str) and "unit" in key.casefold():
            said = tuple(usual(word) for word in words(key))
            if {"unit", "units"} & {*said[:1], *said[-1:]}:
                told[tuple(word for word in said if word not in ("unit", "units"))] = text[:TEXT_MAX]
    return told


def _unit_beside(key: str, told: dict[tuple[str, ...], str], shared: str) -> str:
    """The unit that a sibling gives: energy with energyUnit, data0Value with data0Unit, last_value with unit."""
    said = tuple(usual(word) for word in words(key)) if told or shared else ()
    for name in (said, said[:-1] if said[-1:] == ("value",) else said):
        if name in told:
            return told[name]
    silent = naming().neutral | naming().statistics
    return shared if all(word in silent for word in said) else ""


def _described(body: dict[str, Any]) -> tuple[str, str, str] | None:
    """Key, name and unit of a value that a dictionary beside it describes: {"data": 2, "of": {"Sensor", "Unit"}}."""
    told = [one for one in body.values() if isinstance(one, dict) and _first(one, UNIT_KEYS)]
    names = [
        (_text(_first(one, NAME_KEYS)), _text(_first(one, UNIT_KEYS))) for one in told if not _first(one, VALUE_KEYS)
    ]
    value = _first(body, VALUE_KEYS)
    if value is None or isinstance(value[1], (dict, list)) or len(names) != 1 or not all(names[0]):
        return None
    return value[0], *names[0]


def _below(place: _Place, key: str) -> _Place:
    past = place.past or bool(naming().history & set(words(key)))
    path = f"{place.path}.{key}" if place.path else key
    if place.own == ("pm",) and key[:1].isdigit():
        return _Place(path, place.above, words(f"pm{key}"), place.channel, past, place.depth + 1)  # {"pm": {"2.5": 7}}
    return _Place(path, place.above + place.own, words(key), place.channel, past, place.depth + 1, place.own)


def _items(body: list[Any], place: _Place) -> Iterator[tuple[Any, _Place]]:
    """Elements of a list. Several values with a time of their own are a history."""
    timed = sum(isinstance(item, dict) and any("time" in key.lower() for key in item) for item in body)
    for number, item in enumerate(body):
        named = isinstance(item, dict) and bool(_numbered(item) or _text(_first(item, NAME_KEYS)))
        past = place.past or (timed > 1 and not named)
        channel = place.channel
        if len(body) > 1 and not named and not isinstance(item, list):
            channel = str(number + 1)
        yield (
            item,
            _Place(f"{place.path}[{number}]", place.above, place.own, channel, past, place.depth + 1, place.parent),
        )


def leaves(output: Any) -> Iterator[Leaf]:
    """Every value of an output in its order; at most LEAVES_MAX, none deeper than DEPTH_MAX."""
    stack: list[tuple[Any, _Place, str]] = [(output, _Place(""), "")]
    count = 0
    while stack and count < LEAVES_MAX:
        node, place, unit = stack.pop()
        if isinstance(node, (dict, list)) and place.depth >= DEPTH_MAX:
            continue
        if isinstance(node, dict):
            record = _record(node, place)
            if record is None:
                shared = _text(_first(node, UNIT_KEYS))
                told = _units_told(node)
                below = [(v, _below(place, str(k)), _unit_beside(str(k), told, shared)) for k, v in node.items()]
                if (said := _described(node)) is not None:
                    at = list(node).index(said[0])
                    below[at] = (below[at][0], replace(below[at][1], own=words(said[1])), said[2])
                stack += reversed(below)
                continue
            leaf = record
        elif isinstance(node, list):
            stack += reversed([(item, inner, unit) for item, inner in _items(node, place)])
            continue
        else:
            leaf = Leaf(place.path, place.own, place.above, node, unit, place.channel, place.past, place.parent)
        count += 1
        yield leaf


def number_of(value: object) -> tuple[float, str] | None:
    """The number of a value and the unit in its text: "16.48°C" -> (16.48, "°C"). None where there is no number."""
    if isinstance(value, (bool, int, float)):
        return float(value) if abs(value) < 1e300 else float("inf"), ""
    if isinstance(value, str) and (match := NUMBER_TEXT.fullmatch(value[:TEXT_MAX].rstrip(" ,;"))):
        return float(match[1]), (match[2] or "").strip()
    return None
