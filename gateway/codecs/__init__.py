"""TS013 payload codecs in JavaScript: sandbox, batch calls (pool.py), vectors of public repositories (vectors.py)."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import msgspec

Entry = Literal["decodeUplink", "encodeDownlink", "decodeDownlink", "normalizeUplink", "uplink"]
Kind = Literal["result", "threw", "time", "memory", "large", "load", "killed"]


class Limits(msgspec.Struct, frozen=True):
    """What one call may use: CPU seconds, bytes of heap and stack, characters of JSON that it returns."""

    time_s: float = 0.25
    memory_bytes: int = 32_000_000
    stack_bytes: int = 500_000
    output_chars: int = 262_144


class Result(NamedTuple):
    """What became of one call: the JSON of what the codec returned (NaN and Infinity as such), or why there is none."""

    kind: Kind
    text: str


class Request(msgspec.Struct, frozen=True):
    """Many calls of one function of one script. clock_ms = what the codec's clock shows, 0 = the wall's time."""

    key: str
    source: str
    entry: Entry
    inputs: list[str]
    limits: Limits
    as_date: bool = False
    clock_ms: int = 0


@dataclass(frozen=True)
class Codec:
    """A script and its version in its profile."""

    source: str
    version: int = 1

    @cached_property
    def key(self) -> str:
        """The same for the same source."""
        return hashlib.sha256(self.source.encode("utf-8", "surrogatepass")).hexdigest()[:24]
