"""How much each credential may push: a bucket that fills by the second. Pure; time is given."""

from dataclasses import dataclass, field
from math import ceil

BURST_S = 10
KEYS_MAX = 50_000


@dataclass
class Rates:
    """Buckets by key. A request is let in while there is one in its bucket, and may leave it in debt: so a large batch
    passes whole, and the next one waits."""

    per_s: float
    level: dict[object, tuple[float, float]] = field(default_factory=dict)

    def wait_s(self, key: object, *, now: float) -> int:
        """Whole seconds until key is let in; 0 = now."""
        left = self._left(key, now)
        return 0 if left >= 1 else ceil((1 - left) / self.per_s)

    def spend(self, key: object, cost: float, *, now: float) -> None:
        """Take cost out of the bucket of key."""
        left = self._left(key, now) - cost
        self.level.pop(key, None)
        self.level[key] = left, now  # last in order, so that the oldest are forgotten first
        while len(self.level) > KEYS_MAX:
            self.level.pop(next(iter(self.level)))

    def _left(self, key: object, now: float) -> float:
        full = self.per_s * BURST_S
        left, at = self.level.get(key, (full, now))
        return min(full, left + (now - at) * self.per_s)
