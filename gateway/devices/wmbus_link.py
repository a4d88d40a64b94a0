"""Link layer of M-Bus: lengths, CRC and headers of wireless (EN 13757-4) and wired frames. Used by wmbus.py."""

import struct
from typing import NamedTuple

from citynet.errors import BadInput

LINK_EXTENSION = 0x8C


class Telegram(NamedTuple):
    """Application part of a telegram: address as in the initialisation vector (manufacturer, id, version, type)."""

    address: bytes
    control: int
    body: bytes


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        crc = value << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x3D65 if crc & 0x8000 else crc << 1) & 0xFFFF
        table.append(crc)
    return tuple(table)


CRC = _crc_table()


def crc(data: bytes) -> bytes:
    """CRC of EN 13757-4, as it stands in the telegram."""
    value = 0
    for byte in data:
        value = (value << 8 ^ CRC[value >> 8 ^ byte]) & 0xFFFF
    return struct.pack(">H", value ^ 0xFFFF)


def without_crc(data: bytes) -> bytes:
    """The telegram from its length on, without CRC. Raises BadInput (bad_crc, wrong_length)."""
    length = data[0]
    blocks = [data[:12], *(data[at : at + 18] for at in range(12, len(data), 18))]
    if len(data) == length + 1 + 2 * len(blocks):  # frame format A
        if any(crc(block[:-2]) != block[-2:] for block in blocks):
            raise BadInput("bad_crc", "a block of the telegram is damaged")
        return b"".join(block[:-2] for block in blocks)
    if len(data) != length + 1:
        raise BadInput("wrong_length", f"{len(data)} bytes instead of {length + 1}")
    return data


def wired(data: bytes) -> Telegram:
    """A long frame of wired M-Bus: 68 L L 68, control, address, CI, body, checksum, 16."""
    if len(data) < 10 or data[3] != 0x68 or data[1] != data[2] or len(data) != data[1] + 6 or data[-1] != 0x16:
        raise BadInput("wrong_length", "not a long frame")
    if sum(data[4:-2]) & 0xFF != data[-2]:
        raise BadInput("bad_crc", "the checksum is wrong")
    return Telegram(b"", data[6], data[7:-2])


def wireless(data: bytes) -> Telegram:
    frame = without_crc(data)
    if len(frame) < 11:
        raise BadInput("wrong_length", f"{len(frame)} bytes are no telegram")
    control, body = frame[10], frame[11:]
    if control == LINK_EXTENSION:
        if len(body) < 3:
            raise BadInput("wrong_length", "the link extension is cut")
        control, body = body[2], body[3:]
    return Telegram(frame[2:10], control, body)
