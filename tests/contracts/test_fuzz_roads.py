"""Random and mutated input for what lies before and beside the protocols: HTTP push, codecs in JavaScript, imports.

Lengths and seed as in test_fuzz.py; `make fuzz` sets a million each."""

import contextlib
import json
import math
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from citynet.bus import Frame
from citynet.catalog import catalog
from citynet.classes import shipped
from citynet.errors import BadInput, Forbidden
from gateway import checks, scripted
from gateway.codecs import Codec, Limits, Result
from gateway.codecs.pool import Pool
from gateway.protocols.http_push import intake, webhooks
from gateway.protocols.http_push.problems import Refused
from gateway.quarantine import REASONS
from gateway.scripted import Heard, Spoken
from gateway.targets import Layout
from gateway.wire import Parsed, Radio
from schemas import ROOT
from situation_center.reference import loading
from situation_center.reference.columns import header
from situation_center.reference.rows import Reader, Words
from situation_center.reference.table import open_table
from situation_center.registry_plan import Change
from situation_center.wording import texts
from tests.contracts.test_fuzz import BATCH, BATCH_S, FRAMES, MORE, SEED, counted, seen
from tests.contracts.test_protocols import CLOCK, EXAMPLES, LIMITS, SENML
from tests.support.fuzz import Fuzz
from tests.support.gateway import APPLICATION, LAMP, NOON_US, TTS_APPLICATION, decoder

LINES = b'{"device": "lamp-1", "values": {"level": 1}}\n{"values": {"power": 2}}\n{"device": "nobody", "values": {}}'
ROADS: dict[str, tuple[list[bytes], Callable[[bytes], list[intake.Out]]]] = {
    "json": (
        [EXAMPLES["native"], *MORE["native"]],
        lambda body: intake.native(LAMP, intake.JSON, body, lane="up", limits=LIMITS).frames,
    ),
    "senml": ([SENML], lambda body: intake.native(LAMP, intake.SENML, body, lane="history", limits=LIMITS).frames),
    "ndjson": ([LINES], lambda body: intake.native(LAMP, intake.NDJSON, body, lane="up", limits=LIMITS).frames),
    "batch": (
        [b"[" + LINES.replace(b"\n", b",") + b"]"],
        lambda body: intake.mixed(intake.JSON, body, lane="up", own=LAMP, limits=LIMITS).frames,
    ),
    "lines": ([LINES], lambda body: intake.mixed(intake.NDJSON, body, lane="up", own=LAMP, limits=LIMITS).frames),
    "things_stack": (
        [
            EXAMPLES["things_stack"].replace(
                b'"dev_addr"', b'"application_ids": {"application_id": "city-bins"}, "dev_addr"'
            )
        ],
        lambda body: [webhooks.things_stack(body, application=TTS_APPLICATION, limits=LIMITS)],
    ),
    "chirpstack": (
        [EXAMPLES["chirpstack"].replace(b'"devEui"', b'"applicationId": "%s", "devEui"' % APPLICATION.encode())],
        lambda body: [webhooks.chirpstack(body, "up", application=APPLICATION, limits=LIMITS)],
    ),
}


def rounds(fuzz: Fuzz, count: int) -> Iterator[list[bytes]]:
    """Bodies in batches."""
    bodies = fuzz.frames(count)
    while some := list(islice(bodies, BATCH)):
        yield some


@pytest.mark.parametrize("road", ROADS)
def test_a_pushed_body_is_refused_with_a_reason_or_nothing_of_it_is_lost(road: str) -> None:
    count = max(FRAMES // len(ROADS), 500)
    print(f"seed {SEED}, {count} bodies of {road}")
    found, take = ROADS[road]
    fuzz, taken, refused = Fuzz(f"{SEED}-push-{road}", found), 0, 0
    by, alone = decoder(), decoder()
    for bodies in rounds(fuzz, count):
        began, frames = time.monotonic(), list[Frame]()
        for body in bodies:
            try:
                out = take(body)
            except (BadInput, Refused, Forbidden):
                refused += 1
                continue
            assert out, f"seed {SEED}: taken and nothing stored: {body!r}"
            frames += [Frame(one.subject, one.data, len(frames) + n, NOON_US * 1000) for n, one in enumerate(out, 1)]
        taken += len(frames)
        draft = by.decode(frames)
        checked = checks.check(draft, by.directory.targets, CLOCK, limits=LIMITS)
        assert time.monotonic() - began < BATCH_S, f"seed {SEED}: a batch hangs"
        assert not {one.reason for one in draft.notices} - (set(REASONS) - {"codec_error"}), f"seed {SEED}"
        here = seen(draft, checked)
        lost = [frame for position, frame in enumerate(frames) if position not in here and not counted(alone, frame)]
        assert not lost, f"seed {SEED}: lost unseen: {[(f.subject, f.data) for f in lost[:5]]}"
    assert taken > count // 50, "the bodies are too wild to say anything"
    assert refused > count // 50


def heard(text: str) -> Heard:
    return Heard(Parsed(radio=Radio(None, 10, b"")), None, Result("result", text))


OUTPUTS = [
    b'{"data":{"fill":50.5,"temperature":21.7,"nested":{"a":[1,2,{"b":3}]},"text":"open"},"warnings":[]}',
    b'{"data":{"fill":NaN,"x":null},"errors":[],"warnings":["low"],"normalized":{"air":{"temperature":21}}}',
    b'{"data":{},"normalized":[{"time":"2026-03-02T12:00:00Z","air":{"temperature":-1e3}},{"battery":3.6}]}',
    b'{"errors":["no such frame"]}',
]


# What a profile asks for of them.
ASKED = ("fill", "nested.a[2].b", "temperature", "normalized.air.temperature")
MAPPED = Layout({key: number for number, key in enumerate(ASKED)}, {}, (), ())


def values_of(spoken: Spoken) -> dict[str, float]:
    """All numbers of an output."""
    return {key: value for sample in spoken.samples for key, value in sample.values.items()}


def test_whatever_a_codec_returns_becomes_numbers_or_a_reason() -> None:
    print(f"seed {SEED}, {FRAMES} outputs")
    fuzz, good, shortly, reasons = Fuzz(f"{SEED}-outputs", OUTPUTS), 0, 0, Counter[str]()
    for bodies in rounds(fuzz, FRAMES):
        began = time.monotonic()
        for body in bodies:
            try:
                spoken = scripted.spoken(heard(body.decode("utf-8", "replace")), LIMITS)
            except BadInput as error:
                reasons[error.reason] += 1
                continue
            good += 1
            assert all(math.isfinite(value) for value in values_of(spoken).values()), f"seed {SEED}: {body!r}"
            quick = scripted.gathered(heard(body.decode("utf-8", "replace")), MAPPED.tree or {}, LIMITS)
            if quick is not None:
                shortly += 1
                found = values_of(spoken)
                mapped = {number: found[key] for key, number in MAPPED.offsets.items() if key in found}
                assert dict(zip(quick[0].offsets, quick[0].values, strict=True)) == mapped, f"seed {SEED}: {body!r}"
        assert time.monotonic() - began < BATCH_S, f"seed {SEED}: a batch hangs"
    assert set(reasons) <= set(REASONS), f"seed {SEED}: {set(reasons) - set(REASONS)}"
    assert good > FRAMES // 50
    assert shortly > FRAMES // 200


# One script that does what its bytes say, beside the shipped ones: frames that return, throw, hand out odd things and
# try to leave something behind, in one round trip.
ODD = """
var state = 0;
function decodeUplink(input) {
  var b = input.bytes, way = (b[0] || 0) % 12, list = [], o = {};
  if (state || Array.prototype.mark || typeof leak !== 'undefined') { return {data: {leaked: 1}} }
  if (way === 1) { throw new Error('x' + b[1]) }
  if (way === 2) { o.o = o; return {data: o} }
  if (way === 3) { return {data: {x: 0 / 0, y: 1 / 0, z: -0}} }
  if (way === 4) { try { Array['proto' + 'type'].mark = 1 } catch (e) {} }
  if (way === 5) { leak = 1 }
  if (way === 6) { state = 1; }
  if (way === 7) { return b[1] % 2 ? null : 'text' }
  if (way === 8) { return {data: {text: String.fromCharCode(0xd800, b[1] || 0), big: 10n}} }
  if (way === 9) { for (var i = 0; i < b.length * 10; i++) { list.push({i: i, b: b}) } return {data: {list: list}} }
  if (way === 10) { return {errors: [b]} }
  if (way === 11) { return {data: {get x() { throw 1 }}} }
  return {data: {n: b.length, first: b[0], port: input.fPort}};
}
"""


async def test_a_sandbox_answers_every_frame_and_no_frame_reaches_another() -> None:
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "codecs").glob("*.js")} | {"odd": ODD}
    count = max(FRAMES // len(scripts), 500)
    async with contextlib.aclosing(Pool(Limits(time_s=1.0), workers=1)) as pool:
        for name, source in scripts.items():
            print(f"seed {SEED}, {count} frames of {name}")
            fuzz, kinds = (
                Fuzz(f"{SEED}-sandbox-{name}", [bytes(range(12)), bytes([1, 0xFF, 0x9C, 2, 0, 101])]),
                Counter[str](),
            )
            for bodies in rounds(fuzz, count):
                calls = [scripted.call(Radio(None, fuzz.chance.randrange(256), body[:250]), 0, None) for body in bodies]
                began = time.monotonic()
                results = await pool.run(Codec(source), "uplink", calls)
                assert time.monotonic() - began < BATCH_S, f"seed {SEED}: a batch hangs"
                assert len(results) == len(calls)
                kinds.update(result.kind for result in results)
                leaked = [call for call, result in zip(calls, results, strict=True) if '"leaked"' in result.text]
                assert not leaked, f"seed {SEED}: {leaked[:3]}"
                for result in results:
                    with contextlib.suppress(BadInput):
                        scripted.spoken(Heard(Parsed(), None, result), LIMITS)
            assert kinds["result"], f"seed {SEED}: {name} read nothing: {kinds}"
            # A long frame of the odd one returns more than a codec may.
            assert set(kinds) <= {"result", "threw", "large"}, f"seed {SEED}: {kinds}"
        assert not pool.counters["codec_workers_killed"]


HEAD = (
    "key;class;name_ru;lon;lat;external_id;profile;parent;life_cycle;since;tags;geometry;attr.volume_l;attr.more;"
    "device.serial"
)
ROWS = (
    "bin/1;bin;Контейнер;37,75;44,72;70b3d57ed0050001;bin-lora;cabinet/1;planned;01.03.2026;a,b;;1100;[1,2];0042\n"
    'm/1;water_meter;Счётчик;;;a-1;water-meter;;;2026-03-01T10:00+03:00;;"POLYGON((0 0,1 0,1 1,0 0))";~;{"a":1};\n'
    ";;;;;dev;lamp;;в работе;;;;;null;\n"
)
FILES = [
    f"{HEAD}\n{ROWS}".encode(),
    f"{HEAD}\n{ROWS}".encode("cp1251"),
    f"{HEAD}\n{ROWS}".encode("utf-16"),
    f"{HEAD}\n{ROWS}".replace(";", "\t").encode("utf-8-sig"),
    f"{HEAD}\r\n{ROWS}".replace(",", ".").replace(";", ",").encode(),
]


def storable(line: int, change: Change | None) -> bool:
    """Whether the database takes the record of a row: JSON without infinity, texts without halves of characters."""
    assert change
    json.dumps([change.given.attributes, change.device and change.device.attributes], allow_nan=False)
    return "".join(one for one in loading._record(line, change) if isinstance(one, str)).encode() is not None


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder that is written fast: a file a frame costs milliseconds on a disk."""
    with tempfile.TemporaryDirectory(dir=memory if (memory := Path("/dev/shm")).is_dir() else tmp_path) as folder:
        yield Path(folder)


def test_an_import_names_every_fault_of_any_file(in_memory: Path) -> None:
    print(f"seed {SEED}, {FRAMES} files")
    words = Words(catalog(), catalog().profiles, shipped(), ZoneInfo("Europe/Moscow"), datetime(2026, 6, 1, tzinfo=UTC))
    fuzz, path, seen_rows, good, faults = Fuzz(f"{SEED}-import", FILES), in_memory / "file", 0, 0, Counter[str]()
    for bodies in rounds(fuzz, FRAMES):
        began = time.monotonic()
        for body in bodies:
            path.write_bytes(body)
            try:
                table = open_table(path)
                names, wrong = header(table.columns)
                faults.update(one.reason for one in wrong)
                reader = Reader(names, words)
                for line, given in table.rows() if not wrong else ():
                    row = reader.read(line, given)
                    seen_rows += 1
                    faults.update(one.reason for one in row.faults)
                    assert row.change or row.faults, f"seed {SEED}: {body!r}"
                    good += not row.faults
                    assert row.faults or storable(line, row.change), f"seed {SEED}: {body!r}"
            except BadInput as error:
                faults[error.reason] += 1
        assert time.monotonic() - began < BATCH_S, f"seed {SEED}: a batch hangs"
    assert good > FRAMES // 50, "the files are too wild to say anything"
    for language in ("ru", "en"):
        known = texts(language)["import_reason"]
        assert set(faults) <= set(known), set(faults) - set(known)
