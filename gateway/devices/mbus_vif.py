"""What M-Bus records measure (EN 13757-3): VIF and VIFE -> name and step of the value. Used by mbus_records.py."""

from dataclasses import dataclass
from fractions import Fraction

from citynet.errors import BadInput
from gateway.devices.mbus_bytes import EXTENSIONS_MAX, Reader

HOUR, MJ_IN_KWH = Fraction(3600), Fraction(1, 3_600_000)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a VIF stands for: the name of the value, and what one of it is in the unit of the name."""

    name: str
    step: Fraction


def _tens(exponent: int) -> Fraction:
    return Fraction(10) ** exponent


# First VIF of a range, how many, name, exponent of the first, factor. docs/how-to/meters.md names the units.
MAIN: tuple[tuple[int, int, str, int, Fraction], ...] = (
    (0x00, 8, "energy", -6, Fraction(1)),  # from 0.001 W.h to kW.h
    (0x08, 8, "energy", 0, MJ_IN_KWH),
    (0x10, 8, "volume", -6, Fraction(1)),
    (0x18, 8, "mass", -3, Fraction(1)),
    (0x28, 8, "power", -6, Fraction(1)),
    (0x30, 8, "power", 0, MJ_IN_KWH),
    (0x38, 8, "volume_flow", -6, Fraction(1)),
    (0x40, 8, "volume_flow", -7, Fraction(60)),
    (0x48, 8, "volume_flow", -9, HOUR),
    (0x50, 8, "mass_flow", -3, Fraction(1)),
    (0x58, 4, "flow_temperature", -3, Fraction(1)),
    (0x5C, 4, "return_temperature", -3, Fraction(1)),
    (0x60, 4, "temperature_difference", -3, Fraction(1)),
    (0x64, 4, "external_temperature", -3, Fraction(1)),
    (0x68, 4, "pressure", -3, Fraction(1)),
    (0x6E, 1, "heat_allocation", 0, Fraction(1)),
)
AFTER_FB: tuple[tuple[int, int, str, int, Fraction], ...] = (
    (0x00, 2, "energy", 2, Fraction(1)),  # 0.1 MW.h
    (0x02, 2, "reactive_energy", 0, Fraction(1)),
    (0x04, 2, "apparent_energy", 0, Fraction(1)),
    (0x08, 2, "energy", 8, MJ_IN_KWH),  # 0.1 GJ
    (0x0C, 4, "energy", -1, Fraction("1.163")),  # 0.1 Mcal
    (0x10, 2, "volume", 2, Fraction(1)),
    (0x14, 4, "reactive_power", -3, Fraction(1)),
    (0x18, 2, "mass", 5, Fraction(1)),
    (0x1A, 2, "humidity", -1, Fraction(1)),
    (0x28, 2, "power", 2, Fraction(1)),
    (0x2C, 4, "frequency", -3, Fraction(1)),
    (0x30, 2, "power", 8, MJ_IN_KWH),
    (0x34, 4, "apparent_power", -3, Fraction(1)),
)
AFTER_FD: tuple[tuple[int, int, str, int, Fraction], ...] = (
    (0x17, 1, "error_flags", 0, Fraction(1)),
    (0x3A, 1, "count", 0, Fraction(1)),
    (0x40, 16, "voltage", -9, Fraction(1)),
    (0x50, 16, "current", -12, Fraction(1)),
    (0x74, 1, "battery_days", 0, Fraction(1)),
)
EXTENDED = {0xFB: AFTER_FB, 0xFD: AFTER_FD}
PLAIN_TEXT, PHASE = 0x7C, 0xFC
PHASES = {1: "_l1", 2: "_l2", 3: "_l3"}


def _kind(code: int, table: tuple[tuple[int, int, str, int, Fraction], ...]) -> Kind | None:
    for first, count, name, exponent, factor in table:
        if first <= code < first + count:
            return Kind(name, _tens(exponent + code - first) * factor)
    return None


def meaning(reader: Reader) -> tuple[Kind | None, str]:
    """Kind and suffix of VIF and VIFEs; None where some part is not of the tables: such a record is passed over."""
    vif = reader.byte()
    more, kind = vif & 0x80, None
    if vif in EXTENDED:
        code = reader.byte()
        more, kind = code & 0x80, _kind(code & 0x7F, EXTENDED[vif])
    elif vif & 0x7F == PLAIN_TEXT:
        reader.take(reader.byte())
    else:
        kind = _kind(vif & 0x7F, MAIN)
    suffix = ""
    for _ in range(EXTENSIONS_MAX):
        if not more:
            return kind, suffix
        vife = reader.byte()
        more = vife & 0x80
        if vife == PHASE:
            phase = reader.byte()
            more, suffix = phase & 0x80, suffix + PHASES.get(phase & 0x7F, "")
            kind = kind if phase & 0x7F in PHASES else None
        else:
            kind, suffix = _changed(kind, suffix, vife & 0x7F)
    raise BadInput("bad_record", f"more than {EXTENSIONS_MAX} VIFE")


def _changed(kind: Kind | None, suffix: str, vife: int) -> tuple[Kind | None, str]:
    if kind is None:
        return None, suffix
    if 0x70 <= vife <= 0x77:
        return Kind(kind.name, kind.step * _tens(vife - 0x76)), suffix
    if vife == 0x7D:
        return Kind(kind.name, kind.step * 1000), suffix
    if vife == 0x3B:
        return kind, suffix + "_import"
    if vife == 0x3C:
        return kind, suffix + "_export"
    return None, suffix
