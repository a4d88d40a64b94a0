"""Runs codecs in worker processes: many calls a round trip, a deadline for each call, a new worker for a hung one.

Used by the uplink and downlink roads, by rpc.codec.try and by `citynet codec test`."""

import asyncio
import contextlib
import mmap
import os
import struct
import sys
import tempfile
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from typing import BinaryIO

import msgspec
import structlog

from citynet.settings import Settings
from gateway.codecs import Codec, Entry, Limits, Request, Result

log = structlog.get_logger()
SIZE = struct.Struct("<I")
RESULTS = msgspec.msgpack.Decoder(list[Result])
# Calls of one round trip: few enough that another script's calls never wait long.
BATCH = 500
# A script that hung this often within a minute is left alone for a minute: each time costs its worker.
HANGS_MAX, HANGS_WITHIN_S = 3, 60.0
SILENT_S = 30.0


def limits_of(settings: Settings) -> Limits:
    """Limits of a call as the installation sets them."""
    return Limits(
        time_s=settings.codec_time_ms / 1000,
        memory_bytes=settings.codec_memory_bytes,
        output_chars=settings.codec_output_bytes,
    )


class Hung(Exception):
    """The worker did not get on with an input in time."""


class Worker:
    """One process. Not for two callers at once."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._shared: BinaryIO | None = None
        self._page: mmap.mmap | None = None

    async def start(self) -> None:
        """Start the process where there is none. Its environment holds no secret."""
        if self._process and self._process.returncode is None:
            return
        self.close()
        self._shared = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        self._shared.truncate(mmap.PAGESIZE)
        number = self._shared.fileno()
        self._page = mmap.mmap(number, mmap.PAGESIZE)
        env = {"TZ": "UTC", "PATH": os.defpath, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.codecs.worker", str(number)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(number,),
            env=env,
            start_new_session=True,
        )

    async def run(self, request: Request) -> list[Result]:
        """A result for each input. Raises Hung, then position() tells at which."""
        await self.start()
        assert self._process
        inbox, outbox = self._process.stdin, self._process.stdout
        assert inbox
        assert outbox
        body = msgspec.msgpack.encode(request)
        inbox.write(SIZE.pack(len(body)) + body)
        results: list[Result] = []
        while len(results) < len(request.inputs):
            results += await self._chunk(outbox)
        return results

    async def _chunk(self, stream: asyncio.StreamReader) -> list[Result]:
        """The next results. The system ends a worker whose call takes too much CPU; waiting is for what takes none."""
        try:
            async with asyncio.timeout(SILENT_S):
                size = SIZE.unpack(await stream.readexactly(SIZE.size))[0]
                return RESULTS.decode(await stream.readexactly(size))
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
            raise Hung from error

    def position(self) -> int:
        """Number of the input that the process is at."""
        return int(SIZE.unpack_from(self._page, 0)[0]) if self._page else 0

    async def stop(self) -> None:
        """Kill the process and forget it."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self.close()

    def close(self) -> None:
        """Give back the shared page."""
        self._process = None
        for thing in (self._page, self._shared):
            if thing is not None:
                thing.close()
        self._page = self._shared = None


class Pool:
    """Workers that start when they are first needed. counters only grow."""

    def __init__(self, limits: Limits | None = None, *, workers: int = 2, counters: Counter[str] | None = None) -> None:
        self.limits = limits or Limits()
        self.counters: Counter[str] = Counter() if counters is None else counters
        # The last one that worked is taken first: a second process starts only while the first is busy.
        self._free: asyncio.LifoQueue[Worker] = asyncio.LifoQueue()
        self._all = [Worker() for _ in range(workers)]
        for worker in reversed(self._all):
            self._free.put_nowait(worker)
        self._hangs: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=HANGS_MAX))

    async def run(
        self, codec: Codec, entry: Entry, inputs: Sequence[str], *, as_date: bool = True, clock_ms: int = 0
    ) -> list[Result]:
        """A result for each input (JSON text of what the function gets), in their order; raises nothing.

        as_date: recvTime becomes a Date, as the networks hand it over, and is what the codec's clock shows.
        """
        results: list[Result] = []
        while len(results) < len(inputs):
            part = list(inputs[len(results) : len(results) + BATCH])
            request = Request(codec.key, codec.source, entry, part, self.limits, as_date, clock_ms)
            results += await self._part(request)
        return results

    async def _part(self, request: Request, *, known: bool = False) -> list[Result]:
        """Results of one round trip. known = these inputs went well a moment ago."""
        if not request.inputs:
            return []
        if not known and self._gave_up(request.key):
            return [Result("killed", "the script hung its worker again and again")] * len(request.inputs)
        async with self._worker() as worker:
            try:
                return await worker.run(request)
            except Hung:
                at = min(worker.position(), len(request.inputs) - 1)
                await worker.stop()
        self._count_hang(request, at)
        before = await self._part(msgspec.structs.replace(request, inputs=request.inputs[:at]), known=True)
        after = await self._part(msgspec.structs.replace(request, inputs=request.inputs[at + 1 :]))
        return [*before, Result("killed", "the call took too long and could not be interrupted"), *after]

    def _count_hang(self, request: Request, at: int) -> None:
        self.counters["codec_workers_killed"] += 1
        self._hangs[request.key].append(time.monotonic())
        log.warning("a codec hung its worker", key=request.key, entry=request.entry, input=request.inputs[at][:200])

    def _gave_up(self, key: str) -> bool:
        hangs = self._hangs.get(key)
        return hangs is not None and len(hangs) == HANGS_MAX and time.monotonic() - hangs[0] < HANGS_WITHIN_S

    @contextlib.asynccontextmanager
    async def _worker(self) -> AsyncIterator[Worker]:
        worker = await self._free.get()
        whole = False
        try:
            yield worker
            whole = True
        finally:
            if not whole:
                await worker.stop()  # given up in the middle of an answer, which nobody must read later
            self._free.put_nowait(worker)

    async def aclose(self) -> None:
        """Stop all workers."""
        for worker in self._all:
            await worker.stop()
