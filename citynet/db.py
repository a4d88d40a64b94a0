"""PostgreSQL for every part: own roles, named SQL, audited transactions, one active worker a part."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, LiteralString, cast
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from citynet.errors import ConfigError, Unavailable
from citynet.settings import Settings

Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]
# What the database's absence looks like to whoever asks it.
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, OSError)
ROLES = ("gateway", "ingest", "analytics", "center", "identity")


def named_sql(path: Path) -> dict[str, LiteralString]:
    """Queries of a .sql file: `-- name: text` starts one, the rest of that line says what it is for."""
    parts = re.split(r"^-- (\w+):.*$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if parts[0].strip() and not parts[0].strip().startswith("--"):
        raise ConfigError(f"{path.name}: SQL before the first '-- name:' line")
    names = parts[1::2]
    if len(set(names)) != len(names):
        raise ConfigError(f"{path.name}: two queries have one name")
    bodies = [cast(LiteralString, body.strip()) for body in parts[2::2]]
    return dict(zip(names, bodies, strict=True))


def dsn(settings: Settings, role: str) -> str:
    """libpq URL of a role (one of ROLES, or owner) in this city's database."""
    base = settings.database_url or f"postgresql://127.0.0.1:{settings.postgres_port}/citynet"
    password = settings.owner_password.get_secret_value() if role == "owner" else ""
    password = password or settings.secret(f"db_{role}")
    url = urlsplit(base)
    host = url.hostname or "127.0.0.1"
    netloc = f"citynet_{role}:{quote(password)}@{host}:{url.port or 5432}"
    return urlunsplit((url.scheme, netloc, url.path or "/citynet", url.query, ""))


class Database:
    """A pool of connections of one role. Every write goes through transaction(actor)."""

    def __init__(self, url: str, *, size: int = 6) -> None:
        self.url = url
        self._asking: asyncio.Task[None] | None = None
        self.pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=size,
            open=False,
            timeout=10,
            # The pool doubles its pause after each failed connection, so a database that was away for an hour would be
            # found again after another. So it gives up soon, and we ask anew.
            reconnect_timeout=1,
            reconnect_failed=self._ask_anew,
            check=AsyncConnectionPool.check_connection,
            kwargs={"row_factory": dict_row, "autocommit": True, "options": "-c timezone=UTC"},
        )

    async def open(self, *, wait_s: float = 20) -> "Database":
        """Open the pool and wait for a first connection. Raises Unavailable."""
        try:
            await self.pool.open(wait=True, timeout=wait_s)
        except psycopg.Error as error:
            await self.pool.close()
            raise Unavailable("the database does not answer: run `citynet doctor`") from error
        return self

    async def close(self) -> None:
        """Close all connections."""
        if self._asking:
            self._asking.cancel()
        await self.pool.close()

    def _ask_anew(self, pool: AsyncConnectionPool[Connection]) -> None:
        async def ask() -> None:
            with suppress(psycopg.OperationalError):  # not yet, or closed meanwhile
                async with pool.connection(timeout=1):
                    pass

        self._asking = asyncio.create_task(ask())

    @asynccontextmanager
    async def transaction(
        self, actor: str, *, action: str = "", object_: str = "", detail: dict[str, Any] | None = None
    ) -> AsyncIterator[Connection]:
        """One transaction by actor ("person:<login>" or "part:<name>").

        With an action, the audit row is written first in the same transaction.
        """
        async with self.pool.connection() as conn, conn.transaction():
            await conn.execute("SELECT set_config('citynet.actor', %s, true)", [actor])
            if action:
                await conn.execute(
                    "INSERT INTO audit (actor, action, object, detail) VALUES (%s, %s, %s, %s)",
                    [actor, action, object_, Jsonb(detail or {})],
                )
            yield conn

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Connection]:
        """A connection for reading outside a transaction."""
        async with self.pool.connection() as conn:
            yield conn

    @asynccontextmanager
    async def own_connection(self, *, idle_s: int = 0) -> AsyncIterator[Connection]:
        """A connection outside of the pool, for a lock that lasts as long as it. Raises psycopg.OperationalError.

        idle_s: the server ends it when it has asked nothing for so long.
        """
        options = f"-c idle_session_timeout={idle_s * 1000}"
        connecting: Any = psycopg.AsyncConnection.connect(
            self.url, autocommit=True, row_factory=dict_row, options=options
        )
        async with await connecting as conn:
            yield conn

    async def rows(self, query: LiteralString, params: Any = None) -> list[Row]:
        """All rows of a reading query."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(query, params)
            return await cursor.fetchall()

    async def row(self, query: LiteralString, params: Any = None) -> Row | None:
        """The first row of a reading query, or None."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(query, params)
            return await cursor.fetchone()
