"""Scripts on the real road: radio bytes to readings, hostile frames aside, a new version at once, commands, tries."""

import base64
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from citynet.bus import INGEST_DEAD, INGEST_LIVE, INGEST_RECEIPTS, Frame, NatsBus
from citynet.catalog import CommandSpec, catalog
from citynet.clock import wall_clock
from citynet.db import Database
from citynet.errors import BadInput, Conflict, Forbidden, NotFound, Unavailable
from citynet.model import (
    CodecTry,
    Command,
    DeviceSpec,
    Proposal,
    ProposalRequest,
    Quarantined,
    Receipt,
    unpack_readings,
)
from citynet.settings import Settings
from gateway import downlink_scripts
from gateway.codecs import Codec
from gateway.codecs.pool import Pool
from situation_center import accounts, api, codecs, desk, outbox, registry_write
from situation_center.live import Hub
from situation_center.store import Center
from tests.flows.center import live_center, person
from tests.flows.test_gateway_downlink import give
from tests.support.gateway import APPLICATION, LAMP, collect, mqtt, plant, rows, running, series_of, until

METER, VALVE, AIR = "00aa000000000001", "00aa000000000002", "00aa000000000003"
DEVICES = {
    METER: ("water-meter-lora", "water_meter"),
    VALVE: ("valve-lora", "valve"),
    AIR: ("air-lora", "air_station"),
}
TELEGRAM = bytes([0, 0, 1, 0xE2, 0x40, 0, 0xFA, 0x19, 0x60])


@pytest.fixture
async def planted(center_db: Database) -> Database:
    await plant(center_db)
    objects = [
        Proposal(
            key=f"{class_}/{name}",
            cls=class_,
            name_ru=name,
            name_en=name,
            lon=37.77,
            lat=44.72,
            device=DeviceSpec(
                external_id=name, protocol="chirpstack", profile=profile, attributes={"application_id": APPLICATION}
            ),
        )
        for name, (profile, class_) in DEVICES.items()
    ]
    await registry_write.apply(center_db, ProposalRequest("test", objects), catalog())
    return center_db


def event(device: str, data: bytes, *, port: int, count: int) -> tuple[str, dict[str, Any]]:
    """Topic and body of an uplink; the network has decoded it too, wrongly: the profile's own script counts."""
    body = {
        "deviceInfo": {"devEui": device},
        "fPort": port,
        "fCnt": count,
        "data": base64.b64encode(data).decode(),
        "object": {"volume": -1.0},
    }
    return f"application/{APPLICATION}/device/{device}/event/up", body


def values(frames: list[Frame]) -> dict[int, float]:
    tables = [unpack_readings(frame.data) for frame in frames]
    return {s: v for t in tables for s, v in zip(t["series_id"].to_pylist(), t["value"].to_pylist(), strict=True)}


async def refusals(bus: NatsBus, count: int) -> Counter[str]:
    frames = await collect(bus, INGEST_DEAD, count)
    return Counter(msgspec.json.decode(frame.data, type=Quarantined).reason for frame in frames)


async def test_shipped_scripts_turn_bytes_into_readings(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    meter, air = await series_of(planted, METER), await series_of(planted, AIR)
    async with running(city) as part:
        with mqtt(city, "lorawan") as network:
            network.publish(*event(METER, TELEGRAM, port=12, count=1))
            network.publish(*event(AIR, bytes([1, 0xFF, 0x9C, 2, 0, 101, 9, 0, 5]), port=7, count=1))
            network.publish(*event(METER, b"\x01" + TELEGRAM[1:-1] + b"\x05", port=12, count=2))
            network.publish(*event(METER, b"\x00", port=12, count=3))
        frames = await collect(admin_bus, INGEST_LIVE, 3 + 2 + 3, weight=rows)
        assert await refusals(admin_bus, 1) == {"codec_refused": 1}
        assert part.counters["codec_warnings"] == 1
    found = values(frames)
    assert (found[meter["water_volume"]], found[meter["water_flow"]], found[meter["water_temperature"]]) == (
        123.456,
        0.25,
        12.5,
    )
    assert (found[air["air_temperature"]], found[air["air_humidity"]]) == (-10.0, 50.5)


async def answering(center: Center) -> None:
    """The gateway has begun to answer."""

    async def asked() -> bool:
        try:
            await center.bus.request("rpc.codec.try", b"{}", timeout_s=1)
        except Unavailable:
            return False
        return True

    await until(asked)


HOSTILE = """
function decodeUplink(input) {
  switch (input.bytes[0]) {
    case 1: for (;;) {}
    case 2: 'a'.repeat(1e7).indexOf('a'.repeat(5e6) + 'b'); break;
    case 3: throw new Error('no such telegram');
    case 4: return {data: {volume: NaN, flow: 0.5}};
    case 5: return {data: {volume: 'x'.repeat(1e7)}};
    case 6: Array.prototype.map = JSON.stringify = null; leak = 1; return {data: {volume: 6}};
  }
  return {data: {volume: 7, flow: typeof leak === 'undefined' ? 1 : 2}};
}"""


async def test_hostile_frames_are_set_aside_and_the_others_go_on(
    city: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    meter, lamp = await series_of(planted, METER), await series_of(planted, LAMP)
    await planted.rows("INSERT INTO codec VALUES ('water-meter-lora', 2, %s, '', 'test') RETURNING 1", [HOSTILE])
    async with running(city) as part:
        with mqtt(city, "lorawan") as network, mqtt(city, "fleet") as device:
            for count, first in enumerate([1, 2, 3, 4, 5, 6, 0], 1):
                network.publish(*event(METER, bytes([first, count]), port=12, count=count))
            device.publish(f"devices/{LAMP}/up", {"values": {"level": 60}})
        frames = await collect(admin_bus, INGEST_LIVE, 1 + 1 + 2 + 1, weight=rows)
        found = await refusals(admin_bus, 5)
        assert part.counters["codec_workers_killed"] == 1
    assert found == {"codec_timeout": 2, "codec_error": 1, "not_finite": 1, "codec_output": 1}
    assert values(frames) == {meter["water_volume"]: 7.0, meter["water_flow"]: 1.0, lamp["lamp_level"]: 60.0}


async def test_a_saved_version_is_used_at_once(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    meter = await series_of(planted, METER)
    async with running(city) as part, live_center(city) as center:
        await answering(center)
        boss = await person(center, "boss", "administrator")
        source = "function Decoder(bytes, port) { return {volume: bytes[0] * 2} }"
        assert await codecs.save(center, boss, "water-meter-lora", source=source, note="new meters", base=1) == 2
        before = part.counters["registry_changes"]
        await outbox.publish(center)
        await until(lambda: part.counters["registry_changes"] > before, 2.0)
        with mqtt(city, "lorawan") as network:
            network.publish(*event(METER, bytes([21]), port=1, count=1))
        frames = await collect(admin_bus, INGEST_LIVE, 1, weight=rows)
        assert values(frames) == {meter["water_volume"]: 42.0}
        await codecs.save(center, boss, "water-meter-lora", source=" ", note="", base=2)
        await until(lambda: part.counters["registry_changes"] > before + 1)
        with mqtt(city, "lorawan") as network:
            network.publish(*event(METER, bytes([21]), port=1, count=2))
        assert values(await collect(admin_bus, INGEST_LIVE, 1, weight=rows)) == {meter["water_volume"]: -1.0}


async def test_saving_is_checked_numbered_and_audited(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    async with running(city), live_center(city) as center:
        await answering(center)
        boss, operator = await person(center, "boss", "administrator"), await person(center, "anna", "operator")
        good = "function decodeUplink(i) { return {data: {}} }"
        with pytest.raises(Forbidden):
            await codecs.save(center, operator, "valve-lora", source=good, note="", base=1)
        with pytest.raises(Conflict):
            await codecs.save(center, boss, "valve-lora", source=good, note="", base=7)
        with pytest.raises(NotFound):
            await codecs.save(center, boss, "nobody", source=good, note="", base=0)
        with pytest.raises(BadInput, match="SyntaxError"):
            await codecs.save(center, boss, "valve-lora", source="function (", note="", base=1)
        assert await codecs.save(center, boss, "valve-lora", source=good, note="why", base=1) == 2
        audited = await center.rows("SELECT actor, object, detail FROM audit WHERE action = 'codec.save'")
        detail = {"version": 2, "note": "why", "bytes": len(good)}
        assert audited == [{"actor": "person:boss", "object": "valve-lora", "detail": detail}]
        shown = await codecs.one(center, operator, "valve-lora", version=1)
        assert "encodeDownlink" in shown["source"]
        assert [one["version"] for one in shown["versions"]] == [2, 1]
        assert await registry_write.seed_catalog(center, catalog()) == 0, "a person's version is not overwritten"
        await _over_rest(city, center, operator="anna", boss="boss")


async def _over_rest(city: Settings, center: Center, **logins: str) -> None:
    """The same through the REST API."""
    app = FastAPI(openapi_url=None)
    api.install(app)
    desk.open_desk(desk.Desk(city, center, Hub(center.bus)))
    keys = {
        name: await accounts.issue_key(center, login, label="t", expires=None, by="part:test")
        for name, login in logins.items()
    }
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://city.test/api/v1") as http:
        heads = {name: {"authorization": f"Bearer {key}"} for name, key in keys.items()}
        listed = (await http.get("/codecs", headers=heads["operator"])).json()
        assert {one["profile"]: one["version"] for one in listed}["valve-lora"] == 2
        body = {"source": "function decodeUplink(i) { return {data: {n: i.bytes[0]}} }", "payload": "BQ=="}
        assert (await http.post("/codecs/try", json=body, headers=heads["operator"])).status_code == 403
        tried = (await http.post("/codecs/try", json=body, headers=heads["boss"])).json()
        assert (tried["ok"], tried["values"]) == (True, {"n": 5.0})
        stale = await http.put("/codecs/valve-lora", json={"source": "", "base": 1}, headers=heads["boss"])
        assert stale.status_code == 409
    desk.open_desk(None)


DOOR = "function decodeUplink(i) { return {data: {door: 'Open', n: '4.5', serial: 'A7', mode: 'odd', list: ['x']}} }"
DOOR_MAP = {
    "door": {"quantity": "valve_position", "codes": {"open": 1, "closed": 0}},
    "mode": {"quantity": "valve_position", "channel": "2", "codes": {"auto": 1}},
    "n": {"quantity": "water_volume"},
}
TRIES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "function decodeUplink(i) { return {data: {a: {b: [1, NaN]}, s: 'x', t: true}, warnings: 'cold'} }",
        {"payload": b"\x01"},
        {"ok": True, "values": {"a.b[0]": 1.0, "t": 1.0}, "warnings": ["cold"]},
    ),
    ("function decodeUplink(i) { return {errors: ['bad', {n: 1}]} }", {}, {"ok": True, "errors": ["bad", '{"n": 1}']}),
    ("function decodeUplink(i) { for (;;) {} }", {}, {"ok": False, "kind": "time"}),
    (
        DOOR,
        {"profile": "door"},
        {
            "values": {"door": 1.0, "n": 4.5},
            "words": {"door": "Open", "n": "4.5"},
            "refused": {"serial": "text", "mode": "unknown_code", "list": "wrong_type", "list[0]": "text"},
        },
    ),
    (DOOR, {}, {"values": {}, "words": {}}),
    ("function (", {}, {"ok": False, "kind": "load"}),
    (
        "function encodeDownlink(i) { return {bytes: [i.data.level], fPort: 2} }",
        {"entry": "encodeDownlink", "data": {"level": 9}},
        {"ok": True, "output": '{\n "bytes": [\n  9\n ],\n "fPort": 2\n}'},
    ),
]


async def test_a_script_is_tried_without_being_kept(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    door = {"class": "valve", "protocol": "native", "interval_s": 60, "map": DOOR_MAP}
    await registry_write.apply(planted, ProposalRequest("test", [], {"door": door}), catalog())
    async with running(city), live_center(city) as center:
        await answering(center)
        boss = await person(center, "boss", "administrator")
        for source, more, wanted in TRIES:
            told = await codecs.attempt(center, boss, CodecTry(source=source, **more))
            assert {name: getattr(told, name) for name in wanted} == wanted
        with pytest.raises(BadInput):
            await codecs.attempt(center, boss, CodecTry(source="x" * 2_000_000))


async def close_valve(database: Database) -> Command:
    """The command as the situation centre writes it down."""
    command = Command(
        command_id=uuid.uuid4(),
        device_id=1,
        external_id=VALVE,
        protocol="chirpstack",
        profile="valve-lora",
        action="close",
        args={},
        deadline=wall_clock().now() + timedelta(seconds=60),
        attributes={"application_id": APPLICATION},
    )
    query = (
        "INSERT INTO command (command_id, object_id, device_id, action, state, requested_by, requested, deadline,"
        " change)"
        " SELECT %s, p.object_id, device_id, 'close', 'queued', 'test', now(), %s, nextval('command_change')"
        " FROM device_point p JOIN object_now d ON d.object_id = device_id "
        " WHERE d.attributes->>'external_id' = %s RETURNING 1"
    )
    await database.rows(query, [command.command_id, command.deadline, VALVE])
    return command


async def test_a_command_by_the_script_of_the_profile(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    command = await close_valve(planted)
    async with running(city) as part:
        with mqtt(city, "lorawan") as network:
            network.subscribe("application/+/device/+/command/down")
            await give(admin_bus, command)
            await until(lambda: part.counters["commands_sent"] == 1)
            _, body = network.received()
        assert (body["fPort"], base64.b64decode(body["data"])) == (16, bytes([0x56, 0, 0x56]))
        bad = "function encodeDownlink(i) { return {fPort: 16, bytes: [300]} }"
        await planted.rows("INSERT INTO codec VALUES ('valve-lora', 2, %s, '', 'test') RETURNING 1", [bad])
        await until(lambda: part.counters["registry_changes"] > 0)
        await give(admin_bus, await close_valve(planted))
        frames = await collect(admin_bus, INGEST_RECEIPTS, 3)
    told = [msgspec.json.decode(frame.data, type=Receipt) for frame in frames]
    assert [one.kind for one in told] == ["intent", "sent", "failed"]
    assert "no bytes" in told[-1].detail


async def test_what_does_not_read_back_is_not_sent() -> None:
    spec = CommandSpec.model_validate(
        {
            **{"name": "dim", "title_ru": "x", "title_en": "x", "f_port": 5},
            "arg": [{"name": "level"}],
            "downlink": {"setLevel": "$level", "modes": ["fixed"]},
        }
    )
    now = wall_clock().now() + timedelta(seconds=9)
    device = {"device_id": 1, "external_id": "x", "protocol": "chirpstack", "profile": "p", "action": "dim"}
    command = msgspec.convert({**device, "command_id": "0" * 32, "args": {"level": 40}, "deadline": now}, Command)
    encode = "function encodeDownlink(i) { return {bytes: [i.data.setLevel, i.data.modes.length]} }\n"
    pool = Pool()
    try:
        assert await downlink_scripts.encode(pool, Codec(encode), spec=spec, command=command) == (5, bytes([40, 1]))
        lies = encode + "function decodeDownlink(i) { return {data: {setLevel: 41}} }"
        with pytest.raises(BadInput, match="reads back as 41"):
            await downlink_scripts.encode(pool, Codec(lies), spec=spec, command=command)
        refuses = encode + "function decodeDownlink(i) { return {errors: ['unknown']} }"
        with pytest.raises(BadInput, match="refuses"):
            await downlink_scripts.encode(pool, Codec(refuses), spec=spec, command=command)
    finally:
        await pool.aclose()
