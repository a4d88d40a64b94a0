"""Buckets that fill by the second, one a key: how much of something each key may have. Pure; time is given."""

from collections import OrderedDict
from dataclasses import dataclass, field
from math import ceil

KEYS_MAX = 50_000


@dataclass
class Buckets:
    """A key is let in while there is one in its bucket, and may leave it in debt: what is large passes whole, and the
    next one waits. floor bounds the debt; of more than keys_max keys the one that spent longest ago is full again."""

    per_s: float
    full: float
    floor: float = float("-inf")
    keys_max: int = KEYS_MAX
    _levels: OrderedDict[object, tuple[float, float]] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._levels)

    def level(self, key: object, *, now: float) -> float:
        """What is in the bucket of key."""
        left, at = self._levels.get(key, (self.full, now))
        return min(self.full, left + (now - at) * self.per_s)

    def wait_s(self, key: object, *, now: float) -> int:
        """Whole seconds until key is let in; 0 = now."""
        left = self.level(key, now=now)
        return 0 if left >= 1 else ceil((1 - left) / self.per_s)

    def spend(self, key: object, cost: float, *, now: float) -> None:
        """Take cost out of the bucket of key."""
        self._levels[key] = max(self.floor, self.level(key, now=now) - cost), now
        self._levels.move_to_end(key)
        while len(self._levels) > self.keys_max:
            self._levels.popitem(last=False)
