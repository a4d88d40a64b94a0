"""Credentials of devices in the database: shown once, a time of grace, revoked for good, read by whom they concern."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from citynet import db
from citynet.credentials import Credential, digest, of_devices, of_token, with_certificate, with_token
from citynet.db import Database
from citynet.errors import BadInput, NotFound
from citynet.settings import Settings
from situation_center import credentials
from tests.support.gateway import BIN, LAMP, plant

BY = "person:admin"


@pytest.fixture
async def planted(center_db: Database) -> Database:
    await plant(center_db)
    return center_db


async def usable(database: Database, token: str) -> Credential | None:
    """What a sign-in of the lamp with this token finds."""
    found = with_token((await of_devices(database, [LAMP])).get(LAMP, []), token)
    return found if found and found.usable(datetime.now(UTC)) else None


async def test_a_token_is_shown_once_and_stored_as_its_hash(planted: Database, city: Settings) -> None:
    token = await credentials.issue_token(planted, LAMP, by=BY)
    found = await of_token(planted, token)
    assert found
    assert (found.external_id, found.kind) == (LAMP, "token")
    assert await usable(planted, token)
    assert await usable(planted, token[:-1]) is None
    assert await of_token(planted, "x" * 10_000) is None
    assert await of_devices(planted, ["nobody", "nul\0"]) == {}
    row = await planted.row("SELECT sha256 FROM device_credential")
    assert row
    assert bytes(row["sha256"]) == digest(token)
    audit = await planted.row("SELECT actor, object, detail::text FROM audit WHERE action = 'credential.issue'")
    assert audit
    assert (audit["actor"], audit["object"]) == (BY, LAMP)
    assert token not in audit["detail"]


async def test_rotation_leaves_two_tokens_for_the_time_of_grace(planted: Database) -> None:
    old = await credentials.issue_token(planted, LAMP, by=BY)
    new = await credentials.issue_token(planted, LAMP, by=BY, grace=timedelta(hours=1))
    assert await usable(planted, old)
    assert await usable(planted, new)
    ending = with_token((await of_devices(planted, [LAMP]))[LAMP], old)
    assert ending
    assert ending.valid_to is not None
    assert not ending.usable(ending.valid_to)
    last = await credentials.issue_token(planted, LAMP, by=BY, grace=timedelta(0))
    assert [bool(await usable(planted, token)) for token in (old, new, last)] == [False, False, True]


async def test_revoked_is_over_at_once_and_for_all(planted: Database) -> None:
    tokens = [await credentials.issue_token(planted, LAMP, by=BY) for _ in range(3)]
    first = (await planted.rows("SELECT uid::text FROM device_credential ORDER BY credential_id"))[0]["uid"]
    assert await credentials.revoke(planted, LAMP, by=BY, uid=first) == 1
    assert [bool(await usable(planted, token)) for token in tokens] == [False, True, True]
    assert await credentials.revoke(planted, LAMP, by=BY) == 2
    assert await of_token(planted, tokens[2]) is None
    with pytest.raises(NotFound):
        await credentials.revoke(planted, LAMP, by=BY)
    with pytest.raises(NotFound):
        await credentials.revoke(planted, BIN, by=BY, uid=first)


async def test_limits(planted: Database) -> None:
    with pytest.raises(NotFound):
        await credentials.issue_token(planted, "nobody", by=BY)
    with pytest.raises(BadInput, match="bad_end"):
        await credentials.issue_token(planted, LAMP, by=BY, until=datetime(2020, 1, 1, tzinfo=UTC))
    for _ in range(credentials.VALID_AT_ONCE_MAX):
        await credentials.issue_token(planted, LAMP, by=BY)
    with pytest.raises(BadInput, match="too_many_credentials"):
        await credentials.issue_token(planted, LAMP, by=BY)


async def test_a_certificate_by_subject_or_by_fingerprint(planted: Database) -> None:
    await credentials.issue_certificate(planted, LAMP, by=BY, subject="CN=lamp-1,O=city")
    one, other = bytes(range(32)), bytes(32)
    await credentials.issue_certificate(planted, BIN, by=BY, subject="CN=bin", sha256=one.hex(":"))
    found = await of_devices(planted, [LAMP, BIN])
    assert with_certificate(found[LAMP], "CN=lamp-1,O=city", other)
    assert with_certificate(found[LAMP], "CN=lamp-1", other) is None
    assert with_certificate(found[BIN], "CN=bin", one)
    assert with_certificate(found[BIN], "CN=bin", other) is None
    assert with_token(found[BIN], one.decode("latin-1")) is None
    with pytest.raises(BadInput, match="credential_known"):
        await credentials.issue_certificate(planted, LAMP, by=BY, subject="CN=bin", sha256=one.hex())
    for wrong in ("zz", "00"):
        with pytest.raises(BadInput, match="bad_fingerprint"):
            await credentials.issue_certificate(planted, LAMP, by=BY, subject="CN=x", sha256=wrong)


async def test_enrolment_gives_a_token_only_to_devices_without_one(planted: Database) -> None:
    await credentials.issue_token(planted, LAMP, by=BY)
    assert await credentials.enrol(planted, {LAMP: digest("a"), BIN: digest("b"), "nobody": digest("c")}, by=BY) == 1
    assert [one.external_id for one in [await of_token(planted, "b")] if one] == [BIN]
    assert await of_token(planted, "a") is None


async def test_parts_read_what_they_need_and_write_nothing(planted: Database, city: Settings) -> None:
    token = await credentials.issue_token(planted, LAMP, by=BY)
    for role in ("gateway", "identity"):
        part = await Database(db.dsn(city, role), size=1).open()
        try:
            assert await of_token(part, token)
            for forbidden in ("SELECT * FROM device_credential", "DELETE FROM device_credential"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await part.rows(forbidden)
        finally:
            await part.close()
    identity = await Database(db.dsn(city, "identity"), size=1).open()
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await identity.rows("SELECT * FROM object")
    finally:
        await identity.close()
