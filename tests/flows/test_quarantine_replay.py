"""Quarantine and back, on a real broker and database: nothing that was set aside is lost, and nothing comes twice."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from typer.testing import CliRunner

from citynet import settings
from citynet.access import Actor
from citynet.bus import GATEWAY_HISTORY, GATEWAY_UPLINKS, INGEST_REQUESTS, NatsBus
from citynet.catalog import catalog
from citynet.clock import moment
from citynet.db import dsn
from citynet.errors import BadInput, Forbidden
from citynet.frames import ARRIVED
from citynet.model import DeviceSpec, Proposal, ProposalRequest
from citynet.part import Part
from citynet.settings import Settings
from gateway.qos0 import partition
from situation_center import outbox, quarantine, quarantine_cli, registry_write
from situation_center.store import Center
from tests.flows.center import live_center, quiet_center
from tests.support import gateway as field
from tests.support.gateway import mqtt, running
from tests.support.readings import eventually, running_ingest

NEW = "new-lamp"


@asynccontextmanager
async def city_at_work(city: Settings) -> AsyncIterator[tuple[Center, Part]]:
    async with live_center(city) as center, running(city) as gateway, running_ingest(city):
        await field.plant(center)
        yield center, gateway


async def wait_rows(center: Center, query: str, count: int) -> list[dict[str, Any]]:
    """Rows of a query with the owner's rights as soon as there are so many; never more."""
    found: list[dict[str, Any]] = []
    async with await psycopg.AsyncConnection.connect(dsn(center.settings, "owner"), row_factory=dict_row) as conn:

        async def there() -> bool:
            found[:] = await (await conn.execute(query.encode())).fetchall()
            await conn.commit()
            return len(found) >= count

        await eventually(there)
    assert len(found) == count, found
    return found


async def register(center: Center, name: str) -> None:
    spec = DeviceSpec(external_id=name, protocol="native", profile="lamp")
    proposal = Proposal(key=f"lamp/{name}", cls="lamp", name_ru=name, name_en=name, device=spec)
    await registry_write.apply(center, ProposalRequest("test", [proposal]), catalog())


async def settled(bus: NatsBus) -> None:
    """Requests are served and every frame is decoded."""

    async def done() -> bool:
        return not any([await bus.pending(c) for c in (INGEST_REQUESTS, *GATEWAY_UPLINKS, *GATEWAY_HISTORY)])

    await eventually(done)


async def test_frames_of_an_adopted_device_become_readings_with_their_true_time(
    city: Settings, admin_bus: NatsBus
) -> None:
    async with city_at_work(city) as (center, gateway):
        sent = datetime.now(UTC)
        with mqtt(city, "fleet") as device:
            for level in (10, 20, 20):
                device.publish(f"devices/{NEW}/up", {"values": {"level": level}})
        rows = await wait_rows(center, "SELECT * FROM quarantine ORDER BY stream_seq", 3)
        arrived = [row["arrived"] for row in rows]
        assert all(sent - timedelta(seconds=1) < moment < datetime.now(UTC) for moment in arrived)
        await register(center, NEW)
        async with center.transaction("person:test") as conn:
            assert await quarantine.request_replay(conn, by="person:test", external_id=NEW) == 3
        await outbox.publish(center)
        stored = await wait_rows(center, "SELECT time, received, value FROM reading ORDER BY time", 3)
        assert [(row["time"], row["received"], row["value"]) for row in stored] == [
            (moment, moment, level) for moment, level in zip(arrived, (10, 20, 20), strict=True)
        ]
        # Asked again, nothing is left to do.
        assert await quarantine.replay(center, by="person:test", external_id=NEW) == 0
        await outbox.publish(center)
        await settled(admin_bus)
        rows = await center.rows("SELECT replayed, replayed_by, replay_of FROM quarantine")
        assert [(row["replayed_by"], row["replay_of"]) for row in rows] == [("person:test", None)] * 3
        assert gateway.counters["uplinks"] == 6
        await wait_rows(center, "SELECT FROM reading", 3)


async def test_what_fails_again_is_set_aside_again_and_not_sent_in_a_circle(city: Settings, admin_bus: NatsBus) -> None:
    async with city_at_work(city) as (center, gateway):
        with mqtt(city, "fleet") as device:
            device.publish(f"devices/{NEW}/up", {"values": {"level": 1}})
        (first,) = await wait_rows(center, "SELECT * FROM quarantine", 1)
        assert await quarantine.replay(center, by="person:test", reason="unknown_device") == 1
        await outbox.publish(center)
        rows = await wait_rows(center, "SELECT * FROM quarantine ORDER BY quarantine_id", 2)
        await settled(admin_bus)
        assert gateway.counters["uplinks"] == 2
        assert [row["replay_of"] for row in rows] == [None, first["quarantine_id"]]
        assert rows[1]["arrived"] == first["arrived"]
        assert rows[1]["replayed"] is None


async def test_old_frames_go_the_history_way_and_radio_copies_stay_one(city: Settings, admin_bus: NatsBus) -> None:
    """Two gateways heard one frame of a device that nobody knew, two hours ago."""
    other = "0011223344550000"
    came = time.time_ns() - 7_200_000_000_000
    body = json.dumps({"deviceInfo": {"devEui": other}, "fPort": 10, "fCnt": 1, "data": "ZQDZA2I="}).encode()
    async with city_at_work(city) as (center, gateway):
        subject = f"up.{partition(other)}.{other}.chirpstack.app.up"
        for n in range(2):
            await admin_bus.publish(subject, body, headers={ARRIVED: str(came + n)})
        await wait_rows(center, "SELECT FROM quarantine", 2)
        spec = DeviceSpec(external_id=other, protocol="chirpstack", profile="bin-lora")
        proposal = Proposal(key=f"bin/{other}", cls="bin", name_ru=other, name_en=other, device=spec)
        await registry_write.apply(center, ProposalRequest("test", [proposal]), catalog())
        await quarantine.replay(center, by="person:test", external_id=other)
        await outbox.publish(center)
        await wait_rows(center, "SELECT FROM reading", 4)
        await settled(admin_bus)
        assert gateway.counters["readings_hist"] == 4
        assert gateway.counters["readings_live"] == 0
        assert gateway.counters["repeats"] == 1


async def test_the_command_line(city: Settings, admin_bus: NatsBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "load", lambda: city)

    def run(*words: str) -> Any:
        result = CliRunner().invoke(quarantine_cli.app, list(words))
        assert result.exception is None, result.exception
        return json.loads(result.output) if "--json" in words else result.output

    async with city_at_work(city) as (center, _):
        with mqtt(city, "fleet") as device:
            device.publish(f"devices/{NEW}/up", b'{"values": {"level": 5}}')
            device.publish(f"devices/{field.LAMP}/up", b"\x00\xff")
        await wait_rows(center, "SELECT FROM quarantine", 2)

        def work() -> None:
            rows = run("list", "--json", "--reason", "unknown_device", "--since", "1h")
            assert [(row["external_id"], row["replayed"]) for row in rows] == [(NEW, None)]
            assert "2 rows" in run("list")
            assert run("list", "--json", "--since", "2100-01-01T00:00Z") == []
            one = run("show", str(rows[0]["quarantine_id"]), "--json")
            assert bytes.fromhex(one["payload"]) == b'{"values": {"level": 5}}'
            assert "00 ff" in run("show", str(run("list", "--json", "--device", field.LAMP)[0]["quarantine_id"]))
            assert run("replay", "--device", NEW, "--json") == {"frames": 1}

        await register(center, NEW)
        await asyncio.to_thread(work)
        await outbox.publish(center)
        await wait_rows(center, "SELECT FROM reading", 1)
        audit = await center.rows("SELECT actor, object FROM audit WHERE action = 'quarantine.replay'")
        assert audit == [{"actor": "part:cli", "object": NEW}]


async def test_who_may_ask_and_for_what(city: Settings) -> None:
    async with quiet_center(city) as center:
        with pytest.raises(Forbidden):
            await quarantine.replay_by_person(center, Actor(1, "op", "operator"), external_id=NEW)
        with pytest.raises(BadInput):
            await quarantine.replay_by_person(center, Actor(1, "lead", "senior_operator"))
        with pytest.raises(BadInput):
            moment("yesterday", datetime.now(UTC))
