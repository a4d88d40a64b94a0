"""Numbers by OBIS code out of the data of a DLMS push, however the maker arranged them. Used by dlms.py."""

from collections.abc import Iterator
from typing import Any

from citynet.catalog import Profile
from citynet.errors import BadInput
from gateway.devices import Values
from gateway.devices.axdr import Enum


def obis(code: bytes) -> str:
    """1-0:1.8.0 of the six bytes; a last group other than 255 follows a star."""
    a, b, c, d, e, f = code
    return f"{a}-{b}:{c}.{d}.{e}" + ("" if f == 255 else f"*{f}")


def _is_obis(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == 6 and value[5] == 255


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, Enum)


def _scaled(value: float, beside: Any) -> float:
    """The value times ten to the scaler of a [scaler, unit] beside it."""
    if isinstance(beside, list) and len(beside) == 2 and _is_number(beside[0]) and isinstance(beside[1], Enum):
        power = int(beside[0])
        return float(value * 10**power if power >= 0 else value / 10**-power)
    return float(value)


def _pairs(node: Any) -> Iterator[tuple[str, float]]:
    """OBIS and number wherever a value follows its code, alone or in a structure of its own."""
    if not isinstance(node, list):
        return
    for at, item in enumerate(node):
        if _is_obis(item) and at + 1 < len(node) and _is_number(node[at + 1]):
            yield obis(item), _scaled(node[at + 1], node[at + 2] if at + 2 < len(node) else None)
        else:
            yield from _pairs(item)


def _object_list(body: Any) -> list[bytes] | None:
    """The OBIS codes of the list of COSEM objects that some meters send first: class, code, attribute, index."""
    if not isinstance(body, list) or not body or not isinstance(body[0], list) or not body[0]:
        return None
    objects = body[0]
    if all(isinstance(o, list) and len(o) == 4 and _is_obis(o[1]) and _is_number(o[0]) for o in objects):
        return [o[1] for o in objects]
    return None


def _in_order(body: Any, profile: Profile | None) -> Iterator[tuple[str, float]]:
    """Values that carry no code: in the order of the object list of the message, or of a list of the profile."""
    values = body if isinstance(body, list) else [body]
    told = _object_list(body)
    if told is not None:
        names = [obis(code) for code in told]
        values = values if len(names) == len(values) else values[1:]
    else:
        lists = profile.objects if profile else []
        names = next((names for names in lists if len(names) == len(values)), [])
    if len(names) != len(values):
        raise BadInput("unknown_list", f"{len(values)} values and no list of as many objects in the profile")
    yield from ((name, float(value)) for name, value in zip(names, values, strict=True) if _is_number(value))


def by_code(body: Any, profile: Profile | None) -> Values:
    """Every number that has a code; without codes those that the order gives. Raises BadInput (unknown_list)."""
    found = dict(_pairs(body)) if _object_list(body) is None else {}
    return found or dict(_in_order(body, profile))
