"""The map of a profile out of decoded outputs of one kind of device: what `citynet codec normalise --map` writes."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from gateway.normalise.found import Found
from gateway.normalise.propose import Known, propose, spreads_of

NO_UNIT_CHANGE = {"heat_temperature_difference"}  # a difference of 3 Cel is one of 3 K


def _values(output: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of what the gateway can reach: numbers and texts under keys."""
    if isinstance(output, dict):
        for key, value in output.items():
            yield from _values(value, f"{path}.{key}" if path else str(key))
    elif isinstance(output, list) and path:
        for number, value in enumerate(output):
            yield from _values(value, f"{path}[{number}]")
    else:
        yield path, output


def _mapping(one: Found, value: object) -> dict[str, Any]:
    mapping: dict[str, Any] = {"quantity": one.quantity}
    if one.channel:
        mapping["channel"] = one.channel
    if one.given_unit not in ("", one.unit) and one.quantity not in NO_UNIT_CHANGE:
        mapping["unit"] = one.given_unit
    if one.invert and not isinstance(value, str):
        mapping["invert"] = True
    if one.guessed:
        mapping["guessed"] = True
    return mapping


def profile_map(
    outputs: Iterable[tuple[Any, Known]],
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Mappings by path over all outputs and what is known beside; the paths on which two disagree: those are left out.

    A unit is decided once for a path, by all its numbers: an energy of 12 and 12.5 is one of kilowatt hours.
    """
    maps: dict[str, dict[str, Any]] = {}
    doubtful: set[str] = set()
    given = list(outputs)
    spreads = spreads_of(output for output, _ in given)
    for output, known in given:
        reachable = dict(_values(output))
        together = propose(output, replace(known, spreads=spreads))[0]
        doubtful |= {one.path for one in propose(output, known)[0]} - {one.path for one in together}
        for one in together:
            value = reachable.get(one.path)
            mapping = _mapping(one, value)
            codes = {value: one.value} if isinstance(value, str) and one.line is None else {}
            stands = maps.setdefault(one.path, mapping | ({"codes": {}} if codes else {}))
            if {**stands, "codes": {}} != {**mapping, "codes": {}} or value is None:
                doubtful.add(one.path)
            elif codes:
                stands.setdefault("codes", {}).update(codes)
    return {path: mapping for path, mapping in maps.items() if path not in doubtful}, sorted(doubtful)


def as_toml(maps: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Lines of a profile file."""
    for path, mapping in maps.items():
        yield f"[profile.map.{json.dumps(path, ensure_ascii=False)}]"
        for key, value in mapping.items():
            if key == "guessed":
                yield "# guessed: the output names no unit, compare with the display of the device"
            elif key == "codes":
                pairs = ", ".join(f"{json.dumps(text, ensure_ascii=False)} = {code:g}" for text, code in value.items())
                yield f"codes = {{ {pairs} }}"
            else:
                yield f"{key} = {json.dumps(value, ensure_ascii=False)}"
