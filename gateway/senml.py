"""SenML JSON packs (RFC 8428, RFC 9100): records with their base fields -> samples. Pure; used by native_mqtt."""

import re
from dataclasses import dataclass, field

from citynet.errors import BadInput
from gateway import lenient
from gateway.wire import Bad, Parsed, Sample

BASE = {"bn", "bt", "bu", "bv", "bs", "bver"}
VALUES = ("v", "vb", "vs", "vd")
LABELS = BASE | {"n", "u", "t", "ut", "s", *VALUES}
TELLING = LABELS - {"u", "t", "ut"}
NATIVE = {"values", "name", "value"}
# RFC 9100: version = 10 + a bit a feature; 16 = secondary units (RFC 8798).
VERSION, FEATURES = 10, 16
# Times below are seconds from now, others seconds since 1970.
ABSOLUTE_S = 2**28
SECONDS_MAX = 1e11
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")
DEVICE_URN = re.compile(r"urn:dev:[a-z]+:[A-Za-z0-9.\-]+")
SEPARATORS = ":/_."
UNNAMED = "value"


def is_pack(document: object) -> bool:
    """Whether a JSON document is a SenML pack and not our own array of moments."""
    if not isinstance(document, list) or not document or not isinstance(document[0], dict):
        return False
    labels = set(document[0])
    return not labels & NATIVE and (bool(labels & TELLING) or any(label.endswith("_") for label in labels))


@dataclass
class Base:
    """The base fields in force."""

    name: str = ""
    unit: str = ""
    time: float = 0.0
    value: float | None = None
    sum: float | None = None

    def take(self, record: dict[str, object]) -> None:
        """Take over what a record sets. Raises BadInput: then nothing after it can be understood."""
        _version(record.get("bver", VERSION))
        if "bn" in record:
            self.name = _text(record, "bn")
        if "bu" in record:
            self.unit = _text(record, "bu")
        self.time = _number(record, "bt", self.time) or 0.0
        self.value = _number(record, "bv", self.value)
        self.sum = _number(record, "bs", self.sum)


@dataclass
class Pack:
    """What the records so far have said. device is the identifier of the topic."""

    device: str
    base: Base = field(default_factory=Base)
    parsed: Parsed = field(default_factory=Parsed)
    urn: str = ""
    open: dict[str, float] = field(default_factory=dict)  # the values of the newest sample
    units: dict[str, str] = field(default_factory=dict)  # and the units that they came with

    def take(self, record: object) -> None:
        """Read one record. Raises BadInput where the whole pack must not be used."""
        if not isinstance(record, dict):
            raise BadInput("wrong_shape", "a record is not an object")
        strange = [label for label in record if label.endswith("_") and label not in LABELS]
        if strange:
            raise BadInput("must_understand", ", ".join(strange)[:80])
        self.base.take(record)
        if record.keys() & BASE and not record.keys() & {"n", "s", *VALUES}:
            return  # sets base fields for those that follow
        try:
            self._record(record)
        except BadInput as error:
            if error.reason == "foreign_identity":
                raise
            self.parsed.bad.append(Bad(error.reason, detail=error.detail))

    def _record(self, record: dict[str, object]) -> None:
        key = self._key(_text(record, "n") if "n" in record else "")
        seconds = self.base.time + (_number(record, "t", 0.0) or 0.0)
        if abs(seconds) > SECONDS_MAX:
            raise BadInput("bad_time", repr(seconds))
        found = self._values(record, key)
        if not found:
            raise BadInput("no_values", key)
        unit = _text(record, "u") if "u" in record else self.base.unit
        good, bad = lenient.numbers(found)
        self.parsed.bad += bad
        # A sum is in unit x seconds: the profile says of what.
        self._add(seconds, good, units={key: unit} if unit and key in good else {})

    def _values(self, record: dict[str, object], key: str) -> dict[str, object]:
        """Value and sum of a record by key; a missing addend counts as zero when the other one is there."""
        given = [label for label in VALUES if label in record]
        if len(given) > 1:
            raise BadInput("wrong_shape", f"{key} has {' and '.join(given)}")
        found: dict[str, object] = {}
        if given and given[0] != "v":
            found[key] = _told(given[0], record[given[0]])
        elif given or self.base.value is not None:
            found[key] = _sum(self.base.value, record.get("v", 0.0))
        if "s" in record or self.base.sum is not None:
            found[f"{key}.sum"] = _sum(self.base.sum, record.get("s", 0.0))
        return found

    def _key(self, name: str) -> str:
        """What the resolved name says beyond the device. Raises BadInput when a pack speaks for several devices."""
        full = self.base.name + name
        if not NAME.fullmatch(full):
            raise BadInput("bad_name", repr(full)[:80])
        urn = DEVICE_URN.match(full)
        if urn:
            if self.urn not in ("", urn[0]):
                raise BadInput("foreign_identity", f"a pack of {self.urn[:60]} and {urn[0][:60]}")
            self.urn = urn[0]
            return full[urn.end() :].lstrip(SEPARATORS) or UNNAMED
        rest = full.removeprefix(self.device)
        return (rest.lstrip(SEPARATORS) or UNNAMED) if rest[:1] in SEPARATORS or not rest else full

    def _add(self, seconds: float, values: dict[str, float], *, units: dict[str, str]) -> None:
        """Records of one moment go into one sample, unless a key comes twice."""
        absolute = seconds >= ABSOLUTE_S
        us = round(seconds * 1e6)
        time, after = (us, 0) if absolute else (None, us)
        last = self.parsed.samples[-1] if self.parsed.samples else None
        if last and (last.time, last.after_us) == (time, after) and not self.open.keys() & values.keys():
            self.open.update(values)
            self.units.update(units)
        elif values:
            self.open, self.units = values, units
            self.parsed.samples.append(Sample(time, values, after, units))


def _version(version: object) -> None:
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise BadInput("wrong_shape", f"bver is {version!r}"[:80])
    if version > VERSION and (version - VERSION) & ~FEATURES:
        raise BadInput("wrong_version", f"bver {version}"[:80])


def _text(record: dict[str, object], label: str) -> str:
    value = record[label]
    if not isinstance(value, str):
        raise BadInput("duplicate_key" if value is lenient.Mark.DUPLICATE else "wrong_shape", f"{label} is no text")
    return value


def _number(record: dict[str, object], label: str, default: float | None) -> float | None:
    value = record.get(label, default)
    if label not in record:
        return default
    number = lenient.number(value)
    if isinstance(value, bool) or not isinstance(number, float):
        raise BadInput(number if isinstance(number, str) else "wrong_type", f"{label} is {value!r}"[:80])
    return number


def _told(label: str, value: object) -> object:
    """Only vb is a number; text and bytes have no series, and are refused where the profile asks for them."""
    if value is None or value is lenient.Mark.DUPLICATE or (label == "vb" and isinstance(value, bool)):
        return value
    return repr(value)


def _sum(base: float | None, value: object) -> object:
    """The number, or what stands in its place, to be refused with the others."""
    if value is None or value is lenient.Mark.DUPLICATE:
        return value
    number = lenient.number(value)
    if isinstance(value, bool) or (isinstance(number, str) and number != "not_finite"):
        return repr(value)
    return (base or 0.0) + number if isinstance(number, float) else value


def parse(document: list[object], device: str) -> Parsed:
    """Samples of a pack that came for device. Raises BadInput when the pack as a whole must be refused."""
    pack = Pack(device)
    for record in document:
        pack.take(record)
    return pack.parsed
