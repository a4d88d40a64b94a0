"""Tells when the archive of raw frames drops some before their days are over, and when it has room again."""

import msgspec

from citynet.model import Event, LiveChanged, edge_event
from citynet.part import Part
from ingest import events
from ingest.lane import ACTOR
from ingest.table import SQL

RULE, SIGNAL = "system.archive_short", "archive"
ROOM = 0.9  # so full or less is room again
WORDS = (
    "Архив сырых кадров заполнен ({mb:.0f} МБ): они хранятся {days} дн. вместо {wanted}",
    "The archive of raw frames is full ({mb:.0f} MB): they are kept for {days} days instead of {wanted}",
)
BACK = ("Вернулось к норме: в архиве сырых кадров есть место", "Back to normal: the archive of raw frames has room")


async def tell(part: Part, *, dropped: int, size_bytes: int, back_days: float) -> None:
    """dropped: blocks that went for want of room just now. An event on each change, none between."""
    row = await part.db.row(SQL["archive_told"], {"rule": RULE, "signal": SIGNAL})
    full = dropped > 0
    room = not full and size_bytes <= ROOM * part.settings.archive_max_bytes
    if row is None or (row["told"] and not room) or (not row["told"] and not full):
        return
    event = _event(part, row["object_id"], over=row["told"], size_bytes=size_bytes, back_days=back_days)
    async with part.db.transaction(ACTOR) as conn:
        changed = [one for one in await events.store(conn, [event]) if one]
    if changed:
        await part.bus.push("live.condition", msgspec.json.encode(LiveChanged(changed)))


def _event(part: Part, object_id: int, *, over: bool, size_bytes: int, back_days: float) -> Event:
    figures = {"mb": size_bytes / 1e6, "wanted": part.settings.archive_days}
    days = f"{back_days:.1f}"
    ru, en = BACK if over else WORDS
    why = ru.format(**figures, days=days.replace(".", ",")), en.format(**figures, days=days)
    now = part.clock.now()
    return edge_event(RULE, object_id, why, signal=SIGNAL, over=over, time=now, severity="medium", value=back_days)
