"""Columns of state: typed numpy arrays that grow and travel as bytes. Every state of analytics is made of them."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]
Scalar = TypeVar("Scalar", bound=np.generic)
NEVER = -(2**61)  # no instant in us; far enough from the edge of int64 to subtract
SECOND_US = 1_000_000


def grown(array: npt.NDArray[Scalar], size: int, fill: float) -> npt.NDArray[Scalar]:
    """array with its last axis brought to size, new cells filled. Never shrinks."""
    if array.shape[-1] >= size:
        return array
    wider = np.full((*array.shape[:-1], size), fill, dtype=array.dtype)
    wider[..., : array.shape[-1]] = array
    return wider


def pack(columns: Mapping[str, Array]) -> bytes:
    """Named columns as bytes; unpack() gives them back bit for bit."""
    return msgspec.msgpack.encode({name: (a.dtype.str, a.shape, a.tobytes()) for name, a in columns.items()})


def unpack(data: bytes) -> dict[str, Array]:
    """The columns of pack(), writable."""
    cells = msgspec.msgpack.decode(data, type=dict[str, tuple[str, tuple[int, ...], bytes]])
    return {name: np.frombuffer(body, dtype).reshape(shape).copy() for name, (dtype, shape, body) in cells.items()}
