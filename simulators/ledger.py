"""What the simulated field has published and the broker has acknowledged: the truth that demo-check compares with."""

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Note:
    """One published message: times in epoch microseconds, published_ns on the wall clock."""

    external_id: str
    times_us: tuple[int, ...]
    keys: tuple[str, ...]
    history: bool = False
    sample: tuple[float, ...] = ()  # the values of a live message, in the order of keys
    published_ns: int = field(default_factory=time.time_ns)

    @property
    def values(self) -> int:
        """Values in the message."""
        return len(self.times_us) * len(self.keys)


@dataclass
class Ledger:
    """Acknowledged messages. keep = False only counts, for a city that runs for months."""

    keep: bool = False
    messages: int = 0
    history_values: int = 0
    live_values: int = 0
    notes: list[Note] = field(default_factory=list)

    def acked(self, note: Note | None) -> None:
        """The broker has stored a message; receipts and joins carry no note."""
        self.messages += 1
        if note is None:
            return
        if note.history:
            self.history_values += note.values
        else:
            self.live_values += note.values
        if self.keep:
            self.notes.append(note)
