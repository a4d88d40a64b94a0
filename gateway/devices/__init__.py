"""Device families: one file turns the radio bytes of one kind of device into values and commands into bytes.

The profile name in schemas/services/*.toml picks the codec; gateway uses one side, simulators the other."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

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


@cache
def codecs() -> dict[str, Codec]:
    """Every codec by profile name."""
    return CODECS.load("gateway.devices")


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
