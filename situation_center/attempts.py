"""Counts failed sign-ins so that guessing gets slow while nobody else is kept out. Pure; time is given."""

from dataclasses import dataclass, field

FREE_PAIR = 5
FREE_ADDRESS = 50
WAIT_S_MAX = 300.0
FORGET_S = 900.0
KEYS_MAX = 10_000


@dataclass
class Failures:
    """Failures of one key: how many, the last one, when the next try is heard."""

    count: int = 0
    last: float = 0.0
    until: float = 0.0


@dataclass
class Attempts:
    """Failures by (login, address) and by address: an attacker elsewhere cannot lock a person out of her own desk."""

    failures: dict[tuple[str, str], Failures] = field(default_factory=dict)

    def wait_s(self, login: str, address: str, *, now: float) -> float:
        """Seconds until this login from this address is heard again; 0 = now."""
        known = (self.failures.get(key, Failures()) for key in self._keys(login, address))
        return max(0.0, *(f.until - now for f in known))

    def failed(self, login: str, address: str, *, now: float) -> None:
        """Note a failure; each beyond the free ones doubles the wait."""
        for key, free in zip(self._keys(login, address), (FREE_PAIR, FREE_ADDRESS), strict=True):
            entry = self.failures.pop(key, Failures())
            if now - entry.last > FORGET_S:
                entry = Failures()
            entry.count, entry.last = entry.count + 1, now
            if entry.count >= free:
                entry.until = now + min(2.0 ** min(entry.count - free, 16), WAIT_S_MAX)
            self.failures[key] = entry  # last in order, so that the oldest are forgotten first
        while len(self.failures) > KEYS_MAX:
            self.failures.pop(next(iter(self.failures)))

    def succeeded(self, login: str, address: str) -> None:
        """The person is known: her own failures are forgotten, those of the address are not."""
        self.failures.pop((login, address), None)

    @staticmethod
    def _keys(login: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
        return (login, address), ("", address)
