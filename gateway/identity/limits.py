"""Slows addresses that fail to sign in again and again, and nobody else behind the same address. Pure; time is given.

A token has 256 bits: nobody guesses one. What is limited is the work that guessing makes.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

FREE = 60  # failures of an address before it is slowed
PER_S = 1.0  # and how many it may have a second from then on
ADDRESSES_MAX, KNOWN_MAX = 10_000, 50_000


@dataclass
class Limits:
    """A bucket of failures for each address, and who has signed in from where: these are judged in any case."""

    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _known: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)

    def refused(self, address: str, name: str, *, now: float) -> bool:
        """Whether to refuse without a look at the registry. A device that has been here before never is."""
        return self._level(address, now) < 1 and (address, name) not in self._known

    def failed(self, address: str, *, now: float) -> None:
        """A sign-in from this address was refused on its merits."""
        self._left[address] = max(0.0, self._level(address, now) - 1), now
        self._left.move_to_end(address)
        while len(self._left) > ADDRESSES_MAX:
            self._left.popitem(last=False)

    def succeeded(self, address: str, name: str) -> None:
        """This device signed in from this address."""
        self._known[address, name] = None
        self._known.move_to_end((address, name))
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    def _level(self, address: str, now: float) -> float:
        left, at = self._left.get(address, (float(FREE), now))
        return min(float(FREE), left + (now - at) * PER_S)
