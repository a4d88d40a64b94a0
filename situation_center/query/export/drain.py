"""A file that nobody seeks in and that is emptied as it is written: what a zip or Parquet writer writes to."""


class Drain:
    """Keeps what was written until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0

    def write(self, data: bytes) -> int:
        """Keep a copy."""
        self._parts.append(bytes(data))
        self._at += len(data)
        return len(data)

    def take(self) -> bytes:
        """All since the last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken

    def tell(self) -> int:
        """How much was written."""
        return self._at

    def flush(self) -> None:
        """There is nothing below."""

    def close(self) -> None:
        """Stays open for what is still to be taken."""

    def readable(self) -> bool:
        """Nobody reads here."""
        return False

    def writable(self) -> bool:
        """It is written to."""
        return True

    def seekable(self) -> bool:
        """Nobody seeks here: the zip writer then leaves sizes to the end of each part."""
        return False
