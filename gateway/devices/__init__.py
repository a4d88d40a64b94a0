"""Device families: one file turns the bytes of one kind of device into values and commands into bytes.

A profile's `language` names its codec, or a standard that many devices speak; simulators use the other side."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from citynet.catalog import Profile
from citynet.errors import BadInput
from citynet.plugins import Family

Values = dict[str, float]
Args = dict[str, float | str | bool]


@dataclass(frozen=True, slots=True)
class Vector:
    """A named example beside the codec: test, documentation and simulator feed at once."""

    name: str
    f_port: int
    data: bytes
    values: Values


@dataclass(frozen=True, slots=True)
class Order:
    """A named example of a command and its downlink."""

    action: str
    args: Args
    f_port: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Codec:
    """Both sides of a device's radio language. Payload keys are those of the profile's map.

    decode and read raise BadInput on foreign bytes, encode on a command that the device does not know.
    """

    decode: Callable[[bytes, int], Values]
    pack: Callable[[Values], tuple[int, bytes]]
    vectors: tuple[Vector, ...]
    encode: Callable[[str, Args], tuple[int, bytes]] | None = None
    read: Callable[[bytes, int], tuple[str, Args]] | None = None
    orders: tuple[Order, ...] = ()


CODECS: Family[Codec] = Family("device")
Attributes = Mapping[str, Any]
KEY_BYTES = 16


class Decode(Protocol):
    """Reads a telegram of one device. Raises BadInput; a number that the device marks as invalid is NaN."""

    def __call__(self, data: bytes, f_port: int, *, attributes: Attributes, profile: Profile | None) -> Values:
        """Values by name."""


@dataclass(frozen=True, slots=True)
class Example:
    """A named telegram with its values; profile is the body of one where the language needs it."""

    name: str
    data: bytes
    values: Values
    attributes: Attributes = field(default_factory=dict)
    profile: dict[str, Any] | None = None
    f_port: int = 0


@dataclass(frozen=True, slots=True)
class Language:
    """A standard that devices of many makers speak: names of the values come from the standard, not from a profile."""

    decode: Decode
    examples: tuple[Example, ...]

    def codec(self, attributes: Attributes, profile: Profile | None) -> Codec:
        """The codec of one device."""

        def decode(data: bytes, f_port: int) -> Values:
            return self.decode(data, f_port, attributes=attributes, profile=profile)

        return Codec(decode=decode, pack=_receive_only, vectors=())


def _receive_only(values: Values) -> tuple[int, bytes]:
    raise BadInput("receive_only", "nobody writes telegrams in the name of such a meter")


LANGUAGES: Family[Language] = Family("language")


def secret(attributes: Attributes, name: str) -> bytes:
    """The AES key in an attribute of a device. Raises BadInput (no_key, wrong_key), which never names the key."""
    told = attributes.get(name)
    if told in (None, ""):
        raise BadInput("no_key", f"the telegram is encrypted and the device has no attribute {name}")
    try:
        key = bytes.fromhex(str(told))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise BadInput("wrong_key", f"the attribute {name} is not 32 hexadecimal digits")
    return key


@cache
def codecs() -> dict[str, Codec]:
    """Every codec by profile name."""
    return CODECS.load("gateway.devices")


@cache
def languages() -> dict[str, Language]:
    """Every language by the name that profiles give."""
    return LANGUAGES.load("gateway.devices")


def family(profile: Profile | None, name: str) -> str:
    """Which file of a profile's devices: what its `language` names, else the codec of the profile's own name; or ""."""
    told = profile.language if profile else ""
    if told in languages() or told in codecs():
        return told
    return name if name in codecs() else ""


def codec_of(profile: Profile | None, name: str, attributes: Attributes) -> Codec | None:
    """What reads and writes for one device of a profile of this name, None where only a script could."""
    found = family(profile, name)
    language = languages().get(found)
    return language.codec(attributes, profile) if language else codecs().get(found)


@dataclass(frozen=True, slots=True)
class Layout:
    """A frame of fixed fields: key -> step of its whole number, in the order of the struct format."""

    f_port: int
    form: str
    steps: dict[str, float]

    def decode(self, data: bytes, f_port: int) -> Values:
        """Values of a frame. Raises BadInput when port or length are another frame's."""
        if f_port != self.f_port:
            raise BadInput("wrong_port", f"port {f_port} instead of {self.f_port}")
        if len(data) != struct.calcsize(self.form):
            raise BadInput("wrong_length", f"{len(data)} bytes instead of {struct.calcsize(self.form)}")
        numbers = struct.unpack(self.form, data)
        # Division by the whole reciprocal gives 21.7 where multiplication by 0.1 gives 21.700000000000003.
        return {key: number / round(1 / step) for (key, step), number in zip(self.steps.items(), numbers, strict=True)}

    def pack(self, values: Values) -> tuple[int, bytes]:
        """Port and frame of values; a key that is missing is sent as 0."""
        numbers = [round(values.get(key, 0.0) / step) for key, step in self.steps.items()]
        try:
            return self.f_port, struct.pack(self.form, *numbers)
        except struct.error as error:
            raise BadInput("out_of_field", str(error)) from error
