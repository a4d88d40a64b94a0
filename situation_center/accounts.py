"""Accounts, one-time links, API keys and the demo's people. Called by the commands and by administrators."""

import os
import secrets
from dataclasses import dataclass
from datetime import datetime

from citynet.access import POLICY, Actor, require
from citynet.catalog import catalog
from citynet.db import Connection, Database
from citynet.errors import BadInput, NotFound
from citynet.settings import Settings
from situation_center.auth import HASHER, check_password, digest
from situation_center.store import SQL

LINK_MINUTES = 30
OPERATOR_OF_MACHINE = "part:cli"


@dataclass(frozen=True)
class NewAccount:
    """What an account is made of; services empty = all."""

    login: str
    role: str
    title: str = ""
    services: tuple[str, ...] = ()
    org: str | None = None
    language: str = "ru"


DEMO = (
    NewAccount("operator", "operator", "Оператор"),
    NewAccount("senior", "senior_operator", "Старший оператор"),
    NewAccount("water", "utility_dispatcher", "Диспетчер водоканала", services=("water",), org="org/water"),
    NewAccount("executive", "executive", "Руководитель"),
)


def base_url(settings: Settings) -> str:
    """Address under which people reach the screens, without a slash at the end."""
    host = "127.0.0.1" if settings.web_host == "0.0.0.0" else settings.web_host  # noqa: S104
    return (settings.public_url or f"http://{host}:{settings.web_port}").rstrip("/")


async def add(db: Database, account: NewAccount, *, by: str, password: str | None = None) -> int:
    """Create an account; its id. Without a password it is entered by a link. Raises BadInput."""
    if account.role not in POLICY:
        raise BadInput("unknown_role", f"{account.role}: one of {', '.join(POLICY)}")
    unknown = set(account.services) - set(catalog().services)
    if unknown:
        raise BadInput("unknown_service", ", ".join(sorted(unknown)))
    if password is not None:
        check_password(account.login, password)
    hashed = HASHER.hash(password) if password is not None else None
    detail = {"role": account.role, "services": list(account.services)}
    async with db.transaction(by, action="account.add", object_=account.login, detail=detail) as conn:
        return await _insert(conn, account, hashed)


async def _insert(conn: Connection, account: NewAccount, hashed: str | None) -> int:
    given = {
        "login": account.login,
        "title": account.title,
        "hash": hashed,
        "role": account.role,
        "services": list(account.services),
        "org": account.org,
        "language": account.language,
    }
    row = await (await conn.execute(SQL["add_account"], given)).fetchone()
    if row is None:
        raise BadInput("login_taken", f"{account.login}: choose another")
    return int(row["account_id"])


async def add_by(db: Database, actor: Actor, account: NewAccount) -> int:
    """An administrator creates an account."""
    require(actor, "account.write")
    return await add(db, account, by=actor.name)


async def issue_link(db: Database, settings: Settings, login: str, *, by: str = OPERATOR_OF_MACHINE) -> str:
    """Address of a one-time sign-in, good for 30 minutes. Raises NotFound."""
    token = secrets.token_urlsafe(32)
    async with db.transaction(by, action="account.link", object_=login) as conn:
        given = {"hash": digest(token), "login": login, "minutes": LINK_MINUTES}
        if not (await conn.execute(SQL["add_link"], given)).rowcount:
            raise NotFound(f"no account {login}: make it with `citynet account add`")
    return f"{base_url(settings)}/signin?link={token}"


async def issue_key(db: Database, login: str, *, label: str, expires: datetime | None, by: str) -> str:
    """An API key of an account, shown once. Raises NotFound."""
    key = "cn_" + secrets.token_urlsafe(32)
    async with db.transaction(by, action="account.key", object_=login, detail={"label": label}) as conn:
        given = {"hash": digest(key), "login": login, "label": label, "expires": expires}
        if not (await conn.execute(SQL["add_key"], given)).rowcount:
            raise NotFound(f"no account {login}: make it with `citynet account add`")
    return key


async def ensure_admin(db: Database, settings: Settings) -> str:
    """The first account of an installation: `admin`, entered by link; its login."""
    if not await db.row(SQL["account_by_login"], ["admin"]):
        await add(db, NewAccount("admin", "administrator", "Администратор", language=settings.language), by="part:cli")
    return "admin"


async def ensure_demo(db: Database, settings: Settings) -> None:
    """The demo's people with random passwords, written to <home>/secrets/demo_accounts.txt."""
    lines = []
    for account in DEMO:
        if not await db.row(SQL["account_by_login"], [account.login]):
            password = secrets.token_urlsafe(12)
            await add(db, account, by=OPERATOR_OF_MACHINE, password=password)
            lines.append(f"{account.login}\t{password}\t{account.role}\n")
    if lines:
        path = settings.home / "secrets" / "demo_accounts.txt"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as file:
            file.writelines(lines)
