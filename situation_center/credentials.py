"""Writes device credentials: issue, rotate with a time of grace, revoke, always audited. A token is shown once."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from citynet.access import Actor, allowed, require
from citynet.credentials import digest, new_token
from citynet.db import Connection, Database, named_sql
from citynet.errors import BadInput, NotFound
from situation_center.store import Center, add_outbox

SQL = named_sql(Path(__file__).with_name("credentials.sql"))
VALID_AT_ONCE_MAX = 4
GRACE_DEFAULT = timedelta(days=1)
FINGERPRINT_BYTES = 32
SUBJECT_CHARS_MAX = 500
RIGHT = "credential.write"


async def _device_id(conn: Connection, external_id: str) -> int:
    """The living device of a name, its credentials locked against others who write them."""
    given = {"key": f"device/{external_id}".replace("\0", "")}
    row = await (await conn.execute(SQL["device"], given)).fetchone()
    if row is None:
        raise NotFound(f"no device {external_id[:200]}: register it first")
    device_id = int(row["object_id"])
    await conn.execute(SQL["lock"], [device_id])
    return device_id


async def _add(
    conn: Connection, device_id: int, *, by: str, sha256: bytes | None, subject: str = "", until: datetime | None = None
) -> str:
    """Write one credential; its uid."""
    if until is not None and until <= datetime.now(UTC):
        raise BadInput("bad_end", "the end of a credential lies ahead")
    row = await (await conn.execute(SQL["count"], [device_id])).fetchone()
    if row and row["count"] >= VALID_AT_ONCE_MAX:
        raise BadInput("too_many_credentials", f"{VALID_AT_ONCE_MAX} are valid at once: revoke one first")
    given = {"device": device_id, "sha256": sha256, "subject": subject, "until": until, "by": by}
    row = await (await conn.execute(SQL["add"], given)).fetchone()
    if row is None:
        raise BadInput("credential_known", "this certificate is known already: revoke it where it is")
    return str(row["uid"])


async def _announce(conn: Connection, external_ids: Collection[str]) -> None:
    """Whoever holds sessions of these devices looks again; it may be about any of them."""
    await add_outbox(conn, "changes.credential.all", payload=msgspec.json.encode(sorted(external_ids)))


async def _wake(db: Database) -> None:
    """The outbox goes out now, not with the worker's next look."""
    if isinstance(db, Center):
        await db.announce("credential")


async def issue_token(
    db: Database, external_id: str, *, by: str, until: datetime | None = None, grace: timedelta | None = None
) -> str:
    """A new token, shown once. With grace, all older credentials end after that time. Raises NotFound, BadInput."""
    action = "credential.issue" if grace is None else "credential.rotate"
    token = new_token()
    detail = {"kind": "token"} if grace is None else {"kind": "token", "grace_s": round(grace.total_seconds())}
    async with db.transaction(by, action=action, object_=external_id, detail=detail) as conn:
        device_id = await _device_id(conn, external_id)
        if grace is not None:
            await conn.execute(SQL["end_after"], {"device": device_id, "grace": grace})
        await _add(conn, device_id, by=by, sha256=digest(token), until=until)
        await _announce(conn, [external_id])
    await _wake(db)
    return token


async def issue_certificate(
    db: Database, external_id: str, *, by: str, subject: str, sha256: str = "", until: datetime | None = None
) -> str:
    """Let a client certificate stand for a device; the uid of the credential. Raises NotFound, BadInput.

    subject as RFC 4514 writes it, such as CN=meter-7,O=city. sha256: hexadecimal fingerprint of the only certificate
    that will do; empty = every certificate of that subject which the city's authority signed.
    """
    if not 0 < len(subject) <= SUBJECT_CHARS_MAX:
        raise BadInput("bad_subject", f"1 to {SUBJECT_CHARS_MAX} characters, such as CN=meter-7,O=city")
    try:
        fingerprint = bytes.fromhex(sha256.replace(":", ""))
    except ValueError as error:
        raise BadInput("bad_fingerprint", "hexadecimal digits, with or without colons") from error
    if fingerprint and len(fingerprint) != FINGERPRINT_BYTES:
        raise BadInput("bad_fingerprint", f"SHA-256 has {FINGERPRINT_BYTES} bytes")
    detail = {"kind": "x509", "subject": subject, "sha256": fingerprint.hex()}
    async with db.transaction(by, action="credential.issue", object_=external_id, detail=detail) as conn:
        device_id = await _device_id(conn, external_id)
        return await _add(conn, device_id, by=by, sha256=fingerprint or None, subject=subject, until=until)


async def revoke(db: Database, external_id: str, *, by: str, uid: str = "") -> int:
    """End credentials of a device now, all or the one of uid, and its sessions with them; the number ended."""
    detail = {"uid": uid} if uid else {}
    async with db.transaction(by, action="credential.revoke", object_=external_id, detail=detail) as conn:
        ended = await end(conn, external_id, by=by, uid=uid)
        if not ended:
            raise NotFound(f"no valid credential of {external_id[:200]}")
    await _wake(db)
    return ended


async def end(conn: Connection, external_id: str, *, by: str, uid: str = "") -> int:
    """revoke within the caller's audited transaction; the number ended may be 0."""
    given = {"key": f"device/{external_id}".replace("\0", ""), "by": by, "uid": uid or None}
    ended = (await conn.execute(SQL["revoke"], given)).rowcount
    if ended:
        await _announce(conn, [external_id])
    return ended


async def enrol(db: Database, hashes: Mapping[str, bytes], *, by: str) -> int:
    """Give devices that have no credential the tokens of these SHA-256 hashes; how many got one.

    For tokens that are made elsewhere: in a factory, by an integrator, by the simulated city.
    """
    if any(len(sha256) != FINGERPRINT_BYTES for sha256 in hashes.values()):
        raise BadInput("bad_hash", f"SHA-256 has {FINGERPRINT_BYTES} bytes")
    keys = [f"device/{name}" for name in hashes]
    async with db.transaction(by, action="credential.enrol", detail={"devices": len(hashes)}) as conn:
        given = {"keys": keys, "hashes": list(hashes.values()), "by": by}
        return (await conn.execute(SQL["enrol"], given)).rowcount


async def without(db: Database) -> list[str]:
    """Identifiers of living native devices that never had a credential."""
    return [row["external_id"] for row in await db.rows(SQL["without"])]


async def devices_of(db: Database, object_id: int) -> list[str]:
    """Identifiers of the devices that measure a point, or of the device that object_id is."""
    return [row["external_id"] for row in await db.rows(SQL["devices_of"], {"id": object_id})]


async def native(db: Database, object_id: int) -> bool:
    """Whether the device of an object comes to the broker itself; others come through a network server's credential."""
    return any(row["protocol"] == "native" for row in await db.rows(SQL["devices_of"], {"id": object_id}))


async def of_actor(db: Database, actor: Actor, external_id: str) -> None:
    """Raise Forbidden or NotFound where actor may not write the credentials of a device."""
    require(actor, RIGHT)
    row = await db.row(SQL["place"], {"key": f"device/{external_id}".replace("\0", "")})
    if row is None or not allowed(actor, RIGHT, row):
        raise NotFound(f"no device {external_id[:200]}: register it first")


async def listed(db: Database, external_id: str) -> list[dict[str, Any]]:
    """Every credential a device has or had, newest first, without secrets."""
    return await db.rows(SQL["list"], {"key": f"device/{external_id}".replace("\0", "")})
