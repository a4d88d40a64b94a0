"""Sign-ins a second: devices with tokens of their own against the broker and two sign-in services."""

import asyncio
import struct
import time
from collections.abc import Sequence
from itertools import islice

from bench.city import cpu_s, names, plant, running
from bench.frame import BENCHMARKS, Report, medians, spread
from citynet import db
from citynet.credentials import digest, new_token
from citynet.settings import Settings
from citynet.supervisor import COPIES
from simulators.load import CONNACK, CONNECT, length_bytes, text
from situation_center import credentials

DEVICES = 1_000
SIGN_INS = 5_000
AT_ONCE = 64
ROUNDS = 5
READY_WITHIN_S = 60.0
PARTS = ("identity",)
CLEAN_WITH_PASSWORD = 0xC2
DISCONNECT = b"\xe0\x00"


def packet(device: str, token: str) -> bytes:
    """CONNECT of a device: user, client id and password."""
    variable = text("MQTT") + bytes([4, CLEAN_WITH_PASSWORD]) + struct.pack(">H", 60)
    body = variable + text(device) + text(device) + text(token)
    return bytes([CONNECT]) + length_bytes(len(body)) + body


async def sign_in(port: int, connect: bytes) -> float:
    """Seconds from the TCP connection to the broker's yes. Raises ConnectionError."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(connect)
        answer = await reader.readexactly(4)
        if answer[0] != CONNACK or answer[3]:
            raise ConnectionError(f"refused: {answer!r}")
        return time.perf_counter() - began
    finally:
        writer.write(DISCONNECT)
        writer.close()


async def ready(port: int, connect: bytes) -> None:
    """Wait for the services: until then the broker refuses after five seconds."""
    until = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            await sign_in(port, connect)
            return
        except (ConnectionError, asyncio.IncompleteReadError):
            if time.monotonic() > until:
                raise


async def crowd(port: int, packets: Sequence[bytes], count: int) -> tuple[float, list[float]]:
    """Sign-ins a second, and how long each took, AT_ONCE at a time."""
    turns = iter(range(count))
    took: list[float] = []

    async def one_after_another() -> None:
        for turn in turns:
            took.append(await sign_in(port, packets[turn % len(packets)]))

    began = time.perf_counter()
    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
    return count / (time.perf_counter() - began), sorted(took)


async def enrol(settings: Settings, devices: Sequence[str]) -> dict[str, str]:
    """A token for each device."""
    tokens = {device: new_token() for device in devices}
    center = await db.Database(db.dsn(settings, "center")).open()
    try:
        left = iter(tokens.items())
        while part := dict(islice(left, 500)):
            await credentials.enrol(center, {name: digest(token) for name, token in part.items()}, by="part:bench")
    finally:
        await center.close()
    return tokens


@BENCHMARKS.register("identity")
def identity(quick: bool) -> Report:
    """Sign-ins with generator, broker, database and both services on this machine."""
    count = SIGN_INS // 5 if quick else SIGN_INS
    with running(PARTS) as city:
        devices = names(DEVICES)
        plant(city.settings, devices)
        tokens = asyncio.run(enrol(city.settings, devices))
        packets = [packet(device, token) for device, token in tokens.items()]
        port = city.settings.mqtt_port
        asyncio.run(ready(port, packets[0]))
        asyncio.run(crowd(port, packets, 200))
        used, generator = cpu_s(city), time.process_time()
        rounds = [asyncio.run(crowd(port, packets, count)) for _ in range(2 if quick else ROUNDS)]
        used = {name: after - used[name] for name, after in cpu_s(city).items()}
        used["generator"] = time.process_time() - generator
    rates = [rate for rate, _ in rounds]
    slow = {
        "sign_in_ms_p50": [took[len(took) // 2] * 1e3 for _, took in rounds],
        "sign_in_ms_p99": [took[int(len(took) * 0.99)] * 1e3 for _, took in rounds],
        "sign_in_ms_max": [took[-1] * 1e3 for _, took in rounds],
    }
    figures = medians({"sign_ins_per_s": rates, **slow})
    figures |= {f"{name.replace('-', '_')}_cpu_ms": 1e3 * took / count / len(rounds) for name, took in used.items()}
    conditions: dict[str, str | int | float | bool] = {
        "services": COPIES["identity"],
        "devices": DEVICES,
        "at_once": AT_ONCE,
        "rounds": len(rounds),
        "sign_ins_a_round": count,
        "spread": round(spread(rates), 2),
        "beside": "generator, broker and database on the same cores",
    }
    return Report(ratios={}, figures=figures, conditions=conditions)
