"""Families of plugins: a file in a package registers its member by name. Every room with a family uses this."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Generic, TypeVar

from citynet.errors import ConfigError

T = TypeVar("T")


class Family(Generic[T]):
    """Members of one kind, by name. A duplicate name is a start-up error."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._members: dict[str, T] = {}

    @property
    def members(self) -> dict[str, T]:
        """A copy of what is registered; setting it puts an earlier state back."""
        return dict(self._members)

    @members.setter
    def members(self, state: dict[str, T]) -> None:
        self._members = dict(state)

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator: register the decorated class or function under name."""

        def add(member: T) -> T:
            if name in self._members:
                raise ConfigError(f"two {self.kind} plugins are called {name!r}: rename one")
            self._members[name] = member
            return member

        return add

    def load(self, package: str) -> dict[str, T]:
        """Import every module of the package once and give all members by name."""
        root = importlib.import_module(package)
        for module in pkgutil.iter_modules(root.__path__, package + "."):
            importlib.import_module(module.name)
        return dict(sorted(self._members.items()))
