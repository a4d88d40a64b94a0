"""The floor of the house on real servers: roles, audit, migrations, durable streams."""

import psycopg
import pytest

from citynet import db, embedded, migrate
from citynet.bus import INGEST_EVENTS, NatsBus
from citynet.errors import ConfigError, Unavailable
from citynet.settings import Settings


async def test_a_write_and_its_audit_row_are_one_transaction(center_db: db.Database) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        async with center_db.transaction("person:anna", action="account.write", object_="x") as conn:
            await conn.execute("INSERT INTO account (login, role) VALUES ('Not A Login', 'operator')")
    assert await center_db.rows("SELECT * FROM audit") == []
    async with center_db.transaction("person:anna", action="account.write", object_="ivan") as conn:
        await conn.execute("INSERT INTO account (login, role) VALUES ('ivan', 'operator')")
    rows = await center_db.rows("SELECT actor, action, object FROM audit")
    assert rows == [{"actor": "person:anna", "action": "account.write", "object": "ivan"}]


NOT_THEIRS = (
    ("gateway", "INSERT INTO newest VALUES (1, now(), now(), 1, 0, 1)"),
    ("ingest", "UPDATE account SET role = 'administrator'"),
    ("analytics", "DELETE FROM reading"),
    ("center", "INSERT INTO reading VALUES (1, now(), now(), 1, 0)"),
    ("center", "SELECT FROM reading"),
    ("center", "SELECT FROM rollup_day"),
    ("center", "DELETE FROM audit"),
    ("center", "UPDATE audit SET actor = 'nobody'"),
)


def test_each_role_is_refused_what_is_not_its_work(city: Settings) -> None:
    for role, statement in NOT_THEIRS:
        with psycopg.connect(db.dsn(city, role)) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement.encode())


def test_migrate_twice_changes_nothing_and_a_newer_schema_is_refused(city: Settings) -> None:
    url = db.dsn(city, "owner")
    assert migrate.migrate(url) == (migrate.target_version(), migrate.target_version())
    with psycopg.connect(url) as conn:
        assert migrate.check(conn) == ""
        conn.execute("INSERT INTO schema_version VALUES (9999)")
        assert "install the newer citynet" in migrate.check(conn)
    with pytest.raises(ConfigError, match="9999"):
        migrate.migrate(url)


async def test_a_message_comes_again_until_it_is_acknowledged(admin_bus: NatsBus) -> None:
    puller = await admin_bus.puller(INGEST_EVENTS)
    await admin_bus.publish("events.a", b"one", msg_id="1")
    await admin_bus.publish("events.a", b"one", msg_id="1")
    frames = await puller.fetch(10, 2)
    assert [(f.subject, f.data) for f in frames] == [("events.a", b"one")]
    assert await puller.pending() == 1
    await puller.ack(frames)
    await admin_bus.client.flush()
    assert await puller.fetch(10, 0.1) == []


async def test_a_foreign_subject_is_refused(city: Settings, broker: embedded.Nats) -> None:
    from citynet import bus

    async with bus.connected(city, "ingest") as client:
        with pytest.raises(Unavailable):
            await client.publish("commands.lamp-1", b"x")


async def test_a_wrong_password_is_refused(city: Settings, broker: embedded.Nats) -> None:
    from citynet import bus

    (city.home / "secrets" / "nats_ingest").write_text("wrong")
    with pytest.raises(Unavailable):
        await bus.connect(city, "ingest")
