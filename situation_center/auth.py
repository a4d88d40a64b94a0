"""Sign-in and sessions: who is this? Used by the sign-in page, the REST API and every websocket."""

import asyncio
import hashlib
import math
import secrets
import time

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from citynet.access import Actor, require
from citynet.db import Row
from citynet.errors import BadInput, Forbidden
from citynet.settings import Settings
from situation_center.store import SQL, Center

SESSION_HOURS = 12
IDLE_MINUTES = 30
KEPT_S = 5.0
ACTORS_MAX = 10_000
PASSWORD_CHARS_MIN = 12
HASHER = PasswordHasher()
# Checked when the login is unknown, so that the time of the answer does not tell.
NOBODY = HASHER.hash(secrets.token_urlsafe(16))
REFUSED = "wrong name or password"


class SlowDown(Forbidden):
    """Too many failed attempts from one address; try again in retry_s seconds."""

    def __init__(self, retry_s: int) -> None:
        super().__init__(f"too many attempts: try again in {retry_s} s")
        self.retry_s = retry_s


def cookie_name(settings: Settings) -> str:
    """__Host-citynet over https, citynet over plain http (demo on the loopback)."""
    return "__Host-citynet" if secure(settings) else "citynet"


def secure(settings: Settings) -> bool:
    """Whether people reach the screens over https, so that cookies are Secure."""
    return settings.public_url.startswith("https://")


def digest(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


def _actor(row: Row) -> Actor:
    return Actor(
        account_id=row["account_id"],
        login=row["login"],
        role=row["role"],
        org_id=row["org_id"],
        services=frozenset(row["services"]),
        zone_ids=frozenset(row["zone_ids"]),
        language=row["language"],
        theme=row["theme"],
    )


def _verify(stored: str, password: str) -> bool:
    try:
        return HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


async def password_fits(db: Center, stored: str | None, password: str) -> bool:
    """Check a password beside the event loop; at most two at a time, so that a flood of guesses leaves a core."""
    async with db.hashing:
        fits = await asyncio.to_thread(_verify, stored or NOBODY, password)
    return fits and stored is not None


async def _slow_down(db: Center, login: str, address: str) -> None:
    wait = db.attempts.wait_s(login, address, now=time.monotonic())
    if wait > 0:
        raise SlowDown(math.ceil(wait))


async def _refuse(db: Center, login: str, address: str) -> None:
    db.attempts.failed(login, address, now=time.monotonic())
    detail = {"address": address}
    async with db.transaction("anonymous", action="signin.refused", object_=login[:64], detail=detail):
        pass


async def sign_in(db: Center, login: str, password: str, *, address: str, client: str = "") -> str:
    """The token of a new session. Raises Forbidden (one word for all reasons) or SlowDown."""
    login = login.strip().lower()[:64].replace("\0", "")
    await _slow_down(db, login, address)
    account = await db.row(SQL["account_by_login"], [login])
    if not await password_fits(db, account["password_hash"] if account else None, password[:1024]) or not account:
        await _refuse(db, login, address)
        raise Forbidden(REFUSED)
    db.attempts.succeeded(login, address)
    return await _open_session(db, account, address=address, client=client)


async def sign_in_by_link(db: Center, token: str, *, address: str, client: str = "") -> str:
    """Use up a one-time link /signin?link=<token>; the token of a new session. Raises Forbidden or SlowDown."""
    await _slow_down(db, "", address)
    async with db.transaction("anonymous") as conn:
        used = await (await conn.execute(SQL["use_link"], [digest(token)])).fetchone()
        account = used and await (await conn.execute(SQL["account_by_id"], [used["account_id"]])).fetchone()
    if not account:
        await _refuse(db, "", address)
        raise Forbidden("this link was used or is too old: make a new one with `citynet account link`")
    return await _open_session(db, account, address=address, client=client)


async def _open_session(db: Center, account: Row, *, address: str, client: str) -> str:
    token = secrets.token_urlsafe(32)
    actor = _actor(account)
    async with db.transaction(actor.name, action="signin", detail={"address": address}) as conn:
        await conn.execute(SQL["drop_old_sessions"], {"idle_minutes": IDLE_MINUTES})
        given = {"hash": digest(token), "account_id": actor.account_id, "hours": SESSION_HOURS, "client": client[:200]}
        await conn.execute(SQL["add_session"], given)
    return token


async def sign_out(db: Center, token: str) -> None:
    """End a session."""
    actor = await actor_of(db, token)
    db.actors.pop(digest(token), None)
    if actor:
        async with db.transaction(actor.name, action="signout") as conn:
            await conn.execute(SQL["drop_session"], [digest(token)])


async def actor_of(db: Center, token: str | None) -> Actor | None:
    """Who holds this session, or None when there is none (signed out, idle, too old, account switched off).

    Answers are kept for 5 s: sockets that ask every 10 s learn of a sign-out in time.
    """
    if not token:
        return None
    key = digest(token)
    kept = _kept(db, key)
    if kept:
        return kept
    row = await db.row(SQL["session"], {"hash": key, "idle_minutes": IDLE_MINUTES})
    if row is None:
        return None
    actor = _actor(row)
    if row["touch"]:
        async with db.transaction(actor.name) as conn:
            await conn.execute(SQL["touch_session"], [key])
    return _keep(db, key, actor=actor)


async def actor_of_key(db: Center, key: str) -> Actor | None:
    """Who holds this API key (Authorization: Bearer)."""
    kept = _kept(db, digest(key))
    if kept:
        return kept
    row = await db.row(SQL["api_key"], [digest(key)])
    return _keep(db, digest(key), actor=_actor(row)) if row else None


def _kept(db: Center, key: bytes) -> Actor | None:
    actor, until = db.actors.get(key, (None, 0.0))
    return actor if until > time.monotonic() else None


def _keep(db: Center, key: bytes, *, actor: Actor) -> Actor:
    if len(db.actors) >= ACTORS_MAX:
        db.actors.clear()
    db.actors[key] = (actor, time.monotonic() + KEPT_S)
    return actor


async def set_preferences(db: Center, actor: Actor, *, language: str | None = None, theme: str | None = None) -> None:
    """Language (ru, en) and theme (dark, light) of the actor's own account."""
    require(actor, "account.own")
    if language not in (None, "ru", "en") or theme not in (None, "dark", "light"):
        raise BadInput("unknown_preference", "language is ru or en, theme is dark or light")
    async with db.transaction(actor.name, action="account.preferences") as conn:
        given = {"account_id": actor.account_id, "language": language, "theme": theme}
        await conn.execute(SQL["set_preferences"], given)
    db.actors.clear()


def check_password(login: str, password: str) -> None:
    """Raise BadInput for a password that is easily guessed."""
    if len(password) < PASSWORD_CHARS_MIN or len(set(password)) < 6 or login in password.lower():
        raise BadInput("weak_password", f"at least {PASSWORD_CHARS_MIN} different characters, without the name")


async def set_password(db: Center, actor: Actor, *, old: str | None, new: str) -> None:
    """Change the actor's own password; old may be None only when none is set. Ends the other sessions.

    Raises BadInput, Forbidden.
    """
    require(actor, "account.own")
    check_password(actor.login, new)
    account = await db.row(SQL["account_by_id"], [actor.account_id])
    stored = account["password_hash"] if account else None
    if stored and not await password_fits(db, stored, old or ""):
        raise Forbidden("the old password is wrong")
    hashed = await asyncio.to_thread(HASHER.hash, new)
    async with db.transaction(actor.name, action="account.password", object_=actor.login) as conn:
        await conn.execute(SQL["set_password"], {"account_id": actor.account_id, "hash": hashed})
        await conn.execute(SQL["drop_sessions"], [actor.account_id])
    db.actors.clear()
