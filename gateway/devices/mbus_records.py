"""Data records of M-Bus (EN 13757-3): DIF, DIFE, VIF, VIFE and data -> numbers by name, in fixed units."""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from citynet.errors import BadInput
from gateway.devices import Values
from gateway.devices.mbus_bytes import EXTENSIONS_MAX, Reader
from gateway.devices.mbus_vif import Kind, meaning

RECORDS_MAX = 200
# Bytes of the data field by the low four bits of DIF. 5 is a float, 13 says its length itself.
INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8}
BCDS = {9: 1, 10: 2, 11: 3, 12: 4, 14: 6}
FLOAT, VARIABLE = 5, 13
FILLER, MANUFACTURER, MORE_FOLLOW = 0x2F, 0x0F, 0x1F
FUNCTIONS = ("", "_max", "_min", "_error")


@dataclass(frozen=True, slots=True)
class Head:
    """DIF and DIFEs: coding of the data, and which value of the meter it is."""

    coding: int
    function: int
    storage: int
    tariff: int
    unit: int

    def name(self, kind: Kind, suffix: str) -> str:
        """Name with what is not the usual: volume_s1 (storage 1), energy_t2 (tariff 2), power_max."""
        name = kind.name + suffix + FUNCTIONS[self.function]
        for letter, number in (("s", self.storage), ("t", self.tariff), ("u", self.unit)):
            name += f"_{letter}{number}" if number else ""
        return name


def _head(dif: int, reader: Reader) -> Head:
    storage, tariff, unit, more = dif >> 6 & 1, 0, 0, dif & 0x80
    for number in range(EXTENSIONS_MAX + 1):
        if not more:
            return Head(dif & 0x0F, dif >> 4 & 3, storage, tariff, unit)
        dife = reader.byte()
        storage |= (dife & 0x0F) << (1 + 4 * number)
        tariff |= (dife >> 4 & 3) << (2 * number)
        unit |= (dife >> 6 & 1) << number
        more = dife & 0x80
    raise BadInput("bad_record", f"more than {EXTENSIONS_MAX} DIFE")


def bcd(data: bytes) -> float:
    """A BCD number, lowest byte first; F in the highest digit is a minus. NaN where a digit is none."""
    digits = data[::-1].hex()
    sign, digits = (-1, digits[1:]) if digits[0] == "f" else (1, digits)
    return sign * float(digits) if digits.isdigit() else math.nan


def _number(head: Head, reader: Reader) -> float | None:
    """The number of a record, None where it is text or nothing."""
    if head.coding in INTEGERS:
        return float(int.from_bytes(reader.take(INTEGERS[head.coding]), "little", signed=True))
    if head.coding in BCDS:
        return bcd(reader.take(BCDS[head.coding]))
    if head.coding == FLOAT:
        return float(struct.unpack("<f", reader.take(4))[0])
    if head.coding == VARIABLE:
        return _variable(reader)
    if head.coding in (0, 8):
        return None
    raise BadInput("bad_record", f"DIF with the coding {head.coding}")


def _variable(reader: Reader) -> float | None:
    length = reader.byte()
    if length < 0xC0:
        reader.take(length)
        return None
    if 0xC0 <= length <= 0xC9:
        return bcd(reader.take(length - 0xC0)) if length > 0xC0 else None
    if 0xD0 <= length <= 0xD9:
        return -bcd(reader.take(length - 0xD0)) if length > 0xD0 else None
    if 0xE0 <= length <= 0xEF:
        return float(int.from_bytes(reader.take(length - 0xE0), "little", signed=True))
    raise BadInput("bad_record", f"a variable length of {length:02x}")


def _records(reader: Reader) -> Iterator[tuple[str, float]]:
    for _ in range(RECORDS_MAX):
        if not reader:
            return
        dif = reader.byte()
        if dif == FILLER:
            continue
        if dif in (MANUFACTURER, MORE_FOLLOW):
            return
        head = _head(dif, reader)
        kind, suffix = meaning(reader)
        number = _number(head, reader)
        if kind is not None and number is not None:
            yield head.name(kind, suffix), number if math.isnan(number) else _scaled(number, kind.step)


def _scaled(number: float, step: Fraction) -> float:
    """Multiplied and divided once each: 28504271 hundredths are 285042.71."""
    return number * step.numerator / step.denominator


def records(data: bytes) -> Values:
    """Values of the records by name; of two with one name the first. Raises BadInput where the structure breaks."""
    values: Values = {}
    for name, value in _records(Reader(data)):
        values.setdefault(name, value)
    return values
