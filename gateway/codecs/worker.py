"""The worker process of codecs: JavaScript in QuickJS, away from everything. Started by pool.py, killed when it hangs.

Its world is stdin (requests), stdout (results) and a page of shared memory that says which input it is at."""

import contextlib
import mmap
import os
import re
import resource
import signal
import struct
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import quickjs

from gateway.codecs import Limits, Request, Result

HERE = Path(__file__).parent
PRELUDE, BUFFER = (HERE / "prelude.js").read_text(), (HERE / "buffer.js").read_text()
SIZE = struct.Struct("<I")
CONTEXTS_MAX = 200
FLUSH_S = 0.01
ADDRESS_SPACE_BYTES = 2_000_000_000
# Times the limit of a call: a frame may be tried in a new context too.
LAST_RESORT = 4
# How often a frame that failed in the frozen context is tried in a fresh one before the script is believed.
SECOND_TRIES = 20
NAMES = (
    "decodeUplink", "encodeDownlink", "decodeDownlink", "normalizeUplink", "Decode", "Decoder", "Encode", "Encoder",
)  # fmt: skip
FOUND = ",".join(f'{name}:typeof {name}==="undefined"?undefined:{name}' for name in NAMES)
# Packages of drivers hand their functions over as modules of Node.js do, by exports or module.exports; bundles of
# ThingPark's call the module driver.
COMMON_WORD = re.compile(r"\bexports\b")
COMMON = (
    "var driver,module={exports:{}},exports=module.exports,require=function(){return {}};"  # there is nothing to load
)
COMMON_FOUND = ",".join(f'{name}:typeof {name}==="undefined"?(driver||module.exports).{name}:{name}' for name in NAMES)
# What would behave otherwise in a frozen context, or inside a function, without an error that tells.
NEEDS_FRESH = re.compile(
    r"\b(?:Object|Array|String|Number|Boolean|Date|Function|RegExp|Math|JSON|Buffer|BigInt|DataView|\w*Array)"
    r"\s*\.\s*prototype\s*(?:\.\s*\w+|\[[^\]]*\])\s*=(?!=)"
    r"|\b(?:globalThis|setPrototypeOf|__proto__|eval|importScripts)\b|\bnew\s+Function\b"
)
# A function that finds the script's own variables on the global object: `this.name` in a plain call.
OWN_THIS, DECLARED = re.compile(r"\bthis\s*\.\s*(\w+)"), re.compile(r"\b(?:function|var)\s+(\w+)")
EXPORTS = re.compile(
    r"^[ \t]*(?:import\s[^;\n]*from\s*['\"][^'\"]*['\"];?|export\s*\{[^}]*\};?|export\s+(?:default\s+)?(?=\w))",
    re.MULTILINE,
)
SYMBOLS = re.compile(r"Symbol|ownKeys")
BUFFER_WORD = re.compile(r"\b(?:Buffer|TextDecoder|TextEncoder)\b")


def _context(source: str, limits: Limits) -> tuple[quickjs.Context, Any]:
    context = quickjs.Context()
    context.set_memory_limit(limits.memory_bytes)
    context.set_max_stack_size(limits.stack_bytes)
    context.set_time_limit(limits.time_s)
    if BUFFER_WORD.search(source):
        context.eval(BUFFER)
    return context, context.eval(PRELUDE)


def _found(source: str) -> str:
    return COMMON_FOUND if source.startswith(COMMON) else FOUND


def _frozen(source: str, limits: Limits) -> Any:
    """call of a context that no call can change: the script is one function, made anew for every frame."""
    context, boot = _context(source, limits)
    return boot(
        context.eval(f"(function(){{{source}\n;return {{{_found(source)}}};}})"), True, bool(SYMBOLS.search(source))
    )


def _fresh(source: str, limits: Limits) -> Any:
    """call of a new context in which the script ran as the program that it is."""
    context, boot = _context(source, limits)
    context.eval(source)
    return boot(context.eval(f"(function(){{return {{{_found(source)}}};}})"), False, True)


def needs_fresh(source: str) -> bool:
    """Whether a script could behave otherwise in the frozen context without an error that tells."""
    if NEEDS_FRESH.search(source):
        return True
    return not set(OWN_THIS.findall(source)).isdisjoint(DECLARED.findall(source))


def _failure(error: Exception) -> Result:
    text = str(error).strip()
    said = text.splitlines()[0] if text else type(error).__name__
    if "interrupted" in said:
        return Result("time", said)
    return Result("memory" if "out of memory" in said else "threw", said[:500])


@dataclass
class Script:
    """One source with its contexts. Fails to load = every call says why."""

    source: str
    limits: Limits
    call: Any = None
    fresh_only: bool = False
    second_tries: int = SECOND_TRIES
    failed: Result | None = field(default=None)

    def load(self) -> "Script":
        """Compile. Sources written as modules lose their imports and exports, those of Node.js find what they fill."""
        common = [COMMON + self.source] if COMMON_WORD.search(self.source) else []
        for source in (*common, self.source, EXPORTS.sub("", self.source)):
            self.source = source
            self.fresh_only = needs_fresh(source)
            try:
                self.failed = None
                self.call = (_fresh if self.fresh_only else _frozen)(source, self.limits)
                return self
            except (quickjs.JSException, MemoryError) as error:
                self.failed = _failure(error)
                if not self.fresh_only and self._loads_fresh():
                    return self
        return self

    def _loads_fresh(self) -> bool:
        try:
            _fresh(self.source, self.limits)
        except (quickjs.JSException, MemoryError):
            return False
        self.fresh_only, self.failed = True, None
        return True

    def run(self, request: Request, text: str) -> Result:
        """The result of one input."""
        if self.failed:
            return Result("load", self.failed.text)
        if self.fresh_only:
            return self._fresh(request, text)
        result = self._frozen(request, text)
        if result.kind != "threw" or not self.second_tries:
            return result
        again = self._fresh(request, text)
        if again.kind == "result":
            self.fresh_only = True
            return again
        self.second_tries -= 1
        return result

    def _frozen(self, request: Request, text: str) -> Result:
        try:
            if self.call is None:
                self.call = _frozen(self.source, self.limits)
            said = self._said(self.call, request, text)
        except (quickjs.JSException, MemoryError) as error:
            self.call = None
            return _failure(error)
        if said.startswith("["):
            self.call = None
            said = msgspec.json.decode(said)[0]
        return _read(said)

    def _fresh(self, request: Request, text: str) -> Result:
        try:
            return _read(self._said(_fresh(self.source, self.limits), request, text))
        except (quickjs.JSException, MemoryError) as error:
            return _failure(error)

    def _said(self, call: Any, request: Request, text: str) -> str:
        return str(call(request.entry, text, request.as_date, request.clock_ms, self.limits.output_chars))


def _read(said: str) -> Result:
    if said.startswith("{"):
        return Result("result", said)
    text = str(msgspec.json.decode(said))
    if text.startswith("L"):
        return Result("large", text[1:])
    return Result("memory" if "out of memory" in text else "threw", text[1:])


class Scripts:
    """The scripts used last, compiled."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Script] = OrderedDict()

    def of(self, request: Request) -> Script:
        """The script of a request, compiled on first use."""
        script = self._known.get(request.key)
        if script is None:
            script = self._known[request.key] = Script(request.source, request.limits).load()
            if len(self._known) > CONTEXTS_MAX:
                self._known.popitem(last=False)
        self._known.move_to_end(request.key)
        return script


def _message(stream: BinaryIO) -> bytes | None:
    head = stream.read(SIZE.size)
    return stream.read(SIZE.unpack(head)[0]) if len(head) == SIZE.size else None


def _send(stream: BinaryIO, results: list[Result]) -> None:
    body = msgspec.msgpack.encode(results)
    stream.write(SIZE.pack(len(body)) + body)
    stream.flush()


def _work(request: Request, script: Script, *, page: mmap.mmap, out: BinaryIO) -> None:
    results: list[Result] = []
    due = time.monotonic() + FLUSH_S
    for number, text in enumerate(request.inputs):
        SIZE.pack_into(page, 0, number)
        _arm(request.limits)
        results.append(script.run(request, text))
        if time.monotonic() > due:
            _send(out, results)
            results, due = [], time.monotonic() + FLUSH_S
    if results:
        _send(out, results)


def _arm(limits: Limits) -> None:
    """From now on this much CPU, then the system ends the process: there are loops that QuickJS cannot interrupt."""
    signal.setitimer(signal.ITIMER_PROF, limits.time_s * LAST_RESORT)


def _lock_up() -> None:
    """Give up what a codec has no use for: memory without end, new files, core dumps, other processes' help."""
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 8,
        resource.RLIMIT_AS: ADDRESS_SPACE_BYTES,
    }
    for name, most in limits.items():
        with contextlib.suppress(ValueError, OSError):  # not every system knows each of them
            resource.setrlimit(name, (most, most))


def main() -> None:
    """Serve requests until stdin ends."""
    page = mmap.mmap(int(sys.argv[1]), mmap.PAGESIZE)
    inbox, out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _lock_up()
    scripts = Scripts()
    decoder = msgspec.msgpack.Decoder(Request)
    while (body := _message(inbox)) is not None:
        request = decoder.decode(body)
        SIZE.pack_into(page, 0, 0)
        _arm(request.limits)
        _work(request, scripts.of(request), page=page, out=out)


if __name__ == "__main__":
    main()
