"""`citynet codec test`: layouts of vectors, what counts as equal, and the public repositories where there is a copy."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from citynet.errors import BadInput
from citynet.settings import load
from gateway.codecs import commands, trial, verdict, yaml12
from schemas import ROOT

SCRIPT = """
function decodeUplink(input) {
  return {data: {n: input.bytes[0], port: input.fPort, at: input.recvTime, gap: undefined, bad: NaN, list: [1, {a: 2}]},
          warnings: []};
}
function normalizeUplink(input) { return {data: {air: {temperature: input.data.n}}}; }
function encodeDownlink(input) { return {bytes: [input.data.level], fPort: 3}; }
function decodeDownlink(input) { return {data: {level: input.bytes[0]}}; }
"""
LORAWAN_DEVICES = """
uplinkDecoder:
  fileName: sub/lamp.js
  examples:
    - description: as it should be
      input: {fPort: 0022, bytes: [0x1F, 0b], recvTime: '2026-03-02T12:00:00Z'}
      output:
        data: {n: 31, port: 22, at: "2026-03-02T12:00:00Z", list: [1, {a: 2.0}], bad: null}
      normalizedOutput:
        data: [{air: {temperature: 31}}]
    - description: wrong
      input: {fPort: 1, bytes: [1]}
      output: {data: {n: 2, port: 1, list: [1, {a: 2}]}}
downlinkEncoder:
  fileName: sub/lamp.js
  examples:
    - {description: level, input: {data: {level: 7}}, output: {bytes: [7], fPort: 3}}
downlinkDecoder:
  fileName: missing.js
  examples:
    - {description: level, input: {fPort: 3, bytes: [7]}, output: {data: {level: 7}}}
"""
CHIRPSTACK = """[ // as their own runner takes it
  { name: 'hex', input: { bytes: [0x10,], fPort: 2, }, expected: { data: { n: 16, port: 2, list: [1, {a: 2}], } }, },
]"""
PACKAGE = """[
  {"type": "uplink", "description": "hex", "input": {"bytes": "1F0b", "fPort": 2},
   "output": {"data": {"n": 31, "port": 2, "list": [1, {"a": 2}]}}},
  {"type": "downlink-encode", "input": {"data": {"level": 7}}, "output": {"bytes": "07", "fPort": 3}},
  {"type": "other", "input": {}}
]"""
OURS = '[{"call": "decodeDownlink", "input": {"bytes": [9]}, "expected": {"data": {"level": 9.0}}}]'


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run(folder: Path) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(commands.app, ["test", str(folder), "--json"])
    return done.exit_code, json.loads(done.stdout)


def test_four_layouts_in_one_folder(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "vendor/acme/lamp-codec.yaml": LORAWAN_DEVICES,
            "vendor/acme/lamp.yaml": "name: a device, not a codec\n",
            "vendor/acme/sub/lamp.js": SCRIPT,
            "vendors/acme/codecs/lamp.js": SCRIPT,
            "vendors/acme/codecs/test_decode_lamp.json": CHIRPSTACK,
            "vendors/acme/codecs/test_encode_lamp.json": "[]",
            "vendors/acme/codecs/test_encode_gone.json": "[]",
            "package/main.js": f"(() => {{{SCRIPT}; module.exports = {{decodeUplink, encodeDownlink}}; }})();",
            "package/examples.json": PACKAGE,
            "without/examples.json": PACKAGE,
            "ours/lamp.js": SCRIPT,
            "ours/lamp.vectors.json": OURS,
        },
    )
    code, report = run(tmp_path)
    wrong, missing = "vendor/acme/lamp-codec.yaml uplinkDecoder: wrong", "vendor/acme/lamp-codec.yaml downlinkDecoder"
    assert {one["vector"]: one["reason"] for one in report["failures"]} == {
        wrong: "data.n: 1 instead of 2",
        missing: "there is no script missing.js",
    }
    assert (code, report["total"], report["passed"], report["failed"]) == (1, 8, 6, 2)
    assert report["skipped"] == ["vendors/acme/codecs/test_encode_gone.json"]
    assert report["decodes_s"] > 0


def test_a_folder_without_vectors_is_no_success(tmp_path: Path) -> None:
    assert run(tmp_path)[0] == 1


def test_broken_files_are_failures_with_a_reason(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.yaml": "uplinkDecoder: {fileName: a.js, examples: [\n",
            "b.yaml": "uplinkDecoder: {fileName: b.js, examples: [{output: {}}]}\n",
            "c.js": "function decodeUplink(",
            "c.vectors.json": '[{"input": {"bytes": []}, "expected": {"data": {}}}]',
            "d.js": SCRIPT,
            "d.vectors.json": "[[[",
        },
    )
    code, report = run(tmp_path)
    assert (code, report["failed"]) == (1, 4)
    assert all(one["reason"] for one in report["failures"])


def test_clock_and_chance_are_no_reason_to_fail(tmp_path: Path) -> None:
    script = """function decodeUplink(i) {
      return {data: {at: new Date(), year: new Date().getFullYear(), id: Math.random(), n: i.bytes[0]}}; }"""
    given = {"data": {"at": "2021-05-06T07:08:09.000Z", "year": 2021, "id": 0.25}}
    right, wrong = ({"input": {"bytes": [n]}, "expected": {"data": {**given["data"], "n": 1}}} for n in (1, 2))
    write(tmp_path, {"x.js": script, "x.vectors.json": json.dumps([right, wrong])})
    code, report = run(tmp_path)
    assert (code, report["passed"], [one["reason"] for one in report["failures"]]) == (1, 1, ["data.n: 2 instead of 1"])


def test_yaml_is_read_as_version_1_2() -> None:
    text = (
        "[NO, on, yes, 0022, 0x1F, 0o17, 1e3, .5, 2021-05-06, 12:30:00, 1_000, ~, null, true, '1', -0, {1: a, no: b}]"
    )
    assert yaml12.load(text) == [
        *("NO", "on", "yes", 22, 31, 15, 1000.0, 0.5, "2021-05-06", "12:30:00", "1_000", None, None, True, "1", 0),
        {"1": "a", "no": "b"},
    ]
    assert yaml12.load("base: &b {a: 1}\nmore: {<<: *b, c: 2}")["more"] == {"a": 1, "c": 2}
    for bad in ("[", "{a: b: c}", "!!python/object:os.system {}"):
        with pytest.raises(BadInput):
            yaml12.load(bad)


SAME = [
    (1, 1.0),
    (0.1 + 0.2, 0.3),
    (None, float("nan")),
    ({"a": None}, {}),
    ([1, [2]], [1, [2]]),
    ("x", "x"),
    (-0.0, 0),
]
OTHER = [
    (1, True),
    (0, False),
    (1, "1"),
    (0.3, 0.30001),
    ([1], [1, 2]),
    ({"a": 0}, {}),
    (None, 0),
    ("", None),
    ([], {}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equal_as_json(one: object, other: object) -> None:
    assert verdict.same(one, other)
    assert verdict.same(other, one)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_not_equal_as_json(one: object, other: object) -> None:
    assert not verdict.same(one, other)
    assert not verdict.same(other, one)


def test_codecs_that_ship_with_the_product_pass() -> None:
    code, report = run(ROOT / "codecs")
    assert (code, report["failures"]) == (0, [])
    assert report["total"] >= 16


async def test_public_vectors_pass() -> None:
    folder = load().codec_vectors
    if not folder:
        pytest.skip("no copy of public codec vectors: set CITYNET_CODEC_VECTORS to a checkout")
    report = await trial.run(Path(folder))
    assert report.total > 200
    assert report.passed >= 0.99 * report.total, report.failures[:10]
