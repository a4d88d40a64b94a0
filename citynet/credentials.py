"""Which device proves what it says it is: the read side of device credentials, for sign-in by MQTT and by HTTP."""

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import psycopg
import psycopg_pool

from citynet.db import Database, Row, named_sql

SQL = named_sql(Path(__file__).with_name("credentials.sql"))
TOKEN_BYTES = 32
# Longer is no token of ours: refused before it is hashed.
TOKEN_CHARS_MAX = 200
ANSWER_S = 1.0
REMEMBERED = 200_000


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential of a living device that nobody has revoked; whether it is valid now is asked with usable()."""

    credential_id: int
    device_id: int
    external_id: str
    kind: Literal["token", "x509"]
    sha256: bytes | None
    subject: str
    valid_from: datetime
    valid_to: datetime | None

    def usable(self, at: datetime) -> bool:
        """Whether it is valid at a wall time."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


def new_token() -> str:
    """A device token: 256 random bits as text."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> bytes:
    """What is stored of a token: SHA-256. It is random, so nothing slower is needed."""
    return hashlib.sha256(token.encode()).digest()


def client_id(external_id: str) -> str:
    """The only MQTT client id of a device: its identifier; the dot, which the broker takes in none, is written %2E."""
    return external_id.replace("%", "%25").replace(".", "%2E")


def device_of(client_id: str) -> str:
    """The device whose client id this is, if it is one's."""
    return client_id.replace("%2E", ".").replace("%25", "%")


def _credential(row: Row) -> Credential:
    return Credential(**row | {"sha256": bytes(row["sha256"]) if row["sha256"] is not None else None})


async def of_devices(db: Database, external_ids: Collection[str]) -> dict[str, list[Credential]]:
    """Credentials of each device that has one, in one query. Raises psycopg.OperationalError, PoolTimeout."""
    found: dict[str, list[Credential]] = defaultdict(list)
    keys = [f"device/{name}" for name in external_ids if "\0" not in name]
    for row in await db.rows(SQL["of_devices"], {"keys": keys}):
        found[row["external_id"]].append(_credential(row))
    return dict(found)


async def of_token(db: Database, token: str) -> Credential | None:
    """The usable credential of a token that came without a name, as by HTTP: who holds it is that device."""
    if len(token) > TOKEN_CHARS_MAX:
        return None
    row = await db.row(SQL["of_token"], {"sha256": digest(token)})
    found = _credential(row) if row else None
    return found if found and found.usable(datetime.now(UTC)) else None


def with_token(credentials: Iterable[Credential], token: str) -> Credential | None:
    """The token credential that matches; compared in constant time, without looking at validity."""
    if len(token) > TOKEN_CHARS_MAX:
        return None
    given = digest(token)
    tokens = (c for c in credentials if c.kind == "token" and c.sha256 is not None)
    return next((c for c in tokens if hmac.compare_digest(c.sha256 or b"", given)), None)


def with_certificate(credentials: Iterable[Credential], subject: str, fingerprint: bytes) -> Credential | None:
    """The certificate credential that matches: this very certificate, or any of the subject where none is named."""
    for credential in credentials:
        this = credential.sha256 is None or hmac.compare_digest(credential.sha256, fingerprint)
        if this and credential.kind == "x509" and hmac.compare_digest(credential.subject.encode(), subject.encode()):
            return credential
    return None


class Known:
    """Credentials for a service that answers sign-ins: fresh from the database, or as last known while it is away.

    Nobody can revoke anything while the database is away, so what was true then is true.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._last: OrderedDict[str, list[Credential]] = OrderedDict()
        self.away = False

    async def of_devices(self, external_ids: Collection[str]) -> dict[str, list[Credential] | None]:
        """Credentials of each device; None for one that nobody can look up now."""
        try:
            async with asyncio.timeout(ANSWER_S):
                found = await of_devices(self._db, external_ids)
        except (psycopg.Error, psycopg_pool.PoolTimeout, OSError, TimeoutError):
            self.away = True
            return {name: self._last.get(name) for name in external_ids}
        self.away = False
        for name in external_ids:
            self._remember(name, found.get(name, []))
        return {name: found.get(name, []) for name in external_ids}

    def _remember(self, name: str, credentials: list[Credential]) -> None:
        self._last.pop(name, None)
        if credentials:
            self._last[name] = credentials
        while len(self._last) > REMEMBERED:
            self._last.popitem(last=False)

    async def ended(self, within: timedelta) -> list[tuple[str, datetime]]:
        """Devices of which a credential ended within that time, and when; none while the database is away."""
        try:
            rows = await self._db.rows(SQL["ended"], {"within": within})
        except (psycopg.Error, psycopg_pool.PoolTimeout, OSError):
            return []
        return [(row["external_id"], row["at"]) for row in rows]
