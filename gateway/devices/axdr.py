"""DLMS data in A-XDR (IEC 61334-6), read strictly: bytes in, data out. Used by dlms.py."""

import struct
from typing import Any

from citynet.errors import BadInput

DEPTH_MAX = 8
ITEMS_MAX = 2_000
# Tag -> struct form of numbers of fixed length.
NUMBERS = {
    5: ">i", 6: ">I", 15: ">b", 16: ">h", 17: ">B", 18: ">H", 20: ">q", 21: ">Q", 23: ">f", 24: ">d", 22: ">B", 3: ">?",
}  # fmt: skip
ARRAY, STRUCTURE, BITS, OCTETS, TEXT, UTF8, BCD = 1, 2, 4, 9, 10, 12, 13
FIXED_OCTETS = {25: 12, 26: 5, 27: 4}  # date-time, date, time


class Enum(int):
    """A value of the type enum: the unit of a measure."""


class Reader:
    """A-XDR read from the front. Raises BadInput (wrong_length, bad_data)."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.items = data, 0, 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if self.at + count > len(self.data):
            raise BadInput("wrong_length", f"the data end after byte {len(self.data)}")
        self.at += count
        return self.data[self.at - count : self.at]

    def length(self) -> int:
        """A length: one byte below 128, else that many bytes of it."""
        first = self.take(1)[0]
        return first if first < 0x80 else int.from_bytes(self.take(min(first & 0x7F, 4)), "big")

    def value(self, depth: int = 0) -> Any:
        """One value: list for arrays and structures, bytes for strings, numbers, None."""
        self.items += 1
        if depth > DEPTH_MAX or self.items > ITEMS_MAX:
            raise BadInput("bad_data", "nested too deep or too long")
        tag = self.take(1)[0]
        if tag in (ARRAY, STRUCTURE):
            return [self.value(depth + 1) for _ in range(self._count())]
        if tag in NUMBERS:
            [number] = struct.unpack(NUMBERS[tag], self.take(struct.calcsize(NUMBERS[tag])))
            return Enum(number) if tag == 22 else number
        if tag in (OCTETS, TEXT, UTF8):
            return self.take(self.length())
        if tag in FIXED_OCTETS:
            return self.take(FIXED_OCTETS[tag])
        if tag == BITS:
            return self.take((self.length() + 7) // 8)
        if tag == BCD:
            return self.take(1)[0]
        if tag == 0:
            return None
        raise BadInput("bad_data", f"the tag {tag} is not known")

    def _count(self) -> int:
        count = self.length()
        if count > len(self.data) - self.at:
            raise BadInput("wrong_length", f"{count} values announced")
        return count
