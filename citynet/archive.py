"""Raw frames in compressed blocks, kept after the broker lets them go: ingest packs them, the gateway reads them again.

Pure: bytes in, bytes out. A frame comes back as it was, with sequence, arrival and headers (decision 0041)."""

import hashlib
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from citynet.frames import Frame

CODEC, LEVEL = "zstd", 3
# Of a thousand blocks one is read in vain. frame_block_may_hold in SQL asks for as many bits.
BITS_A_DEVICE, PROBES = 16, 6


class Block(msgspec.Struct, array_like=True):
    """Columns of a block, its frames by device: neighbours then look alike. headers by position where there are any."""

    subjects: list[str]
    seq: bytes
    arrival: bytes
    data: list[bytes]
    headers: dict[int, dict[str, str]] = {}


DECODER = msgspec.msgpack.Decoder(Block)


def _shuffled(numbers: NDArray[np.int64]) -> bytes:
    """First bytes of all numbers, then all second ones: most of them are zero and cost nothing once compressed."""
    return np.ascontiguousarray(numbers.view(np.uint8).reshape(-1, 8).T).tobytes()


def _numbers(body: bytes) -> NDArray[np.int64]:
    columns = np.frombuffer(body, np.uint8).reshape(8, -1)
    return np.ascontiguousarray(columns.T).view(np.int64).ravel()


def _column(numbers: list[int]) -> bytes:
    """Numbers as the first of them and the distances from it; int64."""
    found = np.array(numbers, np.int64)
    return found[:1].tobytes() + _shuffled(found - found[:1])


def _uncolumn(body: bytes) -> list[int]:
    found: list[int] = (_numbers(body[8:]) + np.frombuffer(body[:8], np.int64)).tolist()
    return found


def pack(frames: Sequence[Frame]) -> tuple[bytes, int]:
    """A block of at least one frame, and its size in bytes before it was compressed."""
    ordered = sorted(frames, key=lambda frame: frame.subject)
    block = Block(
        [frame.subject for frame in ordered],
        _column([frame.seq for frame in ordered]),
        _column([frame.arrival_ns for frame in ordered]),
        [frame.data for frame in ordered],
        {position: frame.headers for position, frame in enumerate(ordered) if frame.headers},
    )
    raw = msgspec.msgpack.encode(block)
    body: bytes = pa.Codec(CODEC, compression_level=LEVEL).compress(raw, asbytes=True)
    return body, len(raw)


def unpack(body: bytes, raw_bytes: int) -> list[Frame]:
    """The frames of a block in the order of their sequence. Raises OSError or msgspec.DecodeError on foreign bytes."""
    raw = pa.Codec(CODEC).decompress(body, decompressed_size=raw_bytes, asbytes=True)
    block = DECODER.decode(raw)
    rows = zip(block.subjects, block.data, _uncolumn(block.seq), _uncolumn(block.arrival), strict=True)
    found = [Frame(*row, block.headers.get(position)) for position, row in enumerate(rows)]
    return sorted(found, key=lambda frame: frame.seq)


def pieces(frames: Sequence[Frame], size_bytes: int) -> Iterator[list[Frame]]:
    """frames in pieces of about so many bytes of payload."""
    piece: list[Frame] = []
    size = 0
    for frame in frames:
        if piece and size + len(frame.data) > size_bytes:
            yield piece
            piece, size = [], 0
        piece.append(frame)
        size += len(frame.data)
    if piece:
        yield piece


def device_of(subject: str) -> str:
    """The token of the device in a subject of UPLINKS or HISTORY; empty where there is none."""
    tokens = subject.split(".", 3)
    return tokens[2] if len(tokens) > 2 else ""


def probe(token: str) -> tuple[int, int]:
    """Two numbers below 2^31: the first bit of a device in a filter, and the step to its next ones."""
    digest = hashlib.blake2b(token.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest[:4], "big") >> 1, (int.from_bytes(digest[4:], "big") >> 1) | 1


def devices(frames: Sequence[Frame]) -> bytes:
    """The Bloom filter of the devices of at least one frame."""
    probes = np.array([probe(token) for token in {device_of(frame.subject) for frame in frames}], np.int64)
    size = 8 * -(-len(probes) * BITS_A_DEVICE // 8)
    bits = np.zeros(size, np.uint8)
    bits[(probes[:, :1] + probes[:, 1:] * np.arange(PROBES)) % size] = 1
    return np.packbits(bits, bitorder="little").tobytes()
