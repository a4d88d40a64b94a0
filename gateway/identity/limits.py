"""Slows addresses that fail to sign in again and again, and nobody else behind the same address. Pure; time is given.

A token has 256 bits: nobody guesses one. What is limited is the work that guessing makes.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from gateway.buckets import Buckets

FREE = 60  # failures of an address before it is slowed
PER_S = 1.0  # and how many it may have a second from then on
ADDRESSES_MAX, KNOWN_MAX = 10_000, 50_000


@dataclass
class Limits:
    """A bucket of failures for each address, and who has signed in from where: these are judged in any case."""

    _left: Buckets = field(default_factory=lambda: Buckets(PER_S, FREE, floor=0.0, keys_max=ADDRESSES_MAX))
    _known: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)

    def refused(self, address: str, name: str, *, now: float) -> bool:
        """Whether to refuse without a look at the registry. A device that has been here before never is."""
        return self._left.level(address, now=now) < 1 and (address, name) not in self._known

    def failed(self, address: str, *, now: float) -> None:
        """A sign-in from this address was refused on its merits."""
        self._left.spend(address, 1, now=now)

    def succeeded(self, address: str, name: str) -> None:
        """This device signed in from this address."""
        self._known[address, name] = None
        self._known.move_to_end((address, name))
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
