"""Classes of objects with typed attributes: schemas/classes.toml, its models, and the check of attributes on write."""

import math
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache, cached_property
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import ValidationError

from citynet.catalog import Strict
from citynet.errors import BadInput, ConfigError
from schemas import ROOT

Kind = Literal["text", "number", "bool", "date", "enum", "link", "image", "geometry", "list"]
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
TEXT_MAX = 2_000
LIST_MAX = 200


class Attribute(Strict):
    """One attribute of a class. order: systems that may write it, the first one has the last word; empty = anybody."""

    name: str
    type: Kind = "text"
    title_ru: str
    title_en: str
    unit: str = ""
    values: tuple[str, ...] = ()
    required: bool = False
    order: tuple[str, ...] = ()


class ObjectClass(Strict):
    """A class of objects. open: programs may add attributes beyond the listed ones. order: see Attribute."""

    name: str
    title_ru: str
    title_en: str
    open: bool = True
    order: tuple[str, ...] = ()
    attribute: tuple[Attribute, ...] = ()

    @cached_property
    def _by_name(self) -> dict[str, Attribute]:
        return {a.name: a for a in self.attribute}

    @cached_property
    def ordered(self) -> bool:
        """Whether some system goes before another anywhere in the class."""
        return bool(self.order) or any(a.order for a in self.attribute)

    def find(self, name: str) -> Attribute | None:
        """The definition of an attribute."""
        return self._by_name.get(name)

    @property
    def image(self) -> Attribute | None:
        """The attribute with the address of a picture of the object, the first one."""
        return next((a for a in self.attribute if a.type == "image"), None)

    def order_of(self, field: str) -> tuple[str, ...]:
        """The systems that may write a field or attribute, the master first."""
        found = self.find(field)
        return found.order if found and found.order else self.order

    def check(self, attributes: Mapping[str, Any]) -> None:
        """Raise BadInput (bad_attribute, unknown_attribute, missing_attribute) for what does not fit."""
        for name, value in attributes.items():
            found = self.find(name)
            if found is None and not self.open:
                raise BadInput("unknown_attribute", f"{self.name} has no attribute {name}")
            if found is not None and not fits(found, value):
                raise BadInput("bad_attribute", f"{name} of {self.name} is no {_wanted(found)}: {str(value)[:80]}")
        missing = [a.name for a in self.attribute if a.required and attributes.get(a.name) in (None, "")]
        if missing:
            raise BadInput("missing_attribute", f"{self.name} needs {', '.join(missing)}")


def _wanted(attribute: Attribute) -> str:
    return f"one of {', '.join(attribute.values)}" if attribute.type == "enum" else attribute.type


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= TEXT_MAX and value.isprintable()


def _date(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _fetchable(value: str) -> bool:
    """An http or https address; a password has no place in it, since whoever sees the object sees its attributes."""
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False


def fits(attribute: Attribute, value: Any) -> bool:
    """Whether a value is of the attribute's type."""
    match attribute.type:
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        case "bool":
            return isinstance(value, bool)
        case "date":
            return _date(value)
        case "enum":
            return value in attribute.values
        case "link":
            return _text(value) and value.startswith(("https://", "http://", "rtsp://", "/"))
        case "image":
            return _text(value) and _fetchable(value)
        case "geometry":
            return isinstance(value, dict) and "type" in value
        case "list":
            return isinstance(value, list) and len(value) <= LIST_MAX
        case _:
            return _text(value)


def validate(name: str, body: Mapping[str, Any]) -> ObjectClass:
    """A class from its body. Raises BadInput naming the first thing that does not fit."""
    try:
        made = ObjectClass.model_validate({**body, "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput("bad_class", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if not NAME.fullmatch(name):
        raise BadInput("bad_class", "name: small Latin letters, digits and _")
    names = [a.name for a in made.attribute]
    if len(set(names)) < len(names):
        raise BadInput("bad_class", f"{name}: an attribute is named twice")
    empty = [a.name for a in made.attribute if a.type == "enum" and not a.values]
    if empty:
        raise BadInput("bad_class", f"{name}: {empty[0]} is an enum without values")
    return made


@cache
def shipped() -> dict[str, ObjectClass]:
    """The classes of schemas/classes.toml. Raises ConfigError naming the key that is wrong."""
    raw = tomllib.loads((ROOT / "classes.toml").read_text(encoding="utf-8"))
    try:
        return {name: validate(name, body) for name, body in raw.items()}
    except BadInput as error:
        raise ConfigError(f"schemas/classes.toml: {error.detail}") from error
