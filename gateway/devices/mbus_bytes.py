"""Bytes of M-Bus records read from the front. Used by mbus_records.py and mbus_vif.py."""

from citynet.errors import BadInput

EXTENSIONS_MAX = 10


class Reader:
    """Bytes read from the front. Raises BadInput (wrong_length) at the end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def __bool__(self) -> bool:
        return self.at < len(self.data)

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if self.at + count > len(self.data):
            raise BadInput("wrong_length", f"a record ends after byte {len(self.data)}")
        self.at += count
        return self.data[self.at - count : self.at]
