"""Reads and checks schemas/quantities.toml and schemas/services/*.toml; every room takes its words from here."""

import math
import tomllib
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from citynet import units
from citynet.errors import ConfigError
from citynet.units import Line
from schemas import ROOT


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt limit must not be silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Quantity(Strict):
    """What is measured: UCUM unit, plausible range, kind; a position outside of its range is refused, not marked."""

    unit: str
    kind: Literal["gauge", "cumulative", "code", "position"] = "gauge"
    min: float | None = None
    max: float | None = None
    name_ru: str
    name_en: str


@lru_cache(maxsize=4_096)
def _line(scale: float, offset: float, *, given: str, wanted: str, quantity: str) -> Line:
    """Of every device of a profile the same, so that it is computed once."""
    line = units.line(given, wanted, quantity)
    if line is None:
        raise ConfigError(f"{quantity} is in {wanted}: a value in {given} cannot become that")
    return Line(Fraction(repr(scale)), Fraction(repr(offset))).then(line)


class Mapping(Strict):
    """Payload key -> quantity; value = payload * scale + offset, in unit, converted to the unit of the quantity.

    scale is also the weight of a pulse (0.01 with unit m3). codes says what texts and numbers mean: {"open" = 1}.
    wraps: the payload at which a register starts again at 0, such as 100000 for five digits.
    """

    quantity: str
    channel: str = ""
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    codes: dict[str, float] = {}
    invert: bool = False
    wraps: float | None = Field(None, gt=0)

    @field_validator("scale", "offset", "wraps")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError("must be a finite number")
        return value

    def line(self, wanted: str) -> Line:
        """The whole conversion to the unit wanted. Raises ConfigError where it cannot be."""
        if self.invert:
            return Line(Fraction(-1), Fraction(1))
        return _line(self.scale, self.offset, given=self.unit or wanted, wanted=wanted, quantity=self.quantity)

    def line_of(self, given: str, wanted: str) -> Line | None:
        """What makes of a value in the unit given the payload that line() awaits; None where it is of another kind."""
        if self.codes or self.invert or not self.scale:
            return Line()
        try:
            whole = _line(self.scale, self.offset, given=given, wanted=wanted, quantity=self.quantity)
        except ConfigError:
            return None
        return whole.then(self.line(wanted).inverse)


class Argument(Strict):
    """A typed argument of a command."""

    name: str
    type: Literal["number", "bool", "text"] = "number"
    min: float | None = None
    max: float | None = None
    default: float | bool | str | None = None
    unit: str = ""
    title_ru: str = ""
    title_en: str = ""


class Expectation(Strict):
    """The effect that telemetry must show: value, or the value of an argument times scale."""

    quantity: str
    channel: str = ""
    value: float | None = None
    arg: str | None = None
    scale: float = 1.0
    compare: Literal["eq", "le", "ge"] = "eq"
    tolerance: float = 0.0
    window_s: int = 120


class CommandSpec(Strict):
    """What a device can be told to do."""

    name: str
    title_ru: str
    title_en: str
    right: str = "command.request"
    dangerous: bool = False
    ttl_s: int = 120
    arg: list[Argument] = []
    expect: Expectation | None = None
    # What a script's encodeDownlink gets as data; "$name" stands for an argument, None for {command: name, arguments}.
    downlink: dict[str, Any] | None = None
    f_port: int | None = Field(None, ge=1, le=223)


REGISTER_BYTES = {"int32": 4, "uint32": 4, "float32": 4, "bcd32": 4, "int64": 8, "uint64": 8, "float64": 8}


class Register(Strict):
    """One value of a Modbus device. order names the bytes ABCD of a number as they are sent; absent = no value."""

    key: str
    address: int = Field(ge=0, le=65_535)
    type: Literal[
        "bit", "bcd16", "bcd32", "int16", "uint16", "int32", "uint32", "float32", "int64", "uint64", "float64"
    ]
    order: Literal["ABCD", "CDAB", "BADC", "DCBA"] = "ABCD"
    bit: int = Field(0, ge=0, le=15)
    absent: float | None = None

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return REGISTER_BYTES.get(self.type, 2)


class ModbusBlock(Strict):
    """Registers that come together: the first one's address, the port they come on, and what is around them."""

    f_port: int | None = None
    start: int = Field(0, ge=0, le=65_535)
    framing: Literal["registers", "pdu", "rtu", "tcp"] = "registers"
    registers: list[Register] = Field(max_length=500)


ProtocolName = Literal["native", "chirpstack", "things_stack"]
PROTOCOLS: tuple[str, ...] = get_args(ProtocolName)


class Profile(Strict):
    """How devices of one kind speak and what they measure.

    language names what of gateway/devices reads raw bytes: a standard (wmbus, dlms, modbus) or a family such as
    lamp-lora; empty = the family of the profile's own name. objects: OBIS codes of DLMS lists whose values carry none,
    the list of the right length is taken; block: registers of a Modbus device.
    """

    name: str
    class_: str = Field(alias="class")
    protocol: ProtocolName = "native"
    lateness_s: int = 60
    interval_s: int = 3600
    # True: the device knows a command id that it has had, so the same command may go out again.
    dedup_commands: bool = False
    language: str = ""
    objects: list[list[str]] = []
    block: list[ModbusBlock] = []
    # LoRaWAN: A hears only after it has spoken, B in its ping slots, C always; empty for what is always connected.
    radio_class: Literal["", "A", "B", "C"] = ""
    # Region of schemas/regions.toml and spreading factor of downlinks: how long one keeps its gateway from the next.
    region: Literal["EU868", "RU864"] = "EU868"
    downlink_sf: int = Field(12, ge=7, le=12)
    map: dict[str, Mapping]
    command: list[CommandSpec] = []


class Rule(Strict):
    """When a condition opens: text is the CEL subset of docs/reference/rules.md."""

    id: str
    kind: Literal["operational", "log"] = "operational"
    severity: Literal["critical", "high", "medium", "low"]
    signal: str
    class_: str = Field(alias="class")
    text: str = ""
    hold_s: int = 0
    clear_s: int = 0
    title_ru: str
    title_en: str
    why_ru: str
    why_en: str
    action_ru: str = ""
    action_en: str = ""
    parent: str | None = None
    # The part that tells of it by itself; such a rule has no text and analytics leaves it alone.
    told_by: str = ""


class System(Strict):
    """Rules that parts tell of by themselves: schemas/system.toml."""

    rule: list[Rule]


class Panel(Strict):
    """One panel of the service page."""

    kind: Literal["series", "kpi", "table", "heat"]
    quantity: str
    class_: str | None = Field(None, alias="class")
    aggregate: Literal["sum", "mean", "max", "min", "count", "none"] = "none"
    title_ru: str
    title_en: str


class Heat(Strict):
    """A quantity that the map can show as a field."""

    quantity: str
    min: float
    max: float
    title_ru: str
    title_en: str


class Service(Strict):
    """A city service, whole: schemas/services/<name>.toml."""

    name: str
    title_ru: str
    title_en: str
    menu_ru: str = ""  # short, for the menu; empty = the title
    menu_en: str = ""
    icon: str
    order: int
    classes: list[str]
    profile: list[Profile] = []
    rule: list[Rule] = []
    panel: list[Panel] = []
    heat: list[Heat] = []


@dataclass(frozen=True)
class Catalog:
    """All words of the city."""

    quantities: dict[str, Quantity]
    services: dict[str, Service]
    # Scripts by the name of their profile: codecs/<profile>.js.
    codecs: dict[str, str] = field(default_factory=dict)
    system: tuple[Rule, ...] = ()

    @property
    def profiles(self) -> dict[str, Profile]:
        """Profiles of all services by name."""
        return {p.name: p for s in self.services.values() for p in s.profile}

    @property
    def rules(self) -> dict[str, Rule]:
        """Rules of all services, and those that parts tell of, by id."""
        return {r.id: r for rules in (self.system, *(s.rule for s in self.services.values())) for r in rules}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name} is not TOML: {error}") from error


def check_profile(profile: Profile, quantities: dict[str, Quantity]) -> None:
    """Raises ConfigError where a mapping names an unknown quantity or a unit that cannot become the quantity's."""
    for key, mapping in profile.map.items():
        if mapping.quantity not in quantities:
            raise ConfigError(f"profile {profile.name}, {key}: the quantity {mapping.quantity!r} is unknown")
        try:
            mapping.line(quantities[mapping.quantity].unit)
        except ConfigError as error:
            raise ConfigError(f"profile {profile.name}, {key}: {error}") from error


def _check(quantities: dict[str, Quantity], service: Service) -> None:
    used = [m.quantity for p in service.profile for m in p.map.values()]
    used += [c.expect.quantity for p in service.profile for c in p.command if c.expect]
    used += [p.quantity for p in service.panel if p.quantity] + [h.quantity for h in service.heat]
    for name in used:
        if name not in quantities:
            raise ConfigError(f"services/{service.name}.toml names the unknown quantity {name!r}")
    for profile in service.profile:
        check_profile(profile, quantities)


def read(root: Path) -> Catalog:
    """The catalogue under a folder with quantities.toml and services/. Raises ConfigError naming file and key."""
    try:
        raw = _read(root / "quantities.toml")
        quantities = {name: Quantity.model_validate(body) for name, body in raw.items()}
        services = [Service.model_validate(_read(path)) for path in sorted((root / "services").glob("*.toml"))]
        told = root / "system.toml"
        system = System.model_validate(_read(told)).rule if told.exists() else []
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(word) for word in first["loc"])
        raise ConfigError(f"{error.title}: {where}: {first['msg']}") from error
    for service in services:
        _check(quantities, service)
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in sorted((root / "codecs").glob("*.js"))}
    found = Catalog(quantities, {s.name: s for s in sorted(services, key=lambda s: s.order)}, scripts, tuple(system))
    for name in scripts:
        if name not in found.profiles:
            raise ConfigError(f"codecs/{name}.js: no profile is called {name}")
    return found


@cache
def catalog() -> Catalog:
    """The shipped catalogue."""
    return read(ROOT)
