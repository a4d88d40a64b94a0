"""Commands that devices fetch by HTTP: handed out once, told as sent only then, taken back or expired meanwhile."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from citynet.bus import NatsBus
from citynet.catalog import catalog
from citynet.clock import wall_clock
from citynet.db import Database
from citynet.model import Command, DeviceSpec, Proposal, ProposalRequest
from citynet.part import Part
from citynet.settings import Settings
from gateway import pickup
from gateway.fetch import ASK, TOLD, Ask, Handed
from gateway.orders import FETCHED
from situation_center import credentials, registry_write
from tests.flows.test_gateway_downlink import ask, give, receipts
from tests.support import gateway as field
from tests.support.gateway import LAMP, running, until
from tests.support.push import pushing

PLAIN, BY_HTTP, LATER = "lamp-plain", {"downlink": "http"}, 60
WAITS = ("waiting", FETCHED)
Headers = dict[str, str]


@pytest.fixture
async def planted(center_db: Database) -> Database:
    """A lamp that knows the ids of its commands, one that does not; both fetch. A third takes its commands by MQTT."""
    await field.plant(center_db)
    body = {**catalog().profiles["lamp"].model_dump(mode="json", by_alias=True), "dedup_commands": False}
    made = []
    for name, profile, attributes in ((LAMP, "lamp", BY_HTTP), (PLAIN, "plain", BY_HTTP), ("by-mqtt", "lamp", {})):
        spec = DeviceSpec(external_id=name, protocol="native", profile=profile, attributes=dict(attributes))
        made.append(Proposal(key=f"lamp/{name}", cls="lamp", name_ru=name, name_en=name, device=spec))
    await registry_write.apply(center_db, ProposalRequest("test", made, {"plain": body}), catalog())
    return center_db


async def order(database: Database, bus: NatsBus, device: str = LAMP, **more: Any) -> Command:
    """A command on its way to the gateway."""
    profile = "plain" if device == PLAIN else "lamp"
    command = await ask(database, device, **{"attributes": BY_HTTP, "profile": profile, **more})
    await give(bus, command)
    return command


@asynccontextmanager
async def at_work(city: Settings, database: Database) -> AsyncIterator[tuple[Part, httpx.AsyncClient, Headers]]:
    token = await credentials.issue_token(database, LAMP, by="person:test")
    own = {"Authorization": f"Bearer {token}"}
    async with running(city) as part, pushing(city) as (_, client):

        async def listens() -> bool:
            return (await client.get(f"/v1/devices/{LAMP}/commands", headers=own)).status_code == 200

        await until(listens)
        yield part, client, own


async def test_a_device_that_waits_gets_its_command_and_answers(
    city: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    path = f"/v1/devices/{LAMP}"
    async with at_work(city, planted) as (part, client, own):
        nothing = await client.get(f"{path}/commands", headers=own)
        assert (nothing.status_code, nothing.json()) == (200, {"commands": []})
        waiting = asyncio.create_task(client.get(f"{path}/commands?wait={LATER}", headers=own))
        command = await order(planted, admin_bus)
        (got,) = (await waiting).json()["commands"]
        assert (got["command_id"], got["action"], got["args"]) == (str(command.command_id), "dim", {"level": 40.0})
        await until(lambda: part.counters["commands_sent"] == 1)
        assert (await client.get(f"{path}/commands", headers=own)).json() == {"commands": []}
        answer = {"command_id": got["command_id"], "status": "done"}
        assert (await client.post(f"{path}/event", json=answer, headers=own)).status_code == 202
        assert await receipts(admin_bus, 4) == [WAITS, ("intent", ""), ("sent", ""), ("acknowledged", "done")]
        # With the answer of a frame, in their order; and nothing for those who did not ask.
        first, second = await order(planted, admin_bus), await order(planted, admin_bus)
        await until(lambda: part.gauges["commands_waiting"] == 2)
        frame = {"values": {"level": 1}}
        assert (await client.post(f"{path}/up", json=frame, headers=own)).json() == {"stored": 1}
        told = await client.post(f"{path}/up?commands=true", json=frame, headers=own)
        assert (told.status_code, told.json()["stored"]) == (202, 1)
        assert [one["command_id"] for one in told.json()["commands"]] == [
            str(first.command_id),
            str(second.command_id),
        ]
        await until(lambda: part.counters["commands_sent"] == 3)
        assert part.gauges["commands_waiting"] == 0


async def test_commands_are_for_the_device_alone(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    async with at_work(city, planted) as (part, client, own):
        await order(planted, admin_bus, PLAIN)
        await until(lambda: part.counters["commands_waiting"] == 1)
        foreign = f"/v1/devices/{PLAIN}"
        assert (await client.get(f"{foreign}/commands", headers=own)).status_code == 403
        assert (await client.post(f"{foreign}/up?commands=true", json={"values": {}}, headers=own)).status_code == 403
        assert (await client.get(f"{foreign}/commands")).status_code == 401
        token = await credentials.issue_token(planted, "by-mqtt", by="person:test")
        other = await client.get("/v1/devices/by-mqtt/commands", headers={"Authorization": f"Bearer {token}"})
        assert (other.status_code, other.json()["type"]) == (409, "urn:citynet:problem:not_fetching")
        assert (await client.get(f"/v1/devices/{LAMP}/commands?wait=900", headers=own)).status_code == 422
        assert await receipts(admin_bus, 1) == [WAITS]  # nothing was begun


async def test_what_nobody_fetches_is_taken_back_or_expires(
    city: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    soon = wall_clock().now() + timedelta(seconds=1)
    async with at_work(city, planted) as (part, client, own):
        late = await order(planted, admin_bus, deadline=soon)
        await order(planted, admin_bus, PLAIN)
        unwanted = await order(planted, admin_bus, PLAIN)  # behind one that goes on waiting
        await until(lambda: part.counters["commands_waiting"] == 3)
        await planted.rows(
            "UPDATE command SET cancel_asked = 'person:ivan' WHERE command_id = %s RETURNING 1", [unwanted.command_id]
        )
        await until(lambda: part.counters["commands_expired"] + part.counters["commands_withdrawn"] == 2)
        got = await client.get(f"/v1/devices/{LAMP}/commands", headers=own)
        assert got.json() == {"commands": []}
    row = await planted.row("SELECT 1 AS seen FROM command WHERE command_id = %s", [late.command_id])
    assert row
    assert sorted(kind for kind, _ in await receipts(admin_bus, 5)) == [
        "expired",
        "waiting",
        "waiting",
        "waiting",
        "withdrawn",
    ]


async def fetched(bus: NatsBus, device: str) -> list[str]:
    """What push would be given for a device: the ids."""
    body = json.loads(await bus.request(ASK, msgspec.json.encode(Ask(device)), timeout_s=5))
    return [one["command_id"] for one in body["commands"]]


async def tell(bus: NatsBus, device: str, ids: list[str], *, left: bool) -> None:
    handed = Handed(device, [uuid.UUID(one) for one in ids], left)
    await bus.request(TOLD, msgspec.json.encode(handed), timeout_s=5)


@pytest.mark.parametrize(("device", "again"), [(LAMP, True), (PLAIN, False)])
async def test_push_died_with_a_command_in_its_hands(
    city: Settings, admin_bus: NatsBus, planted: Database, monkeypatch: pytest.MonkeyPatch, *, device: str, again: bool
) -> None:
    """Nobody knows whether the device has it: only one that knows its command ids gets it once more."""
    monkeypatch.setattr(pickup, "TOLD_WITHIN_S", 0.2)
    async with running(city) as part:
        command = await order(planted, admin_bus, device)
        await until(lambda: part.counters["commands_waiting"] == 1)
        assert await fetched(admin_bus, device) == [str(command.command_id)]
        assert await fetched(admin_bus, device) == []  # it may be with the device already
        if not again:
            await until(lambda: part.counters["commands_unknown"] == 1)
            assert await fetched(admin_bus, device) == []
            assert [kind for kind, _ in await receipts(admin_bus, 3)] == ["waiting", "intent", "unknown"]
            return

        async def once_more() -> bool:
            return bool(await fetched(admin_bus, device))

        await until(once_more)
        await tell(admin_bus, device, [str(command.command_id)], left=True)
        assert [kind for kind, _ in await receipts(admin_bus, 3)] == ["waiting", "intent", "sent"]


async def test_the_gateway_died_before_it_knew(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    """After a restart what waited still waits; what was given away goes again only to who de-duplicates."""
    short = city.model_copy(update={"ack_wait_s": 1})
    await admin_bus.ensure_streams()
    ids: dict[str, str] = {}
    async with running(short) as part:
        for device in (LAMP, PLAIN):
            ids[device] = str((await order(planted, admin_bus, device)).command_id)
        await until(lambda: part.counters["commands_waiting"] == 2)
        assert [await fetched(admin_bus, one) for one in (LAMP, PLAIN)] == [[ids[LAMP]], [ids[PLAIN]]]
    async with running(short) as part:
        await until(lambda: part.counters["commands_unknown"] == 1)

        async def once_more() -> bool:
            return await fetched(admin_bus, LAMP) == [ids[LAMP]]

        await until(once_more)
        assert await fetched(admin_bus, PLAIN) == []


async def test_what_never_left_is_handed_out_again(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    """The device was gone before a byte was written: no doubt about it, so even a plain one gets it later."""
    async with running(city) as part:
        command = str((await order(planted, admin_bus, PLAIN)).command_id)
        await until(lambda: part.counters["commands_waiting"] == 1)
        assert await fetched(admin_bus, PLAIN) == [command]
        await tell(admin_bus, PLAIN, [command], left=False)
        assert await fetched(admin_bus, PLAIN) == [command]
        await tell(admin_bus, PLAIN, [command], left=True)
    assert [kind for kind, _ in await receipts(admin_bus, 3)] == ["waiting", "intent", "sent"]
