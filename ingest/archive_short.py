"""Tells when the archive of raw frames drops some before their days are over, and when it has room again."""

from citynet.part import Part
from ingest.telling import State
from ingest.telling import tell as tell_state

RULE, OBJECT = "system.archive_short", "system/archive"
ROOM = 0.9  # so full or less is room again
WORDS = (
    "Архив сырых кадров заполнен ({mb:.0f} МБ): они хранятся {days} дн. вместо {wanted}",
    "The archive of raw frames is full ({mb:.0f} MB): they are kept for {days} days instead of {wanted}",
)
BACK = ("Вернулось к норме: в архиве сырых кадров есть место", "Back to normal: the archive of raw frames has room")


async def tell(part: Part, *, dropped: int, size_bytes: int, back_days: float) -> None:
    """dropped: blocks that went for want of room just now."""
    figures = {"mb": size_bytes / 1e6, "wanted": part.settings.archive_days}
    days = f"{back_days:.1f}"
    ru, en = WORDS
    state = State(
        bad=dropped > 0,
        well=not dropped and size_bytes <= ROOM * part.settings.archive_max_bytes,
        value=back_days,
        why=(ru.format(**figures, days=days.replace(".", ",")), en.format(**figures, days=days)),
        back=BACK,
    )
    await tell_state(part, RULE, key=OBJECT, state=state)
