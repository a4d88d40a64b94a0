"""Checks a command against the profile once more before it leaves: known action, typed arguments within limits."""

from citynet.catalog import Argument, CommandSpec, Profile
from citynet.errors import BadInput
from citynet.model import Command


def check_argument(argument: Argument, value: object) -> None:
    """Raise BadInput unless value fits the profile's words."""
    kinds: dict[str, tuple[type, ...]] = {"number": (int, float), "bool": (bool,), "text": (str,)}
    fits = isinstance(value, kinds[argument.type]) and (argument.type == "bool" or not isinstance(value, bool))
    if not fits:
        raise BadInput("bad_argument", f"{argument.name} is {value!r}, not a {argument.type}")
    if isinstance(value, (int, float)):
        low, high = argument.min, argument.max
        if (low is not None and value < low) or (high is not None and value > high):
            raise BadInput("bad_argument", f"{argument.name} = {value} is not within {low} to {high} {argument.unit}")


def specification(command: Command, profile: Profile | None) -> CommandSpec:
    """The profile's entry of the command, its arguments checked. Raises BadInput."""
    found = [spec for spec in (profile.command if profile else []) if spec.name == command.action]
    if not found:
        raise BadInput("unknown_action", f"profile {command.profile} has no command {command.action}")
    for argument in found[0].arg:
        value = command.args.get(argument.name, argument.default)
        if value is None:
            raise BadInput("bad_argument", f"{argument.name} is missing")
        check_argument(argument, value)
    return found[0]
