"""The worker on a real broker: proposals answered, conditions pushed on as incidents, commands on their stream."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from citynet import part as shell
from citynet.bus import GATEWAY_COMMANDS, Incoming, NatsBus
from citynet.credentials import digest, of_devices
from citynet.db import Database
from citynet.errors import Unavailable
from citynet.model import Command, LiveChanged, ProposalRequest, Reply
from citynet.settings import Settings
from situation_center import commands, worker
from situation_center.live import Hub, Push
from situation_center.store import Center
from tests.conftest import make_part
from tests.flows.center import live_center, person, small_city, town_of


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[shell.Part]:
    part = await make_part(settings, "worker", role="center")
    task = asyncio.create_task(worker.run(part))
    try:
        yield part
    finally:
        part.stopping.set()
        async with asyncio.timeout(45):
            await task
        await shell.close_part(part)


async def ask(bus: NatsBus, body: bytes) -> Reply:
    async with asyncio.timeout(20):
        while True:
            try:
                return msgspec.json.decode(await bus.request("rpc.registry.propose", body, timeout_s=10), type=Reply)
            except Unavailable:  # nobody listens yet
                continue


@pytest.fixture
async def running(city: Settings, admin_bus: NatsBus) -> AsyncIterator[shell.Part]:
    async with working(city) as part:
        yield part


async def test_proposals_over_the_bus(running: shell.Part, admin_bus: NatsBus) -> None:
    request = msgspec.json.encode(ProposalRequest("test", small_city()))
    first = await ask(admin_bus, request)
    assert first.ok, first.error
    assert first.applied > len(small_city())
    assert await ask(admin_bus, request) == Reply(True, applied=0)
    assert not (await ask(admin_bus, b"{")).ok
    wrong = msgspec.json.encode(ProposalRequest("test", [msgspec.structs.replace(small_city()[-1], org="org/none")]))
    assert "unknown_key" in (await ask(admin_bus, wrong)).error


async def test_a_proposed_device_brings_its_token_once(
    running: shell.Part, center_db: Database, admin_bus: NatsBus
) -> None:
    lamp = next(one for one in small_city() if one.device and one.device.protocol == "native")
    assert lamp.device is not None
    name = lamp.device.external_id
    for token in ("first", "second"):
        tokens = {name: digest(token), "somebody-else": digest(token)}
        request = ProposalRequest("test", small_city(), tokens=tokens)
        assert (await ask(admin_bus, msgspec.json.encode(request))).ok
    found = await of_devices(center_db, [name, "somebody-else"])
    assert {key: [one.sha256 for one in own] for key, own in found.items()} == {name: [digest("first")]}
    short = ProposalRequest("test", small_city(), tokens={name: b"short"})
    assert "bad_hash" in (await ask(admin_bus, msgspec.json.encode(short))).error


async def test_from_condition_to_command_and_back(running: shell.Part, city: Settings, admin_bus: NatsBus) -> None:
    request = msgspec.json.encode(ProposalRequest("test", small_city()))
    assert (await ask(admin_bus, request)).ok
    async with live_center(city) as center, town_of(center) as town:
        hub = await Hub(center.bus).start()
        follower = hub.subscribe("incident", "command")
        await town.condition("lighting.cabinet_off", "cabinet/1")
        await admin_bus.push("live.condition", msgspec.json.encode(LiveChanged(["1"])))
        (number,) = msgspec.json.decode((await wait(follower.get)).data, type=LiveChanged).ids
        actor = await person(center, "ivan", "operator")
        (command,) = await commands.request(
            center, actor, town.ids["lamp/1"], action="on", args={}, idempotency_key="k", incident_id=int(number)
        )
        (frame,) = await (await admin_bus.puller(GATEWAY_COMMANDS)).fetch(1, 10)
        sent = msgspec.json.decode(frame.data, type=Command)
        assert (frame.subject, sent.command_id, sent.action) == ("commands.lamp-1", command, "on")
        for kind in ("sent", "readback"):
            await town.receipt(command, kind)
        await admin_bus.push("live.receipt", msgspec.json.encode(LiveChanged([str(command)])))
        async with asyncio.timeout(45):
            while await state(center, command) != "confirmed":
                await follower.get()


async def state(center: Center, command: uuid.UUID) -> str:
    row = await center.row("SELECT state FROM command WHERE command_id = %s", [command])
    assert row
    return str(row["state"])


async def wait(get: Callable[[], Awaitable[Push]]) -> Push:
    async with asyncio.timeout(45):
        return await get()


async def test_a_full_follower_is_told_to_read_again(city: Settings, admin_bus: NatsBus) -> None:
    hub = Hub(admin_bus)
    follower = hub.subscribe("incident")
    for number in range(300):
        await hub._live(Incoming("live.incident", str(number).encode()))
    assert (await follower.get()).kind == "resync"
    assert follower.queue.qsize() < 256


async def test_a_second_run_of_the_body_takes_over(city: Settings, admin_bus: NatsBus) -> None:
    for _ in range(2):
        async with working(city):
            assert (await ask(admin_bus, msgspec.json.encode(ProposalRequest("test", small_city())))).ok
