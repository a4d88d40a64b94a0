"""The sandbox of codecs: what hostile and clumsy scripts do, and that none of it reaches another frame."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.codecs import Codec, Entry, Limits, Result
from gateway.codecs.pool import HANGS_MAX, Pool

RECEIVED = "2026-03-02T12:00:00.000Z"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def pool() -> AsyncIterator[Pool]:
    """One for all tests: they also prove that no script harms the next one."""
    made = Pool(Limits(time_s=0.1))
    yield made
    await made.aclose()


def frame(*numbers: int, port: int = 2, **more: object) -> str:
    return json.dumps({"bytes": numbers, "fPort": port, "recvTime": RECEIVED, **more})


def uplink(body: str) -> Codec:
    return Codec("function decodeUplink(input) {\n" + body + "\n}")


def data(result: Result) -> object:
    assert result.kind == "result", result
    return json.loads(result.text)["data"]


HOSTILE = {
    "loops": ("for (;;) {}", "time"),
    "loops and catches": ("for (;;) { try { for (;;) {} } catch (e) {} }", "time"),
    "regular expression": ("/(x+x+)+y/.test('x'.repeat(60))", "time"),
    "eats memory": ("const a = []; for (;;) a.push(new Uint8Array(1e6))", "memory"),
    "eats the stack": ("(function f() { f(); })()", "threw"),
    "cyclic": ("const o = {}; o.o = o; return {data: o}", "threw"),
    "10 MB": ("return {data: {x: 'y'.repeat(1e7)}}", "large"),
    "throws": ("throw new RangeError('no such frame')", "threw"),
    "throws nothing": ("throw undefined", "threw"),
    "throws what cannot be shown": ("throw {toString() { throw 1; }}", "threw"),
    "returns nothing": ("return", "threw"),
    "returns a text": ("return 'abc'", "threw"),
    "wants a file": ("return {data: require('fs').readFileSync('/etc/passwd')}", "threw"),
    "wants the network": ("return {data: fetch('http://127.0.0.1/')}", "threw"),
    "wants the system": ("return {data: std.loadFile('/etc/passwd') + os.getenv('PATH')}", "threw"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_frame_fails_alone(pool: Pool, name: str) -> None:
    body, kinds = HOSTILE[name]
    codec = uplink(f"if (input.bytes[0] === 1) {{ {body} }}\nreturn {{data: {{n: input.bytes.length}}}};")
    before, bad, after = await pool.run(codec, "decodeUplink", [frame(0, 7), frame(1), frame(0, 7, 9)])
    assert data(before) == {"n": 2}
    assert data(after) == {"n": 3}
    assert bad.kind in kinds.split("|"), bad


async def test_what_cannot_be_interrupted_costs_its_worker_and_nothing_else(pool: Pool) -> None:
    killed = pool.counters["codec_workers_killed"]
    stuck = "if (input.bytes[0]) 'a'.repeat(1e7).indexOf('a'.repeat(5e6) + 'b');"
    codec = uplink(f"{stuck} return {{data: {{n: 1}}}};")
    before, bad, after = await pool.run(codec, "decodeUplink", [frame(0), frame(1), frame(0)])
    assert (data(before), bad.kind, data(after)) == ({"n": 1}, "killed", {"n": 1})
    assert pool.counters["codec_workers_killed"] == killed + 1


async def test_a_script_that_hangs_again_and_again_is_left_alone(pool: Pool) -> None:
    killed = pool.counters["codec_workers_killed"]
    stuck = uplink("'a'.repeat(1e7).indexOf('a'.repeat(5e6) + 'b');")
    results = await pool.run(stuck, "decodeUplink", [frame(1)] * (HANGS_MAX + 5))
    assert {result.kind for result in results} == {"killed"}
    assert pool.counters["codec_workers_killed"] == killed + HANGS_MAX
    assert data((await pool.run(uplink("return {data: {ok: true}}"), "decodeUplink", [frame(1)]))[0]) == {"ok": True}


# What one call tries to leave behind. probe says what a later call sees of it; the first answer is that of a new world.
MARKS = {
    "forgotten declaration": ("leak = 1", "typeof leak"),
    "state of the script": ("state.n = 1; count++; list.push(1)", "[state.n, count, list.length]"),
    "property of the world": ("Object.defineProperty(this_(), 'mark', {value: 1})", "typeof mark"),
    "properties of the world": (
        "Object.defineProperties(this_(), {mark: {value: 1, configurable: true}})", "typeof this_().mark"),
    "property by reflection": (
        "try { Reflect.defineProperty(this_(), 'mark', {value: 1}) } catch (e) {}", "typeof this_().mark"),
    "getter": ("try { this_().__defineGetter__('mark', () => 1) } catch (e) {}", "typeof this_().mark"),
    "symbol": ("this_()[Symbol.for('mark')] = 1", "typeof this_()[Symbol.for('mark')]"),
    "built-in symbol": (
        "this_()[Reflect.ownKeys(Object.getPrototypeOf([])).pop()] = 1", "typeof this_()[Symbol.unscopables]"),
    "built-in method": ("try { Array['proto' + 'type'].map = 1 } catch (e) {}", "typeof [].map"),
    "new method": ("try { String['proto' + 'type'].mark = 1 } catch (e) {}", "typeof ''.mark"),
    "field of everything": ("try { Object['proto' + 'type'].temperature = 1 } catch (e) {}", "typeof ({}).temperature"),
    "iterator": ("try { Reflect.getPrototypeOf([].values()).next = 1 } catch (e) {}", "typeof [].values().next"),
    "generator": ("try { Reflect.getPrototypeOf(function* () {}).m = 1 } catch (e) {}", "typeof (function* () {}).m"),
    "JSON": ("try { JSON.parse = 1; JSON = 2 } catch (e) {}", "typeof JSON.parse"),
    "Math": ("try { Math.round = () => 42; delete Math.floor } catch (e) {}", "[Math.round(1.5), typeof Math.floor]"),
    "Date": ("try { Date.now = 1; Date.prototype.getTime = 1 } catch (e) {}", "[typeof Date.now, typeof Date]"),
    "text as code": ("try { (0, this_()['ev' + 'al'])('let mark = 1') } catch (e) {}", "typeof mark"),
    "function from text": ("try { decodeUplink.constructor('this.mark = 1')() } catch (e) {}", "typeof mark"),
    "itself": ("try { decodeUplink.mark = 1; decodeUplink = null } catch (e) {}", "typeof decodeUplink.mark"),
    "error": ("try { Error['proto' + 'type'].mark = Error.mark = 1 } catch (e) {}", "typeof new Error().mark"),
    "console": ("try { console.log = 1 } catch (e) {}", "typeof console.log"),
    "Buffer": ("try { Buffer.from = 1 } catch (e) {}", "typeof Buffer.from"),
    "chance": ("Math.random()", "Math.random()"),
    "clock": ("new Date().setYear(1970)", "new Date().getTime()"),
}  # fmt: skip


@pytest.mark.parametrize("name", MARKS)
async def test_one_call_cannot_change_the_next(pool: Pool, name: str) -> None:
    act, probe = MARKS[name]
    script = (
        "var state = {}, count = 0; const list = [];\nfunction this_() { return this }\n"
        "function decodeUplink(input) {\n"
        f"  if (input.bytes[0]) {{ {act} }}\n  return {{data: {{seen: {probe}}}}};\n}}"
    )
    new_world = (await pool.run(Codec(script), "decodeUplink", [frame(0)]))[0]
    results = await pool.run(Codec(script), "decodeUplink", [frame(1), frame(0), frame(1), frame(0)])
    assert [data(results[i]) for i in (1, 3)] == [data(new_world)] * 2


async def test_not_a_number_is_told_apart_from_null(pool: Pool) -> None:
    codec = uplink("return {data: {a: NaN, b: [1, -Infinity], c: null, d: undefined, e: 10n, f: new Date(0)}};")
    (result,) = await pool.run(codec, "decodeUplink", [frame()])
    assert result.text == '{"data":{"a":NaN,"b":[1,-Infinity],"c":null,"e":10,"f":"1970-01-01T00:00:00.000Z"}}'


async def test_the_clock_of_a_codec_shows_when_the_frame_was_received(pool: Pool) -> None:
    codec = uplink("return {data: {now: new Date(), same: Date.now() - input.recvTime, y: new Date(0).getFullYear()}};")
    (result,) = await pool.run(codec, "decodeUplink", [frame()])
    assert data(result) == {"now": RECEIVED, "same": 0, "y": 1970}


CALLS: dict[str, tuple[str, Entry, str, object]] = {
    "The Things Network 2": (
        "function Decoder(bytes, port) { return {n: bytes[0], port} }",
        "decodeUplink",
        frame(5),
        {"n": 5, "port": 2},
    ),
    "ChirpStack 3": (
        "function Decode(fPort, bytes, vars) { return {n: bytes[0], fPort, vars} }",
        "decodeUplink",
        frame(5, variables={"k": "v"}),
        {"n": 5, "fPort": 2, "vars": {"k": "v"}},
    ),
    "arrow": ("const decodeUplink = ({bytes}) => ({data: {n: bytes[0]}});", "decodeUplink", frame(5), {"n": 5}),
    "module": (
        "import { Buffer } from 'buffer';\n"
        "export function decodeUplink(i) { return {data: {n: Buffer.from(i.bytes)[0]}} }",
        "decodeUplink",
        frame(5),
        {"n": 5},
    ),
    "exports": (
        "exports.decodeUplink = (i) => ({data: {n: i.bytes[0]}});",
        "decodeUplink",
        frame(5),
        {"n": 5},
    ),
    "module.exports": (
        "const util = require('util');\nconst read = (i) => ({data: {n: i.bytes[0]}});\n"
        "module.exports = {decodeUplink: read};",
        "decodeUplink",
        frame(5),
        {"n": 5},
    ),
    "bundle": (
        "var driver;(()=>{var e=t=>{t.exports={decodeUplink:i=>({data:{n:i.bytes[0]}})}},m={exports:{}};"
        "e(m);driver=m.exports})();",
        "decodeUplink",
        frame(5),
        {"n": 5},
    ),
    "exports where there are some": (
        "function decodeUplink(i) { return {data: {n: i.bytes[0]}} }\n"
        "if (typeof exports !== 'undefined') exports.decodeUplink = decodeUplink;",
        "decodeUplink",
        frame(5),
        {"n": 5},
    ),
    "dates in words": (
        "function decodeUplink(i) { return {data: {at: new Date(Date.UTC(2024, 0, 2, 5, 4, 9)).toLocaleString()}} }",
        "decodeUplink",
        frame(5),
        {"at": "1/2/2024, 5:04:09 AM"},
    ),
    "polyfill": (
        "function decodeUplink(i) {\n  Number.prototype.twice = function () { return this * 2 };\n"
        "  return {data: {n: i.bytes[0].twice()}} }",
        "decodeUplink",
        frame(5),
        {"n": 10},
    ),
    "hidden polyfill": (
        "function decodeUplink(i) {\n  const p = [][`constructor`]['proto' + 'type'];\n"
        "  p.last = function () { return this[this.length - 1] };\n  return {data: {n: i.bytes.last()}} }",
        "decodeUplink",
        frame(5),
        {"n": 5},
    ),
    "own toString": (
        "function decodeUplink(i) { const o = {}, l = []; o.toString = () => 'own'; l.fill = 7;\n"
        "  return {data: {n: '' + o + l.fill}} }",
        "decodeUplink",
        frame(5),
        {"n": "own7"},
    ),
    "normalised": (
        "function decodeUplink(i) { return {data: {t: i.bytes[0]}} }\n"
        "function normalizeUplink(i) { return {data: {air: {temperature: i.data.t}}} }",
        "normalizeUplink",
        '{"data": {"t": 5}}',
        {"air": {"temperature": 5}},
    ),
}


@pytest.mark.parametrize("name", CALLS)
async def test_scripts_of_every_network_run_unchanged(pool: Pool, name: str) -> None:
    source, entry, text, wanted = CALLS[name]
    results = await pool.run(Codec(source), entry, [text, text])
    assert [data(result) for result in results] == [wanted, wanted]


async def test_a_script_that_does_not_load_says_why(pool: Pool) -> None:
    for source, said in (
        ("function decodeUplink(", "SyntaxError"),
        ("throw new Error('at once')", "at once"),
        ("", "no decodeUplink"),
    ):
        (result,) = await pool.run(Codec(source), "decodeUplink", [frame(1)])
        assert result.kind in ("load", "threw")
        assert said in result.text


async def test_the_worker_holds_no_secret_and_opens_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYNET_SECRET_NATS_GATEWAY", "very-secret-word")
    async with contextlib.aclosing(Pool()) as pool:
        await pool.run(uplink("return {data: {}}"), "decodeUplink", [frame()])
        _holds_nothing(pool)


def _holds_nothing(pool: Pool) -> None:
    worker = pool._all[0]._process
    assert worker is not None
    told = Path(f"/proc/{worker.pid}")
    if told.exists():  # Linux tells everything about a process
        assert b"very-secret-word" not in (told / "environ").read_bytes()
        assert "Max file size             0 " in (told / "limits").read_text()


async def test_buffer_reads_and_writes_as_in_node(pool: Pool) -> None:
    body = """
      const b = Buffer.from(input.bytes);
      return {data: {
        hex: b.toString('hex'), b64: b.toString('base64'), back: Buffer.from(b.toString('base64'), 'base64').equals(b),
        u16: b.readUInt16BE(0), u16le: b.readUint16LE(0), i8: b.readInt8(3),
        u24: b.readUIntBE(0, 3), i24: b.readIntLE(1, 3), f: Buffer.from('3fc00000', 'hex').readFloatBE(0),
        cut: b.slice(1, 3).toString('hex'), n: Buffer.concat([b, b]).length, is: Buffer.isBuffer(b),
        utf: Buffer.from('градус °').toString(), bad: Buffer.from([0xe0, 0x41]).toString(), json: b.subarray(0, 1),
        text: new TextDecoder().decode(new TextEncoder().encode('é')), array: Array.isArray([...b]),
      }};"""
    (result,) = await pool.run(uplink(body), "decodeUplink", [frame(1, 2, 3, 0xFE)])
    assert data(result) == {
        "hex": "010203fe", "b64": "AQID/g==", "back": True, "u16": 258, "u16le": 513, "i8": -2, "u24": 0x010203,
        "i24": -130302, "f": 1.5, "cut": "0203", "n": 8, "utf": "градус °", "bad": "\ufffdA",
        "json": {"type": "Buffer", "data": [1]}, "text": "é", "is": True, "array": True,
    }  # fmt: skip


async def test_whole_numbers_of_a_buffer_are_those_of_a_data_view(pool: Pool) -> None:
    """At every place, by every name; outside of the buffer there is none."""
    wrong = """
      const b = Buffer.from(input.bytes), view = new DataView(b.buffer, b.byteOffset, b.byteLength), wrong = [];
      for (const [bits, sign] of [[8, "U"], [8, ""], [16, "U"], [16, ""], [32, "U"], [32, ""]]) {
        for (const order of bits === 8 ? [""] : ["LE", "BE"]) {
          const kind = sign ? "Uint" + bits : "Int" + bits, last = b.length - bits / 8;
          for (const name of ["read" + sign + "Int" + bits + order, "read" + kind + order]) {
            for (let at = 0; at <= last; at++) {
              if (b[name](at) !== view["get" + kind](at, order === "LE")) wrong.push(name + at);
            }
            if (b[name]() !== b[name](0)) wrong.push(name);
            for (const at of [-1, last + 1, 0.5, "1"]) {
              try { b[name](at); wrong.push(name + at); } catch (_) {}
            }
          }
        }
      }
      return {data: {wrong}};"""
    bytes_ = [0, 1, 127, 128, 200, 255, 254, 3, 129, 0, 77]
    (result,) = await pool.run(uplink(wrong), "uplink", [frame(*bytes_)])
    assert data(result) == {"wrong": []}
