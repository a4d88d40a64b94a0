"""The city clock: all parts read it for event time, watermarks and timers; latencies use time.monotonic()."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Clock:
    """City time = origin + (wall - wall_origin) * speed. Speed 1 and equal origins is plain wall time."""

    origin: datetime
    wall_origin: datetime
    speed: float = 1.0

    def now(self) -> datetime:
        """City time now, aware UTC."""
        return self.at(datetime.now(UTC))

    def at(self, wall: datetime) -> datetime:
        """City time at a wall moment."""
        return self.origin + (wall - self.wall_origin) * self.speed

    def wall_s(self, city: timedelta) -> float:
        """Wall seconds that a span of city time takes."""
        return city.total_seconds() / self.speed


def wall_clock() -> Clock:
    """The clock of a real city: city time is wall time."""
    moment = datetime.now(UTC)
    return Clock(moment, moment, 1.0)
