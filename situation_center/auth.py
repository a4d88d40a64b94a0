"""Accounts, sign-in, sessions: who is this? Used by the sign-in page, the REST API and every websocket."""

from citynet.access import Actor
from citynet.errors import Forbidden
from citynet.settings import Settings
from situation_center.store import Center


class SlowDown(Forbidden):
    """Too many failed attempts from one address; try again in retry_s seconds."""

    def __init__(self, retry_s: int) -> None:
        super().__init__(f"too many attempts: try again in {retry_s} s")
        self.retry_s = retry_s


def cookie_name(settings: Settings) -> str:
    """__Host-citynet over https, citynet over plain http (demo on the loopback)."""
    raise NotImplementedError


async def sign_in(db: Center, login: str, password: str, *, address: str, client: str = "") -> str:
    """The token of a new session. Raises Forbidden (one word for all reasons) or SlowDown."""
    raise NotImplementedError


async def sign_in_by_link(db: Center, token: str, *, address: str, client: str = "") -> str:
    """Use up a one-time link /signin?link=<token>; the token of a new session. Raises Forbidden or SlowDown."""
    raise NotImplementedError


async def sign_out(db: Center, token: str) -> None:
    """End a session."""
    raise NotImplementedError


async def actor_of(db: Center, token: str | None) -> Actor | None:
    """Who holds this session, or None when there is none (signed out, idle, too old, account switched off).

    Answers are kept for 5 s: sockets that ask every 10 s learn of a sign-out in time.
    """
    raise NotImplementedError


async def actor_of_key(db: Center, key: str) -> Actor | None:
    """Who holds this API key (Authorization: Bearer)."""
    raise NotImplementedError


async def set_preferences(db: Center, actor: Actor, *, language: str | None = None, theme: str | None = None) -> None:
    """Language (ru, en) and theme (dark, light) of the actor's own account."""
    raise NotImplementedError


async def set_password(db: Center, actor: Actor, *, old: str | None, new: str) -> None:
    """Change the actor's own password; old may be None only when none is set. Raises BadInput, Forbidden."""
    raise NotImplementedError


async def issue_link(db: Center, login: str, *, by: str) -> str:
    """Address of a one-time sign-in, good for 30 minutes. Raises NotFound."""
    raise NotImplementedError
