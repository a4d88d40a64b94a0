"""Radio frames whose profile has a script: heard many at a time before a batch is read. Used by uplink and redecode."""

import asyncio
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from citynet.bus import Frame
from citynet.errors import BadInput
from citynet.settings import Settings
from gateway import lenient
from gateway.codecs import Codec, Result
from gateway.codecs.pool import Pool
from gateway.directory import Route
from gateway.targets import Tree
from gateway.wire import Bad, Parsed, Radio, Sample, moment_us

# Why there is no result, in the words of the quarantine.
REASONS = {
    "threw": "codec_error",
    "load": "codec_error",
    "time": "codec_timeout",
    "killed": "codec_timeout",
    "memory": "codec_memory",
    "large": "codec_output",
}
NORMALIZED = "normalized"
NOTHING: Tree = {}


class Output(msgspec.Struct):
    """What decodeUplink returned; normalized is the data of normalizeUplink."""

    data: Any = None
    warnings: Any = None
    errors: Any = None
    normalized: Any = None


class Heard(NamedTuple):
    """A parsed frame and what the script made of its bytes, which were sent at time (us, None = when it came)."""

    parsed: Parsed
    time: int | None
    result: Result


class Spoken(NamedTuple):
    """Samples of one frame by a script, what of it is no number, and how many warnings it gave."""

    samples: list[Sample]
    bad: list[Bad]
    warnings: int


OUTPUT = msgspec.json.Decoder(Output)
EXACT = 2**53


class Odd(Exception):
    """Something of an output that must be read with care."""


@dataclass
class Gathered:
    """Values of an output that a profile maps, with their offsets, and how many it does not map."""

    offsets: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    unmapped: int = 0

    def take(self, tree: Tree, items: Iterable[tuple[str | int, Any]]) -> None:
        """Take in what an object or a list holds. Raises Odd."""
        for key, value in items:
            to, kind = tree.get(key), type(value)
            if to is None and type(key) is str and ("." in key or "[" in key):
                raise Odd  # stands for a path perhaps
            if (kind is float and -math.inf < value < math.inf) or (kind is int and -EXACT <= value <= EXACT):
                if isinstance(to, int):
                    self.offsets.append(to)
                    self.values.append(value)
                elif to is None:
                    self.unmapped += 1
                else:
                    raise Odd
            elif value is None:
                continue  # not measured
            elif isinstance(to, int):
                raise Odd
            elif kind is dict:
                self.take(to or NOTHING, value.items())
            else:
                self.unmapped += 1
                if kind is list:
                    self.take(to or NOTHING, enumerate(value))


async def hear(frames: Sequence[Frame], calls: Mapping[int, tuple[Route, Parsed]], pool: Pool) -> dict[int, Heard]:
    """Results by position of the frames with radio bytes. Raises nothing: a failure is a result."""
    scripts: dict[str, tuple[Codec, list[tuple[int, Parsed, Radio]], list[str]]] = {}
    for position, (route, parsed) in calls.items():
        radio = parsed.radio or parsed.spare
        if radio is None or route.script is None:
            continue
        moment_ms = frames[position].received_ns // 1_000_000 if radio.time is None else radio.time // 1000
        _, asked, inputs = scripts.setdefault(route.script.key, (route.script, [], []))
        asked.append((position, parsed, radio))
        inputs.append(call(radio, moment_ms, route.device.attributes.get("variables")))
    answers = await asyncio.gather(*(pool.run(codec, "uplink", inputs) for codec, _, inputs in scripts.values()))
    return {
        position: Heard(parsed, radio.time, result)
        for (_, asked, _), results in zip(scripts.values(), answers, strict=True)
        for (position, parsed, radio), result in zip(asked, results, strict=True)
    }


def call(radio: Radio, moment_ms: int, variables: object) -> str:
    """Text of what decodeUplink gets."""
    told = json.dumps(variables) if isinstance(variables, dict) else "{}"
    return f'{{"bytes":{list(radio.data)},"fPort":{radio.f_port},"recvTime":{moment_ms},"variables":{told}}}'


def output(result: Result) -> Output:
    """What the codec returned. Raises BadInput with the reason when there is nothing that can be used."""
    if result.kind != "result":
        raise BadInput(REASONS[result.kind], result.text)
    try:
        try:
            found = OUTPUT.decode(result.text)
        except msgspec.DecodeError:  # NaN or Infinity somewhere: the rest is still good
            found = msgspec.convert(json.loads(result.text), Output)
    except RecursionError as error:
        raise BadInput("too_deep", "the codec's output") from error
    except (ValueError, msgspec.ValidationError) as error:  # such as a whole number of thousands of digits
        raise BadInput("codec_error", f"the output cannot be read: {error}"[:200]) from error
    if found.errors:
        raise BadInput("codec_refused", "; ".join(said(found.errors)))
    return found


def said(notes: Any) -> list[str]:
    """Warnings or errors as texts, whatever a vendor makes of them."""
    if notes is None:
        return []
    return [
        note if isinstance(note, str) else json.dumps(note) for note in (notes if isinstance(notes, list) else [notes])
    ]


def gathered(heard: Heard, tree: Tree, limits: Settings) -> tuple[Gathered, int] | None:
    """The values of an output of the commonest form, and how many warnings it has; None when spoken() must read it.

    Raises BadInput.
    """
    found, told = output(heard.result), Gathered()
    normalized = {} if found.normalized is None else found.normalized
    if not isinstance(found.data, dict) or not isinstance(normalized, dict) or "time" in normalized:
        return None
    try:
        told.take(tree, found.data.items())
        if normalized:
            told.take(tree, [(NORMALIZED, normalized)])
    except (Odd, RecursionError):
        return None
    if not told.values or len(told.values) + told.unmapped > limits.values_per_uplink:
        return None
    return told, len(said(found.warnings))


def spoken(heard: Heard, limits: Settings) -> Spoken:
    """Samples of a result: data as dotted keys, what is normalised as normalized.<key>. Raises BadInput."""
    found = output(heard.result)
    if not isinstance(found.data, dict):
        raise BadInput("wrong_shape", "the codec returned no data")
    values, bad = lenient.numbers(found.data)
    samples = [Sample(heard.time, values)]
    for one in found.normalized if isinstance(found.normalized, list) else [found.normalized]:
        if isinstance(one, dict):
            own = one.pop("time", None)
            good, wrong = lenient.numbers({NORMALIZED: one})
            bad += wrong
            if isinstance(own, str):
                samples.append(Sample(moment_us(own), good))
            else:
                values.update(good)
    if sum(len(sample.values) for sample in samples) + len(bad) > limits.values_per_uplink:
        raise BadInput("too_many_values", f"more than {limits.values_per_uplink}")
    return Spoken(samples, bad, len(said(found.warnings)))
