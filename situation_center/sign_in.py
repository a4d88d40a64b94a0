"""Watches whether devices can sign in: the sign-in service gives a sign of life each second; its absence is shown."""

import time
from datetime import UTC, datetime

import structlog
from psycopg.types.json import Jsonb

from citynet.bus import Incoming
from situation_center.store import SQL, Center

log = structlog.get_logger()
ACTOR = "part:worker"
AWAY_AFTER_S = 5.0


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
        away = time.monotonic() - self._heard > AWAY_AFTER_S
        if away == self._away:
            return 0
        since = datetime.now(UTC).isoformat() if away else None
        async with self._center.transaction(ACTOR) as conn:
            changed = (await conn.execute(SQL["set_sign_in"], {"value": Jsonb({"away_since": since})})).rowcount
            if changed:
                given = [ACTOR, "sign_in.away" if away else "sign_in.back", "identity", Jsonb({})]
                await conn.execute("INSERT INTO audit (actor, action, object, detail) VALUES (%s, %s, %s, %s)", given)
        self._away = away
        if changed:
            log.warning("no device can sign in" if away else "devices can sign in", service="identity")
        return changed
