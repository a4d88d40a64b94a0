"""Whether a process that answers by HTTP can do its work now: database, broker and schema, each with its own word."""

import asyncio
from dataclasses import dataclass
from typing import Any

from citynet.bus import Bus, NatsBus
from citynet.db import AWAY, Database
from citynet.migrate import target_version

ANSWER_S = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """One check. Without it the process is not ready where it is needed; detail is for those who may see it."""

    name: str
    ok: bool
    detail: dict[str, Any]
    needed: bool = True


async def checks(database: Database, bus: Bus) -> list[Check]:
    """The three without which nothing works."""
    connected = isinstance(bus, NatsBus) and bus.client.is_connected
    broker = Check("broker", connected, {} if connected else {"error": "no connection"})
    want = target_version()
    try:
        async with asyncio.timeout(ANSWER_S):
            row = await database.row("SELECT max(version) AS version FROM schema_version")
    except (*AWAY, TimeoutError) as error:
        words = {"error": (str(error) or type(error).__name__).splitlines()[0]}
        return [Check("database", False, words), broker, Check("schema", False, {"want": want})]
    have = row["version"] if row else 0
    return [Check("database", True, {}), broker, Check("schema", have == want, {"have": have, "want": want})]


def answer(found: list[Check], *, details: bool) -> tuple[dict[str, Any], int]:
    """Body and status: 503 while something that is needed fails."""
    ready = all(check.ok for check in found if check.needed)
    said = {check.name: {"ok": check.ok, **(check.detail if details else {})} for check in found}
    return {"ready": ready, "checks": said}, 200 if ready else 503
