"""Is what a codec returned what its vector expects? Equality of JSON values, as the vendors' test runners see it."""

import math
from typing import Any

# Engines differ in the last digits of pow, log and the like.
DIGITS = 1e-12
ABSENT: Any = object()
SIDE_NOTES = ("warnings", "errors")


def same(expected: Any, got: Any) -> bool:
    """JSON equality. NaN, Infinity and undefined are null in JSON, and a field that is null may be left out."""
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(expected, (int, float)) and isinstance(got, (int, float)):
        return _number(expected, got)
    if isinstance(expected, dict) and isinstance(got, dict):
        return all(same(expected.get(key), got.get(key)) for key in {*expected, *got})
    if isinstance(expected, list) and isinstance(got, list):
        return len(expected) == len(got) and all(map(same, expected, got))
    return (_none(expected) is None and _none(got) is None) or expected == got


def _none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(expected: float, got: float) -> bool:
    if not (math.isfinite(expected) and math.isfinite(got)):
        return math.isfinite(expected) == math.isfinite(got)
    return expected == got or math.isclose(expected, got, rel_tol=DIGITS, abs_tol=1e-15)


def matches(expected: dict[str, Any], got: dict[str, Any]) -> bool:
    """Whole results: an empty list of warnings or errors says as much as none."""
    trimmed = [{k: v for k, v in side.items() if v or k not in SIDE_NOTES} for side in (expected, got)]
    return same(*trimmed)


def masked(expected: Any, first: Any, second: Any) -> Any:
    """expected, but with the values of first wherever first and second differ: what clock and chance decide.

    first and second are results of the same input at two moments.
    """
    if isinstance(first, dict) and isinstance(second, dict) and isinstance(expected, dict):
        keys = {*expected, *first}
        made = {k: masked(expected.get(k, ABSENT), first.get(k, ABSENT), second.get(k, ABSENT)) for k in keys}
        return {k: v for k, v in made.items() if v is not ABSENT}
    lists = all(isinstance(side, list) for side in (expected, first, second))
    if lists and len(first) == len(second) == len(expected):
        return [masked(*three) for three in zip(expected, first, second, strict=True)]
    changes = first is not ABSENT and second is not ABSENT and not same(first, second)
    alike = type(first) is type(expected) or all(isinstance(v, (int, float)) for v in (first, expected))
    return first if changes and alike else expected


def first_difference(expected: Any, got: Any, path: str = "") -> str:
    """Where two values part, for a person."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in [*expected, *(k for k in got if k not in expected)]:
            if not same(expected.get(key), got.get(key)):
                return first_difference(expected.get(key), got.get(key), f"{path}.{key}" if path else key)
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for number, (one, other) in enumerate(zip(expected, got, strict=True)):
            if not same(one, other):
                return first_difference(one, other, f"{path}[{number}]")
    return f"{path or 'result'}: {_short(got)} instead of {_short(expected)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
