"""What a screen works with: who is looking, the database, the hub. Filled by app.py, read by gate, screens and api."""

from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from citynet.access import Actor
from citynet.errors import Forbidden, Unavailable
from citynet.ready import Check
from citynet.settings import Settings
from situation_center import metrics
from situation_center.album import Album
from situation_center.gathered import Gathered
from situation_center.live import Hub
from situation_center.store import Center


@dataclass(frozen=True)
class Desk:
    """The connections of the web process. There is one web process with one event loop, so one desk."""

    settings: Settings
    db: Center
    hub: Hub

    @cached_property
    def album(self) -> Album:
        """Pictures of cameras."""
        return Album(self.settings)

    @cached_property
    def figures(self) -> Gathered[tuple[metrics.Seen, list[Check]]]:
        """What /metrics says of broker and database."""
        return Gathered(lambda: metrics.gather(self.db))

    @property
    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return ZoneInfo(self.settings.timezone)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request or socket of a signed-in person; token finds the session again."""

    actor: Actor
    token: str


_visit: ContextVar[Visit | None] = ContextVar("visit", default=None)
_open: list[Desk] = []


def open_desk(desk: Desk | None) -> None:
    """Set the desk when the web process has its connections; None when it ends."""
    _open[:] = [desk] if desk else []


def desk() -> Desk:
    """The desk. Raises Unavailable while the process starts."""
    if not _open:
        raise Unavailable("the web process is starting: try again")
    return _open[0]


def enter(visit: Visit | None) -> None:
    """The gate says who is looking; callbacks of this request inherit it."""
    _visit.set(visit)


def current() -> Visit | None:
    """Who is looking, if anybody is signed in."""
    return _visit.get()


def visit() -> Visit:
    """Who is looking. Raises Forbidden outside a signed-in request."""
    found = current()
    if found is None:
        raise Forbidden("nobody is signed in: sign in again")
    return found


def viewer() -> Actor:
    """The person who is looking."""
    return visit().actor
