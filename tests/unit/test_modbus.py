"""Register maps: framings, byte orders, types and refusals of Modbus answers."""

import math
import struct
from typing import Any

import pytest

from citynet.catalog import Profile
from citynet.errors import BadInput
from gateway.devices import Values, languages
from gateway.devices.modbus import crc

ANSWER = bytes.fromhex("030442F6E979")  # function 3, four bytes: 123.456 as IEEE 754


def read(data: bytes, registers: list[dict[str, Any]], **block: Any) -> Values:
    body = {"name": "p", "class": "c", "language": "modbus", "map": {}, "block": [{"registers": registers, **block}]}
    return languages()["modbus"].codec({}, Profile.model_validate(body)).decode(data, 2)


def test_the_crc_is_the_one_that_every_manual_prints() -> None:
    assert crc(bytes.fromhex("01030000000A")).hex() == "c5cd"


RTU = b"\x01" + ANSWER + crc(b"\x01" + ANSWER)
TCP = bytes.fromhex("000100000007") + b"\x01" + ANSWER


@pytest.mark.parametrize(("framing", "data"), [("registers", ANSWER[2:]), ("pdu", ANSWER), ("rtu", RTU), ("tcp", TCP)])
def test_what_surrounds_the_registers(framing: str, data: bytes) -> None:
    values = read(data, [{"key": "x", "address": 100, "type": "float32"}], start=100, framing=framing)
    assert values == {"x": pytest.approx(123.456, rel=1e-7)}


@pytest.mark.parametrize("order", ["ABCD", "CDAB", "BADC", "DCBA"])
def test_byte_orders(order: str) -> None:
    sent = bytes(b"ABCD"[i] for i in ("ABCD".index(letter) for letter in order))
    values = read(sent, [{"key": "x", "address": 0, "type": "uint32", "order": order}])
    assert values == {"x": float(int.from_bytes(b"ABCD", "big"))}


@pytest.mark.parametrize(
    ("type_", "data", "value"),
    [
        ("int16", "fffe", -2.0),
        ("uint16", "fffe", 65_534.0),
        ("int64", "fffffffffffffffe", -2.0),
        ("float64", struct.pack(">d", -0.5).hex(), -0.5),
        ("bcd16", "1234", 1234.0),
        ("bcd32", "00123456", 123_456.0),
    ],
)
def test_types(type_: str, data: str, value: float) -> None:
    assert read(bytes.fromhex(data), [{"key": "x", "address": 0, "type": type_}]) == {"x": value}


def test_what_the_device_marks_as_no_value_is_none() -> None:
    registers = [
        {"key": "x", "address": 0, "type": "int16", "absent": -32_768},
        {"key": "b", "address": 0, "type": "bcd16"},
    ]
    values = read(bytes.fromhex("8000"), registers)
    assert math.isnan(values["x"])
    assert values["b"] == 8000.0
    assert math.isnan(read(bytes.fromhex("80fa"), registers)["b"])


@pytest.mark.parametrize(
    ("framing", "data", "reason"),
    [
        ("rtu", RTU[:-1] + b"\0", "bad_crc"),
        ("rtu", b"\x01\x83", "wrong_length"),
        ("pdu", b"\x83\x02", "device_refused"),
        ("pdu", b"\x10\x00\x01\x00\x02", "unsupported"),
        ("pdu", ANSWER[:-1], "wrong_length"),
        ("tcp", TCP[:-1], "wrong_length"),
        ("registers", b"\x01", "wrong_length"),
        ("registers", b"", "wrong_length"),
        ("registers", b"\x00\x01", "wrong_length"),  # the register lies behind the end
    ],
)
def test_an_answer_that_cannot_be_used_says_why(framing: str, data: bytes, reason: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(data, [{"key": "x", "address": 9, "type": "uint16"}], framing=framing)
    assert caught.value.reason == reason


def test_a_port_without_a_block() -> None:
    with pytest.raises(BadInput, match="wrong_port"):
        read(ANSWER, [{"key": "x", "address": 0, "type": "uint16"}], f_port=3)
