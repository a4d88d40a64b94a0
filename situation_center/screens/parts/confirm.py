"""Typed confirmation of what is dangerous: a word for one device, the number of devices for a group."""

from typing import Any

import dash_mantine_components as dmc

from citynet import access
from citynet.access import Actor
from situation_center.screens.parts.failures import Missing
from situation_center.wording import integer, say


def asks(who: Actor, *, dangerous: bool) -> bool:
    """Whether the viewer must type it: those without command.approve wait for a second person instead."""
    return dangerous and access.allowed(who, "command.approve")


def wanted(language: str, devices: int = 1) -> str:
    """What has to be typed."""
    return say(language, "confirm.word") if devices == 1 else str(devices)


def field(language: str, devices: int = 1) -> Any:
    """The input of it."""
    if devices == 1:
        label = say(language, "confirm.type_word", word=wanted(language))
    else:
        label = say(language, "confirm.type_number", n=integer(language, devices))
    return dmc.TextInput(id={"field": "confirm"}, label=label, value="", autoComplete="off")


def check(who: Actor, typed: object, *, dangerous: bool, devices: int = 1) -> None:
    """Raise Missing (confirm) where it was asked for and something else was typed."""
    if asks(who, dangerous=dangerous):
        plain = "".join(str(typed or "").split()).upper()
        if plain != wanted(who.language, devices).upper():
            raise Missing("confirm")
