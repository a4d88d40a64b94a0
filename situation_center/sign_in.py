"""Watches whether devices can sign in: the service gives a sign of life each second; its absence is an incident.

Who was refused at sign-in goes into the audit as well.
"""

import time
from datetime import UTC, datetime

import msgspec
import structlog
from psycopg.types.json import Jsonb

from citynet.bus import Incoming
from citynet.catalog import catalog
from citynet.db import Connection
from citynet.model import edge_event
from situation_center.store import SQL, Center, add_outbox, city_now

log = structlog.get_logger()
ACTOR = "part:worker"
AWAY_AFTER_S = 5.0
RULE = "system.sign_in_away"
SERVICE = "system/sign_in"
AUDITED_AT_ONCE = 2_000
AWAY_RU = "Служба входа не отвечает {seconds} с: новые подключения невозможны, подключённые устройства работают"
AWAY_EN = "The sign-in service has not answered for {seconds} s: no device can connect anew, connected ones go on"
BACK_RU, BACK_EN = "Вернулось к норме: устройства снова могут подключиться", "Back to normal: devices can sign in again"


class SignInWatch:
    """Keeps the setting `sign_in`: since when no device can sign in, on the strip of every screen."""

    def __init__(self, center: Center) -> None:
        self._center = center
        self._heard = time.monotonic()  # a worker that just came gives the service its time
        self._away: bool | None = None

    async def hear(self, _: Incoming) -> None:
        """A sign of life."""
        self._heard = time.monotonic()

    async def look(self) -> int:
        """Write what changed; 1 when something did."""
        silent_s = time.monotonic() - self._heard
        away = silent_s > AWAY_AFTER_S
        if away == self._away:
            return 0
        since = datetime.now(UTC).isoformat() if away else None
        async with self._center.transaction(ACTOR) as conn:
            known_away = await _known_away(conn)
            changed = (await conn.execute(SQL["set_sign_in"], {"value": Jsonb({"away_since": since})})).rowcount
            if changed:
                given = [ACTOR, "sign_in.away" if away else "sign_in.back", "identity", Jsonb({})]
                await conn.execute("INSERT INTO audit (actor, action, object, detail) VALUES (%s, %s, %s, %s)", given)
                if away or known_away:
                    await _tell(conn, silent_s if away else None)
        self._away = away
        if changed:
            log.warning("no device can sign in" if away else "devices can sign in", service="identity")
        return changed

    async def audit(self) -> int:
        """Copy refusals at sign-in that ingest has stored since into the audit; how many rows were looked at."""
        async with self._center.transaction(ACTOR) as conn:
            row = await (await conn.execute(SQL["audit_refusals"], {"batch": AUDITED_AT_ONCE})).fetchone()
        return int(row["seen"]) if row else 0


async def _known_away(conn: Connection) -> bool:
    row = await (await conn.execute("SELECT value->>'away_since' AS at FROM setting WHERE name = 'sign_in'")).fetchone()
    return row is not None and row["at"] is not None


async def _tell(conn: Connection, silent_s: float | None) -> None:
    """An event with this transaction; None = the service is back."""
    row = await (await conn.execute("SELECT object_id FROM object WHERE key = %s", [SERVICE])).fetchone()
    if row is None:
        return
    rule, seconds = catalog().rules[RULE], round(silent_s or 0)
    over = silent_s is None
    why = (BACK_RU, BACK_EN) if over else (AWAY_RU.format(seconds=seconds), AWAY_EN.format(seconds=seconds))
    now = await city_now(conn)
    event = edge_event(RULE, row["object_id"], why, signal=rule.signal, over=over, time=now, severity=rule.severity)
    known = str(event.event_id)
    await add_outbox(conn, f"events.{RULE}", payload=msgspec.json.encode(event), msg_id=known)
