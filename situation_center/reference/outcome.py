"""What an import is asked to do and what came of it; what its passes share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from citynet.catalog import Catalog
from citynet.db import Connection, named_sql
from situation_center.reference.columns import Reject

Tell = Callable[[int], Awaitable[None]]
SQL = named_sql(Path(__file__).with_name("importing.sql"))


@dataclass
class Outcome:
    """What a file is, and what comes of it, in rows. placed: by their address; reasons: fault -> how often."""

    kind: str = ""
    encoding: str = ""
    separator: str = ""
    rows: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    rejected: int = 0
    placed: int = 0
    applied: bool = False
    reasons: dict[str, int] = field(default_factory=dict)


async def _silent(_: int) -> None:
    """For whoever does not wait."""


@dataclass(frozen=True)
class Work:
    """One pass over a file. tell hears how many rows are done."""

    import_id: UUID
    catalog: Catalog
    zone: ZoneInfo
    actor: str
    tell: Tell = _silent


async def reject(conn: Connection, work: Work, faults: list[Reject]) -> None:
    """Faults into the report."""
    if not faults:
        return
    async with conn.cursor() as cursor, cursor.copy(SQL["copy_rejects"]) as copy:
        for fault in faults:
            await copy.write_row(
                (work.import_id, fault.line, fault.name, fault.reason, fault.value.replace("\0", "\\0"))
            )
