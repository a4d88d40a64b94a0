"""YAML 1.2, core schema: NO and on are texts, 0022 is twenty-two, 0x1F and 0o17 are numbers, dates are texts."""

import math
import re
from typing import Any, ClassVar

import yaml

from citynet.errors import BadInput

INT, FLOAT, BOOL, NULL = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null"))
MERGE = "tag:yaml.org,2002:merge"


class _Core(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A loader that knows no YAML 1.1."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


for _tag, _form, _first in (
    (NULL, r"^(?:~|null|Null|NULL|)$", [*"~nN", ""]),
    (BOOL, r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    (INT, r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    (
        FLOAT,
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        list("-+0123456789."),
    ),
    (MERGE, r"^<<$", ["<"]),
):
    _Core.add_implicit_resolver(_tag, re.compile(_form), _first)


def _int(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node)
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text, base) if base == 10 else int(text[2:], base)


def _float(loader: Any, node: Any) -> float:
    text = loader.construct_scalar(node).lower()
    if text.endswith((".inf", ".nan")):
        return math.nan if text.endswith("nan") else -math.inf if text.startswith("-") else math.inf
    return float(text)


_Core.add_constructor(INT, _int)
_Core.add_constructor(FLOAT, _float)


def _key(key: object) -> str:
    """A key as JavaScript writes it."""
    if isinstance(key, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[key]
    return str(int(key)) if isinstance(key, float) and key.is_integer() else str(key)


def _plain(found: Any) -> Any:
    if isinstance(found, dict):
        return {_key(key): _plain(value) for key, value in found.items()}
    return [_plain(value) for value in found] if isinstance(found, list) else found


def load(text: str) -> Any:
    """The document, keys as texts. Raises BadInput."""
    try:
        return _plain(yaml.load(text, _Core))  # noqa: S506 (a safe loader)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        raise BadInput("not_yaml", str(error)) from error
