"""HDLC frames of meters (IEC 62056-46), read strictly: bytes in, information out. Used by dlms.py."""

import struct
from typing import NamedTuple

from citynet.errors import BadInput


class Frame(NamedTuple):
    """What an HDLC frame carries."""

    segmented: bool
    information: bytes


def _fcs_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ 0x8408 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


FCS = _fcs_table()


def fcs(data: bytes) -> bytes:
    """Frame check sequence of HDLC (CRC-16/X.25), as it stands in the frame."""
    value = 0xFFFF
    for byte in data:
        value = value >> 8 ^ FCS[(value ^ byte) & 0xFF]
    return struct.pack("<H", value ^ 0xFFFF)


def _address_end(data: bytes, at: int) -> int:
    """Position after an HDLC address: its last byte is odd."""
    for end in range(at, min(at + 4, len(data))):
        if data[end] & 1:
            return end + 1
    raise BadInput("bad_frame", "no end of an HDLC address")


def hdlc(data: bytes) -> Frame:
    """The information of one HDLC frame between its flags. Raises BadInput (bad_frame, wrong_length, bad_crc)."""
    if len(data) < 9 or data[0] != 0x7E or data[-1] != 0x7E:
        raise BadInput("bad_frame", "not between two HDLC flags")
    inside = data[1:-1]
    form = inside[0] << 8 | inside[1]
    if form >> 12 != 0xA:
        raise BadInput("bad_frame", "not of HDLC frame type 3")
    if form & 0x7FF != len(inside):
        raise BadInput("wrong_length", f"{len(inside)} bytes instead of {form & 0x7FF}")
    if fcs(inside[:-2]) != inside[-2:]:
        raise BadInput("bad_crc", "the frame check sequence is wrong")
    header = _address_end(inside, _address_end(inside, 2)) + 1
    if len(inside) < header + 4:
        return Frame(False, b"")
    if fcs(inside[:header]) != inside[header : header + 2]:
        raise BadInput("bad_crc", "the header check sequence is wrong")
    return Frame(bool(form & 0x800), inside[header + 2 : -2])
