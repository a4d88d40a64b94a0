"""Random and mutated frames from examples, by a seed: what the fuzz tests feed to every protocol and decoder."""

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

PIECES = (
    *(b'"', b"{", b"}", b"[", b"]", b":", b",", b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"\x00"),
    *(b"\xff\xfe", b"\\u0000", b'"":', b"1" * 400, b"[" * 40, b'{"a":' * 40, b"9223372036854775808", b"1e-400"),
    *(b'"2026-03-02T12:00:00Z"', b'"0001-01-01T00:00:00Z"', b'"time":', b"253402300800", b"-1e11", b"1e11"),
)
LEAVES: tuple[Any, ...] = (None, True, 0, -1, 1.5, 1e308, 2**63, "", "NaN", "level", "\u0000", [], {}, [[]], "АБВ")


class Fuzz:
    """Frames of one kind. Each is random bytes, a mutated example, two examples in one, or JSON of their words."""

    def __init__(self, seed: str, examples: Sequence[bytes]) -> None:
        self.chance = random.Random(seed)
        self.examples = list(examples)
        self.words = sorted({word for one in examples for word in one.decode("latin-1").split('"') if word.isalnum()})

    def frames(self, count: int) -> Iterator[bytes]:
        """So many frames."""
        ways = (self._mutated, self._mutated, self._mutated, self._spliced, self._random, self._document)
        for _ in range(count):
            yield self.chance.choice(ways)()

    def _random(self) -> bytes:
        return self.chance.randbytes(self.chance.randrange(60))

    def _mutated(self) -> bytes:
        chance = self.chance
        data = bytearray(chance.choice(self.examples))
        for _ in range(chance.randrange(5)):
            at, length = chance.randrange(len(data) + 1), chance.choice((0, 0, 1, 1, 2, 4, 9))
            way = chance.randrange(4)
            if way == 0:
                data[at : at + length] = chance.choice(PIECES)
            elif way == 1:
                data[at : at + length] = chance.randbytes(chance.randrange(4))
            elif way == 2:
                data[at:at] = data[chance.randrange(len(data) + 1) :][: 4 * length]
            elif at < len(data):
                data[at] ^= 1 << chance.randrange(8)
        return bytes(data)

    def _spliced(self) -> bytes:
        one, other = self.chance.choice(self.examples), self.chance.choice(self.examples)
        return one[: self.chance.randrange(len(one) + 1)] + other[self.chance.randrange(len(other) + 1) :]

    def _document(self) -> bytes:
        return json.dumps(self._tree(3)).encode()

    def _tree(self, depth: int) -> Any:
        chance = self.chance
        if depth == 0 or chance.random() < 0.2:
            return chance.choice(LEAVES)
        if chance.random() < 0.2:
            return [self._tree(depth - 1) for _ in range(chance.randrange(3))]
        return {chance.choice(self.words or ["x"]): self._tree(depth - 1) for _ in range(chance.randrange(5))}
