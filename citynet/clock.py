"""The city clock: all parts read it for event time, watermarks and timers; latencies use time.monotonic()."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from citynet.errors import BadInput

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


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


def moment(text: str, now: datetime) -> datetime:
    """The moment that 90m, 2h, 3d (so long ago) or an ISO 8601 time means; local without a zone. Raises BadInput."""
    try:
        if text[-1:] in UNITS:
            return now - timedelta(**{UNITS[text[-1]]: float(text[:-1])})
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise BadInput("bad_time", f"{text!r} is neither 90m, 2h, 3d nor a time such as 2026-03-01T10:00Z") from error
    return found if found.tzinfo else found.astimezone()
