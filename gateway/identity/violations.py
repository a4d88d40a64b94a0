"""Follows the broker's log for topics that a signed-in client may not use: the broker tells of them nowhere else."""

import asyncio
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from citynet.credentials import device_of

EVERY_S = 0.5
READ_BYTES = 1_000_000
LINE = re.compile(
    rb'(?P<host>[0-9a-fA-F.:]+):\d+ - mid:\d+ - "(?P<client>[^"]*)" - (?P<what>Publish|Subscription) Violation.*?'
    rb'Subject "(?P<subject>[^"]*)"'
)


class Note(Protocol):
    """Tells of a client that did what it may not."""

    def __call__(self, reason: str, external_id: str, *, host: str = "", detail: str = "") -> None:
        """See Notices.note."""


def found(text: bytes, note: Note) -> None:
    """Note every violation in lines of the log."""
    for match in LINE.finditer(text):
        host, client, what, subject = (match[name].decode(errors="replace") for name in LINE.groupindex)
        topic = subject.replace("//", "\0").replace(".", "/").replace("\0", ".")
        verb = "published" if what == "Publish" else "subscribed"
        note("foreign_topic", device_of(client), host=host, detail=f"{verb} {topic}")


async def follow(path: Path, note: Note) -> None:
    """Follow the log from its end until cancelled; of several processes one does, the others wait to take over."""
    with _folder(path.parent) as folder:
        while not _locked(folder):  # noqa: ASYNC110 - a lock between processes
            await asyncio.sleep(EVERY_S)
        tail = Tail(path)
        tail.lines()
        while True:
            found(tail.lines(), note)
            await asyncio.sleep(EVERY_S)


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    path.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@dataclass
class Tail:
    """Where the log was read last; a log that the broker has turned over begins anew."""

    path: Path
    file: int = 0
    offset: int = 0

    def lines(self) -> bytes:
        """Whole lines that came since; of a flood only the newest part."""
        try:
            log = self.path.open("rb")
        except FileNotFoundError:
            return b""
        with log:
            state = os.fstat(log.fileno())
            if state.st_ino != self.file or state.st_size < self.offset:
                self.file, self.offset = state.st_ino, 0
            self.offset = max(self.offset, state.st_size - READ_BYTES)
            log.seek(self.offset)
            text = log.read(READ_BYTES)
        whole = text.rfind(b"\n") + 1
        self.offset += whole
        return text[:whole]
