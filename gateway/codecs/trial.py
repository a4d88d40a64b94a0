"""Runs the vectors of a folder and reports: `citynet codec test`."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from citynet.errors import BadInput
from gateway.codecs import Codec, Limits, vectors, verdict
from gateway.codecs.pool import Pool
from gateway.codecs.vectors import Suite, Vector

# A vector is not a device: tests may return more and think longer.
LIMITS = Limits(time_s=2.0, memory_bytes=128_000_000, output_chars=8_000_000)
AT_ONCE = 2
REPEATS, REPEATED_MAX = 20, 400
# Another moment, for what depends on the clock: every field of the date differs from today's.
ELSEWHEN_MS = 1_111_111_111_111


@dataclass
class Failure:
    """A vector that failed and why."""

    vector: str
    reason: str


@dataclass
class Report:
    """What came of a folder. decodes_s = calls a second of one worker, JSON in and out included.

    skipped: files of tests whose script is not there, where the repository itself does not run them.
    """

    total: int = 0
    passed: int = 0
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    decodes_s: float = 0.0

    def add(self, vector: str, reason: str) -> None:
        """One more vector; no reason = passed."""
        self.total += 1
        if reason:
            self.failed += 1
            self.failures.append(Failure(vector, reason))
        else:
            self.passed += 1

    def json(self) -> str:
        """For machines."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)


async def run(folder: Path) -> Report:
    """Try every vector under a folder."""
    report, pool, gate = Report(), Pool(LIMITS, workers=AT_ONCE), asyncio.Semaphore(AT_ONCE)
    pace: list[tuple[int, float]] = []

    async def one(suite: Suite) -> list[tuple[str, str]]:
        async with gate:
            return await _suite(pool, suite, pace)

    try:
        suites = list(vectors.find(folder))
        report.skipped = [suite.name for suite in suites if _orphan(suite)]
        for found in await asyncio.gather(*(one(suite) for suite in suites if not _orphan(suite))):
            for name, reason in found:
                report.add(name, reason)
    finally:
        await pool.aclose()
    calls, seconds = sum(n for n, _ in pace), sum(s for _, s in pace)
    report.decodes_s = round(calls / seconds, 1) if seconds else 0.0
    return report


def _orphan(suite: Suite) -> bool:
    return suite.optional and not suite.script.is_file()


async def _suite(pool: Pool, suite: Suite, pace: list[tuple[int, float]]) -> list[tuple[str, str]]:
    """Name and reason of each vector, an empty reason for those that passed."""
    try:
        if suite.broken:
            raise BadInput("bad_vector", suite.broken)
        codec = Codec(suite.script.read_text(encoding="utf-8-sig", errors="replace"))
        found = suite.vectors or vectors.from_tests(suite, await _literal(pool, suite.literal))
    except OSError:
        return [(suite.name, f"there is no script {suite.script.name}")]
    except BadInput as error:
        return [(suite.name, error.detail)]
    results = [(vector.name, await _vector(pool, codec, vector)) for vector in found]
    decoding = [v for v, (_, reason) in zip(found, results, strict=True) if v.entry == "decodeUplink" and not reason]
    pace += await _pace(pool, codec, decoding)
    return results


async def _literal(pool: Pool, text: str) -> Any:
    """Tests as JSON or, failing that, as the JavaScript value that their own runner takes them for."""
    try:
        return json.loads(text)
    except ValueError:
        source = Codec(f"var tests = {text};\nfunction decodeUplink() {{ return {{data: tests}}; }}")
        (result,) = await pool.run(source, "decodeUplink", ["{}"], as_date=False)
        if result.kind != "result":
            raise BadInput("bad_vector", f"the tests cannot be read: {result.text}") from None
        return json.loads(result.text)["data"]


async def _vector(pool: Pool, codec: Codec, vector: Vector) -> str:
    """Why it failed, or nothing. recvTime is what the file says; a script that wants the networks' Date gets one."""
    reason = await _try(pool, codec, vector, as_date=False)
    if reason and "recvTime" in vector.input:
        return reason if await _try(pool, codec, vector, as_date=True) else ""
    return reason


async def _try(pool: Pool, codec: Codec, vector: Vector, *, as_date: bool) -> str:
    text = json.dumps(vector.input)
    got, reason = await _call(pool, codec, vector, text=text, as_date=as_date)
    if reason:
        return reason
    if not verdict.matches(vector.expected, got):
        other, _ = await _call(pool, codec, vector, text=text, as_date=as_date, clock_ms=ELSEWHEN_MS)
        expected = verdict.masked(vector.expected, got, other)
        if not verdict.matches(expected, got):
            return verdict.first_difference(expected, got)
    return await _normalized(pool, codec, vector, got=got) if vector.normalized is not None else ""


async def _call(
    pool: Pool, codec: Codec, vector: Vector, *, text: str, as_date: bool, clock_ms: int = 0
) -> tuple[dict[str, Any], str]:
    (result,) = await pool.run(codec, vector.entry, [text], as_date=as_date, clock_ms=clock_ms)
    if result.kind == "result":
        # JSON has no NaN: what goes on to normalizeUplink has null there.
        return json.loads(result.text, parse_constant=lambda _: None), ""
    return {}, f"{result.kind}: {result.text}"


async def _normalized(pool: Pool, codec: Codec, vector: Vector, *, got: dict[str, Any]) -> str:
    """What the networks do: data of one go on to the other; one measurement may stand without its list."""
    text = json.dumps({**vector.input, "data": got.get("data")})
    (result,) = await pool.run(codec, "normalizeUplink", [text], as_date=False)
    if result.kind != "result":
        return f"normalizeUplink {result.kind}: {result.text}"
    normal = json.loads(result.text)
    wanted, found = (_listed(side) for side in (vector.normalized or {}, normal))
    return "" if verdict.matches(wanted, found) else f"normalized {verdict.first_difference(wanted, found)}"


def _listed(side: dict[str, Any]) -> dict[str, Any]:
    data = side.get("data")
    return {**side, "data": data if isinstance(data, list) else [data]}


async def _pace(pool: Pool, codec: Codec, decoding: Sequence[Vector]) -> list[tuple[int, float]]:
    """Calls and seconds of decoding all of it again and again in a warm context."""
    inputs = ([json.dumps(vector.input) for vector in decoding] * REPEATS)[:REPEATED_MAX]
    if not inputs:
        return []
    began = time.perf_counter()
    await pool.run(codec, "decodeUplink", inputs, as_date=False)
    return [(len(inputs), time.perf_counter() - began)]
