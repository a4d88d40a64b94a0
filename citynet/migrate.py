"""Creates the database of a city and brings an older one forward; says what is wrong with a newer one."""

import re
from pathlib import Path

import psycopg
from psycopg import sql

from citynet import db
from citynet.errors import ConfigError
from citynet.settings import Settings
from schemas import ROOT

MIGRATIONS = ROOT / "sql" / "migrations"
BASE_VERSION = 1


def target_version() -> int:
    """The version of the schema that this code needs."""
    return max([BASE_VERSION, *(_number(path) for path in MIGRATIONS.glob("*.sql"))])


def _number(path: Path) -> int:
    match = re.match(r"(\d{4})_", path.name)
    if not match:
        raise ConfigError(f"migration {path.name}: the name must start with four digits and _")
    return int(match.group(1))


def _script(name: str) -> str:
    return (ROOT / "sql" / name).read_text(encoding="utf-8")


def current_version(conn: psycopg.Connection) -> int:
    """Version of the schema in the database, 0 for an empty one."""
    if conn.execute("SELECT to_regclass('public.schema_version')").fetchone() == (None,):
        return 0
    row = conn.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()
    return int(row[0]) if row else 0


def create_roles(admin: psycopg.Connection, settings: Settings) -> None:
    """Create or update the roles of the parts and of the owner; needs a superuser."""
    for role in (*db.ROLES, "owner"):
        name = sql.Identifier(f"citynet_{role}")
        password = sql.Literal(settings.secret(f"db_{role}"))
        found = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [f"citynet_{role}"]).fetchone()
        verb = sql.SQL("ALTER" if found else "CREATE")
        admin.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, name, password))


def create_database(admin: psycopg.Connection, name: str = "citynet") -> None:
    """Create the database owned by citynet_owner where it is missing; admin must be in autocommit."""
    if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        query = sql.SQL("CREATE DATABASE {} OWNER citynet_owner").format(sql.Identifier(name))
        admin.execute(query)


def check(conn: psycopg.Connection) -> str:
    """Empty when the schema fits this code; else one line that says what to do."""
    have, want = current_version(conn), target_version()
    if have == want:
        return ""
    if have > want:
        return f"the database has schema {have}, this citynet knows {want}: install the newer citynet"
    return f"the database has schema {have}, this citynet needs {want}: run `citynet migrate`"


def missing(have: int) -> list[str]:
    """Names of the steps from a version of the schema to the target; all of it for an empty database."""
    if not have:
        return ["schema"]
    return [path.stem for path in sorted(MIGRATIONS.glob("*.sql"), key=_number) if _number(path) > have]


def migrate(url: str, *, timescale: bool | None = None) -> tuple[int, int]:
    """Bring the schema at url (as owner) to the target; gives (from, to). One transaction a step."""
    with psycopg.connect(url) as conn:
        # Two starters at once: the second waits here and then finds nothing to do.
        conn.execute("SELECT pg_advisory_xact_lock(72757)")
        have, want = current_version(conn), target_version()
        if have > want:
            raise ConfigError(check(conn))
        _require_roles(conn)
        if have == 0:
            _fresh(conn, want, timescale=timescale)
        else:
            _forward(conn, have, want)
    return have, want


def _require_roles(conn: psycopg.Connection) -> None:
    """A newer citynet may have a part more; its role is made by a superuser, not by the owner."""
    wanted = [f"citynet_{role}" for role in db.ROLES]
    found = conn.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [wanted]).fetchall()
    missing = sorted(set(wanted) - {row[0] for row in found})
    if missing:
        raise ConfigError(f"role {missing[0]} is missing: `citynet up` or `citynet deploy prepare` makes it")


def _fresh(conn: psycopg.Connection, version: int, *, timescale: bool | None) -> None:
    if timescale is None:
        query = "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"
        timescale = conn.execute(query).fetchone() is not None
    conn.execute(_script("schema.sql"))
    conn.execute(_script("storage_timescale.sql" if timescale else "storage_native.sql"))
    conn.execute("INSERT INTO schema_version (version) VALUES (%s)", [version])


def _forward(conn: psycopg.Connection, have: int, want: int) -> None:
    for path in sorted(MIGRATIONS.glob("*.sql"), key=_number):
        if have < _number(path) <= want:
            conn.execute(_script(f"migrations/{path.name}"))
            conn.execute("INSERT INTO schema_version (version) VALUES (%s)", [_number(path)])
