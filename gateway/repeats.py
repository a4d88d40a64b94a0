"""Remembers the last radio frames of each device, so that a frame sent twice over the air is read once."""

from collections import deque

FRAMES_KEPT = 8


class Repeats:
    """A copy has the same session, counter, port and bytes; a new join starts afresh."""

    def __init__(self) -> None:
        self._known: dict[str, deque[tuple[int, int]]] = {}

    def forget(self, external_id: str) -> None:
        """The device has joined: its counter starts again."""
        self._known.pop(external_id, None)

    def seen(self, external_id: str, key: tuple[object, ...], seq: int) -> bool:
        """Whether another stored frame brought this before. The same stored frame again is no copy of itself."""
        known = self._known.setdefault(external_id, deque(maxlen=FRAMES_KEPT))
        mark = hash(key)
        for other, at in known:
            if other == mark:
                return at != seq
        known.append((mark, seq))
        return False
