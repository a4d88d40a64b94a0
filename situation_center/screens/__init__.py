"""The screens: a file registers one page with its path. app.py loads the family, parts/shell.py shows the pages."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from citynet.access import Actor
from citynet.plugins import Family

Build = Callable[[Actor, Mapping[str, str]], Awaitable[Any]]


@dataclass(frozen=True)
class Screen:
    """A page: path is a regular expression with named groups, action the right it needs, build makes its layout."""

    name: str
    path: re.Pattern[str]
    action: str
    build: Build


FAMILY: Family[Screen] = Family("screen")


def register(name: str, *, path: str, action: str = "screen.open") -> Callable[[Build], Build]:
    """Decorator of the coroutine that builds the page for a viewer from the named groups of the path."""

    def add(build: Build) -> Build:
        FAMILY.register(name)(Screen(name, re.compile(path), action, build))
        return build

    return add


@cache
def screens() -> dict[str, Screen]:
    """All pages by name."""
    return FAMILY.load(__name__)


def find(path: str) -> tuple[Screen, dict[str, str]] | None:
    """The page of an address and what its path says, or None."""
    for screen in screens().values():
        match = screen.path.fullmatch(path)
        if match:
            return screen, match.groupdict()
    return None
