"""Random and mutated frames through every protocol and device family: no crash, no hang, nothing lost unseen.

A few thousand in every run of the tests; `make fuzz` sets a million each and prints the seed."""

import math
import os
import random
import time
from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from citynet.bus import Frame
from citynet.catalog import Profile
from citynet.errors import BadInput
from gateway import checks
from gateway.decoding import Decoder, Draft
from gateway.devices import Example, codecs, languages
from gateway.quarantine import REASONS
from gateway.wire import protocols
from tests.contracts.test_protocols import CLOCK, EXAMPLES, LIMITS, NEIGHBOUR, SENML, TOKENS
from tests.support.fuzz import Fuzz
from tests.support.gateway import NOON_US, decoder
from tests.unit.test_gateway_chirpstack_protobuf import MADE

FRAMES = int(os.environ.get("CITYNET_FUZZ_FRAMES", "3000"))
SEED = os.environ.get("CITYNET_FUZZ_SEED", "") or str(random.SystemRandom().randrange(2**31))
BATCH = 500
BATCH_S = 20.0  # a batch takes milliseconds: this is a hang
SENML_PACKS = [
    SENML,
    b'[{"bn": "lamp-1/", "bu": "kW", "bt": 1772452800, "bv": 1, "bver": 26, "n": "power", "v": 0.08},'
    b' {"n": "level", "u": "%EL", "t": -5, "v": 50, "s": 3}, {"n": "energy", "u": "furlong", "v": 1e308}]',
    b'[{"n": "urn:dev:ow:10e2073a01080063:level", "u": "/1000", "v": 605}, {"n": "open", "vb": true},'
    b' {"n": "label", "vs": "x", "ut": 10}, {"n": "blob", "vd": "aGkgCg"}]',
]
EVENTS = ("up", "up", "up", "up", "event", "ack", "txack", "log", "status", "join", "location", "history", "down", "?")
MORE = {
    "native": [
        SENML,
        b'[{"time": 1772452800, "values": {"level": 1}}, {"time": "2026-03-02T11:00:00+03:00", "name": "power",'
        b' "value": 2},'
        b' {"time": null, "values": {"level": 3, "power": null, "unknown": "x", "nested": {"level": 1}}}]',
        b'{"command_id": "0197b5a0-0000-7000-8000-000000000000", "status": "acknowledged", "detail": "x"}',
    ],
    "chirpstack": [event.SerializeToString() for _, event in MADE],
}


# Forms of a protocol that other code reads get a full length of their own.
FORMS: dict[str, list[bytes]] = {
    **{name: [EXAMPLES[name], *MORE.get(name, [])] for name in protocols()},
    "native senml": SENML_PACKS,
    "chirpstack protobuf": MORE["chirpstack"],
}


def batches(fuzz: Fuzz, name: str) -> Iterator[list[Frame]]:
    """Frames of a protocol on all its subjects; the last of each batch is a good neighbour."""
    root = TOKENS[name].rpartition(".")[0]
    bodies = fuzz.frames(FRAMES)
    while some := list(islice(bodies, BATCH)):
        frames = [
            Frame(f"{root}.{fuzz.chance.choice(EVENTS)}", body, seq, NOON_US * 1000)
            for seq, body in enumerate(some, 10)
        ]
        yield [*frames, NEIGHBOUR]


def seen(draft: Draft, checked: checks.Checked) -> set[int]:
    """Positions of frames of which something is left: readings, answers, notices, values refused."""
    by_seq = {frame.seq: position for position, frame in enumerate(draft.frames)}
    found = {int(position) for position in checked.readings.frame}
    found |= {int(position) for refused in checked.refused.values() for position in refused}
    found |= {by_seq[frame.seq] for frame, _, _ in draft.answers}
    return found | {by_seq[one.stream_seq] for one in draft.notices}


def counted(by: Decoder, frame: Frame) -> bool:
    """Whether a frame of which nothing is left is counted at least, or is a copy of another."""
    draft = by.decode([frame])
    checked = checks.check(draft, by.directory.targets, CLOCK, limits=LIMITS)
    return bool(seen(draft, checked)) or any(n for name, n in draft.counters.items() if name != "uplinks")


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_frame_of_a_protocol_is_read_counted_or_set_aside(form: str) -> None:
    print(f"seed {SEED}, {FRAMES} frames of {form}")
    fuzz, name = Fuzz(f"{SEED}-{form}", FORMS[form]), form.split()[0]
    by, alone, read = decoder(), decoder(), 0
    for frames in batches(fuzz, name):
        began = time.monotonic()
        draft = by.decode(frames)
        checked = checks.check(draft, by.directory.targets, CLOCK, limits=LIMITS)
        assert time.monotonic() - began < BATCH_S, f"seed {SEED}: a batch hangs"
        here = seen(draft, checked)
        read += len(here)
        assert len(frames) - 1 in here, f"seed {SEED}: the neighbour is lost"
        unknown = {one.reason for one in draft.notices} - set(REASONS) | {
            f"{one.detail} of {one.payload!r}" for one in draft.notices if one.reason == "codec_error"
        }
        assert not unknown, f"seed {SEED}: {unknown}"
        lost = [frame for position, frame in enumerate(frames) if position not in here and not counted(alone, frame)]
        assert not lost, f"seed {SEED}: lost unseen: {[(f.subject, f.data) for f in lost[:5]]}"
    assert read > FRAMES // 10, "the frames are too wild to say anything"


def refused(reader: Callable[[bytes, int], object], data: bytes, port: int) -> object:
    """What a reader makes of a frame, or its refusal; any other error is a crash."""
    try:
        return reader(data, port)
    except BadInput as error:
        return error


@pytest.mark.parametrize("name", sorted(codecs()))
def test_a_device_family_gives_numbers_or_refuses(name: str) -> None:
    print(f"seed {SEED}, {FRAMES} frames of {name}")
    codec, read = codecs()[name], 0
    known = [(vector.f_port, vector.data) for vector in codec.vectors] + [
        (one.f_port, one.data) for one in codec.orders
    ]
    fuzz = Fuzz(f"{SEED}-{name}", [data for _, data in known])
    ports = [port for port, _ in known]
    began = time.monotonic()
    for data in fuzz.frames(FRAMES):
        port = fuzz.chance.choice(ports) if fuzz.chance.random() < 0.8 else fuzz.chance.randrange(256)
        for reader in (codec.decode, codec.read):
            if reader is None:
                continue
            result = refused(reader, data, port)
            read += not isinstance(result, BadInput)
            if isinstance(result, BadInput):
                assert result.reason in {*REASONS, "wrong_order"}, f"seed {SEED}: {result.reason}"
            elif isinstance(result, dict):
                assert all(math.isfinite(value) for value in result.values()), f"seed {SEED}: {data.hex()} {result}"
    assert read, "no frame was read: the examples are wrong"
    assert time.monotonic() - began < BATCH_S + FRAMES / 1_000, f"seed {SEED}: it hangs"


@pytest.mark.parametrize("name", sorted(languages()))
def test_a_language_of_meters_gives_numbers_or_refuses(name: str) -> None:
    print(f"seed {SEED}, {FRAMES} frames of {name}")
    found, read = languages()[name].examples, 0
    readers = [languages()[name].codec(one.attributes, profile_of(one)).decode for one in found]
    fuzz = Fuzz(f"{SEED}-{name}", [one.data for one in found])
    began = time.monotonic()
    for data in fuzz.frames(FRAMES):
        which = fuzz.chance.randrange(len(found))
        result = refused(readers[which], data, found[which].f_port)
        if isinstance(result, BadInput):
            assert result.reason in REASONS, f"seed {SEED}: {result.reason}"
            continue
        read += 1
        assert isinstance(result, dict)
        assert not any(math.isinf(value) for value in result.values()), f"seed {SEED}: {data.hex()} {result}"
    assert read, "no telegram was read: the examples are wrong"
    assert time.monotonic() - began < BATCH_S + FRAMES / 1_000, f"seed {SEED}: it hangs"


def profile_of(example: Example) -> Profile | None:
    return Profile.model_validate(example.profile) if example.profile else None
