"""Registers of pumps, cabinets and meters behind a gateway: Modbus answers read by the register map of the profile."""

import math
import struct

from citynet.catalog import ModbusBlock, Profile, Register
from citynet.errors import BadInput
from gateway.devices import LANGUAGES, Attributes, Example, Language, Values

READ_COILS, READ_INPUTS, READ_HOLDING, READ_REGISTERS = 1, 2, 3, 4
FORMS = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "uint64": ">Q"} | {
    "float32": ">f", "float64": ">d",
}  # fmt: skip


def crc(data: bytes) -> bytes:
    """CRC of Modbus RTU, as it stands at the end of a frame."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return struct.pack("<H", value)


def _pdu(data: bytes, framing: str) -> bytes:
    """The answer without what carried it: address and CRC of RTU, the MBAP header of TCP."""
    if framing == "rtu":
        if len(data) < 5:
            raise BadInput("wrong_length", f"{len(data)} bytes are no RTU frame")
        if crc(data[:-2]) != data[-2:]:
            raise BadInput("bad_crc", "the CRC is wrong")
        return data[1:-2]
    if framing == "tcp":
        if len(data) < 9 or data[2:4] != b"\0\0" or int.from_bytes(data[4:6], "big") != len(data) - 6:
            raise BadInput("wrong_length", "not a Modbus TCP frame")
        return data[7:]
    return data


def _content(data: bytes, block: ModbusBlock) -> bytes:
    """The registers of an answer, bytes as the device sent them."""
    if block.framing == "registers":
        content = data
    else:
        pdu = _pdu(data, block.framing)
        if len(pdu) < 2:
            raise BadInput("wrong_length", f"{len(pdu)} bytes are no answer")
        if pdu[0] & 0x80:
            raise BadInput("device_refused", f"function {pdu[0] & 0x7F}: exception {pdu[1]}")
        if pdu[0] not in (READ_HOLDING, READ_REGISTERS):
            raise BadInput("unsupported", f"function {pdu[0]}")
        if pdu[1] != len(pdu) - 2:
            raise BadInput("wrong_length", f"{len(pdu) - 2} bytes instead of {pdu[1]}")
        content = pdu[2:]
    if not content or len(content) % 2:
        raise BadInput("wrong_length", f"{len(content)} bytes are no registers")
    return content


def _ordered(data: bytes, order: str) -> bytes:
    """Bytes in the order of big-endian: ABCD as it is, CDAB words swapped, BADC bytes swapped, DCBA both."""
    if order in ("BADC", "DCBA"):
        data = b"".join(data[at : at + 2][::-1] for at in range(0, len(data), 2))
    if order in ("CDAB", "DCBA"):
        data = b"".join(data[at : at + 2] for at in range(len(data) - 2, -1, -2))
    return data


def _value(register: Register, data: bytes) -> float:
    data = _ordered(data, register.order)
    if register.type == "bit":
        return float(int.from_bytes(data, "big") >> register.bit & 1)
    if register.type in ("bcd16", "bcd32"):
        digits = data.hex()
        return float(digits) if digits.isdigit() else math.nan
    [number] = struct.unpack(FORMS[register.type], data)
    if register.absent is not None and number == register.absent:
        return math.nan
    return float(number)


def decode(data: bytes, f_port: int, *, attributes: Attributes, profile: Profile | None) -> Values:
    """Values by key of the registers that lie inside of the answer. Raises BadInput where none does."""
    blocks = profile.block if profile else []
    block = next((b for b in blocks if b.f_port in (None, f_port)), None)
    if block is None:
        raise BadInput("wrong_port", f"the profile has no block of registers for port {f_port}")
    content = _content(data, block)
    values: Values = {}
    for register in block.registers:
        start = (register.address - block.start) * 2
        if 0 <= start <= len(content) - register.size:
            values[register.key] = _value(register, content[start : start + register.size])
    if not values:
        raise BadInput("wrong_length", "no register of the map lies inside of the answer")
    return values


PUMP = {
    "name": "pump",
    "class": "pump",
    "language": "modbus",
    "map": {},
    "block": [
        {
            "start": 107,
            "framing": "pdu",
            "registers": [
                {"key": "first", "address": 107, "type": "uint16"},
                {"key": "alarm", "address": 107, "type": "bit", "bit": 9},
                {"key": "float", "address": 108, "type": "float32"},
                {"key": "swapped", "address": 108, "type": "uint32", "order": "CDAB"},
                {"key": "elsewhere", "address": 4000, "type": "uint16"},
            ],
        }
    ],
}

LANGUAGES.register("modbus")(
    Language(
        decode=decode,
        examples=(
            Example(
                "Modbus Application Protocol V1.1b3, 6.3: read holding registers 108 to 110",
                bytes.fromhex("0306022B00000064"),
                {"first": 555.0, "alarm": 1.0, "float": 1.401298464324817e-43, "swapped": 6_553_600.0},
                profile=PUMP,
            ),
        ),
    )
)
