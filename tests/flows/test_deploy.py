"""What docker-compose.yml runs: an empty PostgreSQL and a broker become a city, and a dead part is noticed."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from citynet import db, deploy, embedded
from citynet.settings import Settings, load
from tests.conftest import address

RUNNER = CliRunner()


@pytest.fixture
def outside(city: Settings, postgres: embedded.Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of a city whose database does not exist yet, given by the environment alone."""
    name = "deployed"
    monkeypatch.setenv("CITYNET_HOME", str(city.home))
    monkeypatch.setenv("CITYNET_DATABASE_URL", address(postgres, name))
    monkeypatch.setenv("CITYNET_NATS_PORT", str(city.nats_port))
    monkeypatch.setenv("CITYNET_MQTT_PORT", str(city.mqtt_port))
    monkeypatch.setenv("CITYNET_HEARTBEAT", str(city.home / "heartbeat"))
    (city.home / "nats").mkdir(exist_ok=True)
    yield load()
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def run(command: str, *, code: int = 0) -> str:
    result = RUNNER.invoke(deploy.app, [command])
    assert result.exit_code == code, result.output
    return result.output


def test_prepare_makes_a_city_and_again_changes_nothing(outside: Settings) -> None:
    assert "schema 0 ->" in run("prepare")
    version = run("prepare").split()[1]
    assert version != "0"
    with psycopg.connect(db.dsn(outside, "gateway")) as conn:
        row = conn.execute("SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user").fetchone()
    assert row == (False,)


def test_broker_takes_the_written_configuration(outside: Settings) -> None:
    run("prepare")
    server = embedded.Nats(outside)
    server.start()
    try:
        run("streams")
        run("streams")
    finally:
        server.stop()


def test_health_wants_a_young_heartbeat(outside: Settings) -> None:
    file = Path(outside.heartbeat)
    run("health", code=1)
    file.touch()
    run("health")
    old = time.time() - deploy.HEARTBEAT_S_MAX - 1
    os.utime(file, (old, old))
    assert "heartbeat" in run("health", code=1)
