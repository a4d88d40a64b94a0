"""The slow, forgiving way to read JSON: finds what msgspec refuses or hides, so that good neighbours are kept."""

import json
import math
import re
from enum import Enum
from itertools import accumulate

from citynet.errors import BadInput
from gateway.wire import Bad


class Mark(Enum):
    """Stands for the value of a key that occurs twice: nobody knows which one was meant."""

    DUPLICATE = "a repeated key"


TEXT_MAX = 100
STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
BRACKETS = re.compile(r"[\[\]{}]")


def depth(text: str) -> int:
    """Deepest nesting of brackets outside of strings."""
    steps = (1 if bracket in "[{" else -1 for bracket in BRACKETS.findall(STRINGS.sub("", text)))
    return max(accumulate(steps), default=0)


def balance(line: str) -> int:
    """How many more brackets a line opens than it closes."""
    return sum(1 if bracket in "[{" else -1 for bracket in BRACKETS.findall(STRINGS.sub("", line)))


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                result[key] = Mark.DUPLICATE
            seen.add(key)
    return result


def parse(payload: bytes, depth_max: int) -> object:
    """The document; NaN, Infinity and 1e999 become floats, a repeated key Mark.DUPLICATE. Raises BadInput."""
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise BadInput("not_utf8", str(error)) from error
    if depth(text) > depth_max:
        raise BadInput("too_deep", f"more than {depth_max} levels")
    try:
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise BadInput("not_json", str(error)) from error


def number(value: object) -> float | str:
    """The number, or why there is none."""
    if value is Mark.DUPLICATE:
        return "duplicate_key"
    if not isinstance(value, (bool, int, float)):
        return "wrong_type"
    try:
        found = float(value)
    except OverflowError:
        return "not_finite"
    return found if math.isfinite(found) else "not_finite"


def numbers(values: object) -> tuple[dict[str, float], list[Bad]]:
    """Numbers of an object by key, nested ones as outer.inner and outer[0], and what is none. null: not measured."""
    if not isinstance(values, dict):
        raise BadInput("duplicate_key" if values is Mark.DUPLICATE else "wrong_shape", "values is not an object")
    good: dict[str, float] = {}
    bad: list[Bad] = []
    todo: list[tuple[str, object]] = list(values.items())
    for key, value in todo:  # grows while nested objects are found
        if type(value) is float and -math.inf < value < math.inf:  # nearly all of them
            good[key] = value
            continue
        if isinstance(value, dict):
            todo += [(f"{key}.{inner}", below) for inner, below in value.items()]
            continue
        found = number(value)
        if isinstance(found, float):
            good[key] = found
        elif value is not None:
            text = value if isinstance(value, str) and len(value) <= TEXT_MAX else ""
            bad.append(Bad(found, key, "" if value is Mark.DUPLICATE else repr(value)[:80], text))
            if isinstance(value, list):
                todo += [(f"{key}[{number}]", below) for number, below in enumerate(value)]
    return good, bad
