"""Two truths, one test: schema.sql for newcomers and the migrations for the living give the same database."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from citynet import embedded, migrate
from tests.conftest import database_url
from tests.contracts.test_tidy import ROOT

RELEASED = sorted((ROOT / "tests" / "schemas").glob("*.sql"))


@pytest.fixture
def empty(postgres: embedded.Postgres) -> Iterator[list[str]]:
    """Names of two empty databases."""
    names = [f"migrations_{os.getpid()}_{n}" for n in range(2)]
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        for name in names:
            migrate.create_database(admin, name)
        yield names
        for name in names:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def dump(postgres: embedded.Postgres, name: str) -> list[str]:
    """Every line of the schema, without the order in which statements came."""
    program = Path(os.environ["CITYNET_POSTGRES_BIN"]) / "pg_dump"
    libraries = {"LD_LIBRARY_PATH": str(program.parents[1] / "lib"), "PATH": os.environ["PATH"]}
    command = [str(program), "--schema-only", database_url(postgres, name)]
    text = subprocess.run(command, env=libraries, text=True, capture_output=True, check=True).stdout
    kept = [line.rstrip(",") for line in text.splitlines() if line and not line.startswith(("--", "\\"))]
    return sorted(kept)


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_a_released_city_becomes_a_new_one(postgres: embedded.Postgres, empty: list[str], released: Path) -> None:
    old, new = empty
    with psycopg.connect(database_url(postgres, old)) as conn:
        conn.execute(released.read_bytes())
        conn.execute((released.parent / "storage" / f"{released.stem}_native.sql").read_bytes())
        conn.execute("INSERT INTO schema_version (version) VALUES (%s)", [int(released.stem)])
    migrate.migrate(database_url(postgres, old))
    migrate.migrate(database_url(postgres, new), timescale=False)
    assert dump(postgres, old) == dump(postgres, new)
