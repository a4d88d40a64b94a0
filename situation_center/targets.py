"""Which devices an action on an object reaches, and with which typed arguments. For commands.py and the read models."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from citynet.catalog import Argument, CommandSpec, Expectation, Profile
from citynet.db import Row
from citynet.errors import BadInput
from citynet.model import Command

Value = float | str | bool
TEXT_CHARS_MAX = 200
RADIO_MARGIN_S = 60


@dataclass(frozen=True)
class Target:
    """A point with its device and what the device can be told."""

    row: Row
    profile: Profile

    @property
    def object_id(self) -> int:
        """The point."""
        return int(self.row["object_id"])

    def spec(self, action: str) -> CommandSpec | None:
        """The command of that name."""
        return next((c for c in self.profile.command if c.name == action), None)

    def lifetime(self, spec: CommandSpec) -> timedelta:
        """How long it may take to reach the device. Who is heard first, class A and by HTTP: twice in that."""
        seldom = self.profile.radio_class == "A" or self.row["device_attributes"].get("downlink") == "http"
        heard_s = 2 * self.profile.interval_s + RADIO_MARGIN_S if seldom else 0
        return timedelta(seconds=max(spec.ttl_s, heard_s))

    def undo(self, command: Row) -> tuple[str, dict[str, Value]] | None:
        """Action and arguments that bring back what telemetry showed before a command; None where nothing can."""
        spec, before = self.spec(command["action"]), command["before"]
        if spec is None or spec.expect is None or before is None:
            return None
        able = [other for other in self.profile.command if other.expect and _same_place(other.expect, spec.expect)]
        for other in able:
            assert other.expect is not None
            fixed = other.expect.value if not other.expect.arg and not other.arg else None
            if fixed is not None and abs(fixed - before) <= other.expect.tolerance:
                return other.name, {}
        for other in able:
            args = _argument_for(other, before)
            if args is not None:
                return other.name, args
        return None

    def message(self, command: Row) -> Command:
        """What gateway gets of a stored command."""
        attributes = dict(self.row["device_attributes"])
        return Command(
            command_id=command["command_id"],
            device_id=self.row["device_id"],
            external_id=attributes.pop("external_id"),
            protocol=attributes.pop("protocol"),
            profile=attributes.pop("profile"),
            action=command["action"],
            args=command["args"],
            deadline=command["deadline"],
            # Keys that open a meter's telegrams are nobody's business on the way down.
            attributes={name: value for name, value in attributes.items() if name not in ("key", "auth_key")},
        )


def _same_place(a: Expectation, b: Expectation) -> bool:
    return (a.quantity, a.channel) == (b.quantity, b.channel)


def _argument_for(spec: CommandSpec, before: float) -> dict[str, Value] | None:
    """The arguments of a command whose only one decides the effect, within its limits."""
    if spec.expect is None or [a.name for a in spec.arg] != [spec.expect.arg] or not spec.expect.scale:
        return None
    try:
        return checked(spec, {spec.arg[0].name: before / spec.expect.scale})
    except BadInput:
        return None


def targets(rows: list[Row]) -> list[Target]:
    """Targets of rows of the query `devices`; those without a known profile or without commands are left out."""
    made = [Target(row, Profile.model_validate(row["profile"])) for row in rows if row["profile"]]
    return [target for target in made if target.profile.command]


def chosen(found: list[Target], object_id: int, action: str) -> list[Target]:
    """The object's own device where it knows the action, else those of its children. Raises BadInput."""
    able = [target for target in found if target.spec(action)]
    own = [target for target in able if target.object_id == object_id]
    if not able:
        raise BadInput("no_such_command", f"nothing here can {action[:40]!r}")
    return own or able


def checked(spec: CommandSpec, args: Mapping[str, Any]) -> dict[str, Value]:
    """Arguments with defaults, each of its type and within its limits. Raises BadInput."""
    unknown = set(args) - {argument.name for argument in spec.arg}
    if unknown:
        raise BadInput("unknown_argument", f"{sorted(unknown)[0][:40]}: {spec.name} takes none of that name")
    return {argument.name: _checked(argument, args.get(argument.name, argument.default)) for argument in spec.arg}


def _checked(argument: Argument, value: Any) -> Value:
    wanted: dict[str, tuple[type, ...]] = {"number": (int, float), "bool": (bool,), "text": (str,)}
    right = isinstance(value, wanted[argument.type]) and (argument.type == "bool" or not isinstance(value, bool))
    if not right:
        raise BadInput("bad_argument", f"{argument.name} must be a {argument.type}")
    if isinstance(value, str):
        if len(value) > TEXT_CHARS_MAX or "\0" in value:
            raise BadInput("bad_argument", f"{argument.name}: at most {TEXT_CHARS_MAX} characters")
        return value
    if isinstance(value, bool):
        return value
    low = -math.inf if argument.min is None else argument.min
    high = math.inf if argument.max is None else argument.max
    if not (math.isfinite(value) and low <= value <= high):
        raise BadInput("out_of_limits", f"{argument.name} must be from {low:g} to {high:g} {argument.unit}".rstrip())
    return float(value)


def effect(spec: CommandSpec, args: Mapping[str, Value]) -> float | None:
    """What telemetry must show, in the unit of the expected quantity; None when nothing is to be seen."""
    if spec.expect is None:
        return None
    value = args[spec.expect.arg] if spec.expect.arg else spec.expect.value
    return float(value) * (spec.expect.scale if spec.expect.arg else 1.0) if value is not None else None
