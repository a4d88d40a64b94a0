"""HTTP push on a real broker and database: who may, what is stored before 202, what the answers say."""

from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest
from chirpstack_api import integration

from citynet import embedded
from citynet.bus import INGEST_LIVE, NatsBus, connect
from citynet.catalog import catalog
from citynet.db import Database
from citynet.model import DeviceSpec, Proposal, ProposalRequest
from citynet.settings import Settings
from gateway.protocols.http_push import doors
from gateway.qos0 import partition
from situation_center import credentials, registry_write
from tests.support import gateway as field
from tests.support.gateway import BIN, LAMP, TTS_APPLICATION, TTS_BIN, collect, mqtt, running, until
from tests.support.push import pushing

BY = "person:test"
UP = f"/v1/devices/{LAMP}/up"
MOMENT = {"values": {"level": 60, "power": 70.5}}
NETWORKS = {
    "tts": {"protocol": "things_stack", "attributes": {"speaks_for": TTS_APPLICATION}},
    "chirp": {"protocol": "chirpstack", "attributes": {"speaks_for": field.APPLICATION}},
    "office": {"protocol": "native", "attributes": {"speaks_for": "meters"}},
    "lamp-9": {"protocol": "native", "attributes": {"application_id": "meters"}},
}

OCTETS = "application/octet-stream"


@pytest.fixture
async def planted(center_db: Database) -> Database:
    await field.plant(center_db)
    more = [
        Proposal(
            key=f"lamp/{name}",
            cls="lamp",
            name_ru=name,
            name_en=name,
            device=DeviceSpec(external_id=name, profile="lamp", **spec),  # type: ignore[arg-type]
        )
        for name, spec in NETWORKS.items()
    ]
    await registry_write.apply(center_db, ProposalRequest("test", more), catalog())
    return center_db


def bearer(token: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **more}


async def token_of(database: Database, device: str) -> str:
    return await credentials.issue_token(database, device, by=BY)


def problem(answer: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    """The problem document, after a look at its form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["type"], body["status"]) == (f"urn:citynet:problem:{reason}", status)
    assert body["title"]
    return body


async def frames(bus: NatsBus, stream: str = "UPLINKS") -> list[tuple[str, bytes]]:
    """Subjects and bodies of all frames that the stream holds, in its order."""
    found = []
    for seq in range(1, (await bus.stream_state(stream))[2] + 1):
        message = await bus.js.get_msg(stream, seq)
        found.append((str(message.subject), message.data or b""))
    return found


async def test_a_devices_messages_become_readings(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    token = await token_of(planted, LAMP)
    async with running(city), pushing(city) as (part, client):
        answer = await client.post(UP, json=MOMENT, headers=bearer(token))
        assert (answer.status_code, answer.json()) == (202, {"stored": 1})
        pack = msgspec.json.encode([{"bn": f"{LAMP}:", "n": "energy", "v": 7}])
        kind = {"Content-Type": "application/senml+json"}
        assert (await client.post(UP, content=pack, headers=bearer(token, **kind))).status_code == 202
        await collect(admin_bus, INGEST_LIVE, 3, weight=field.rows)
        assert (part.counters["pushed"], part.active) == (2, True)


async def test_stored_in_order_and_where_mqtt_would(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    token, office = await token_of(planted, LAMP), await token_of(planted, "office")
    lines = b"\n".join(msgspec.json.encode({"values": {"level": n}}) for n in range(150))
    async with pushing(city) as (_, client):
        kind = {"Content-Type": "application/x-ndjson"}
        answer = await client.post(UP, content=lines, headers=bearer(token, **kind))
        assert answer.json() == {"stored": 150}
        history = await client.post(f"/v1/devices/{LAMP}/history", json=[MOMENT], headers=bearer(token))
        assert history.status_code == 202
        batch = [{"device": "lamp-9", **MOMENT}, {"device": "office", **MOMENT}]
        assert (await client.post("/v1/up", json=batch, headers=bearer(office))).json() == {"stored": 2}
    stored = await frames(admin_bus)
    place = f"up.{partition(LAMP)}.{LAMP}.native.up"
    assert [body for subject, body in stored if subject == place] == lines.split(b"\n")
    assert [subject for subject, _ in stored if subject != place] == [
        f"up.{partition(name)}.{name}.native.up" for name in ("lamp-9", "office")
    ]
    assert await frames(admin_bus, "HISTORY") == [
        (f"hist.{partition(LAMP)}.{LAMP}.native.history", msgspec.json.encode([MOMENT]))
    ]


async def test_the_partition_is_the_brokers(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    names = [f"meter-{n}" for n in range(40)] + ["счётчик", "a.b.c", "EUI-70B3D57ED0", "x" * 120]
    with mqtt(city, "fleet") as device:
        for name in names:
            device.publish(f"devices/{name}/up", b"{}")
    subjects = [subject for subject, _ in await frames(admin_bus)]
    tokens = [name.replace(".", "//") for name in names]
    assert subjects == [f"up.{partition(token)}.{token}.native.up" for token in tokens]


async def test_network_servers_plug_in(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    tts, chirp = await token_of(planted, "tts"), await token_of(planted, "chirp")
    uplink = {"f_port": 10, "f_cnt": 1, "frm_payload": "ZQDZA2I="}
    ids = {"device_id": TTS_BIN, "application_ids": {"application_id": TTS_APPLICATION.split("@")[0]}}
    message = {"end_device_ids": ids, "uplink_message": uplink}
    info = {"applicationId": field.APPLICATION, "devEui": BIN}
    event = {"deviceInfo": info, "fPort": 10, "fCnt": 1, "data": "ZQDZA2I="}
    async with running(city), pushing(city) as (_, client):
        for path in ("/v1/things-stack", "/v1/things-stack/uplink"):
            assert (await client.post(path, json=message, headers=bearer(tts))).status_code == 202
        assert (await client.post("/v1/chirpstack?event=up", json=event, headers=bearer(chirp))).status_code == 202
        binary = integration.UplinkEvent(f_port=10, f_cnt=2, data=bytes.fromhex("6500d90362"))
        binary.device_info.dev_eui, binary.device_info.application_id = BIN, field.APPLICATION
        told = {"content": binary.SerializeToString(), "headers": bearer(chirp, **{"Content-Type": OCTETS})}
        assert (await client.post("/v1/chirpstack?event=up", **told)).status_code == 202
        await collect(admin_bus, INGEST_LIVE, 12, weight=field.rows)  # the repeated uplink is read once
        binary.device_info.application_id = "another"
        told["content"] = binary.SerializeToString()
        problem(await client.post("/v1/chirpstack?event=up", **told), 403, "forbidden")
        told["content"] = b"\x0a\x01"
        problem(await client.post("/v1/chirpstack?event=up", **told), 422, "not_protobuf")
        foreign = {**message, "end_device_ids": {**ids, "application_ids": {"application_id": "other"}}}
        problem(await client.post("/v1/things-stack", json=foreign, headers=bearer(tts)), 403, "forbidden")
        problem(await client.post("/v1/things-stack", json=message, headers=bearer(chirp)), 403, "forbidden")
        problem(await client.post("/v1/chirpstack", json=event, headers=bearer(chirp)), 422, "bad_request")


async def test_who_may_push_what(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    lamp, bin_, office = [await token_of(planted, name) for name in (LAMP, BIN, "office")]
    async with pushing(city) as (_, client):
        answer = await client.post(UP, json=MOMENT)
        assert answer.headers["www-authenticate"] == "Bearer"
        problem(answer, 401, "unauthorized")
        problem(await client.post(UP, json=MOMENT, headers=bearer("x" * 43)), 401, "unauthorized")
        problem(await client.post(UP, json=MOMENT, headers={"Authorization": "Basic eDp5"}), 401, "unauthorized")
        problem(await client.post("/v1/devices/lamp-9/up", json=MOMENT, headers=bearer(lamp)), 403, "forbidden")
        problem(await client.post(UP, json=MOMENT, headers=bearer(office)), 403, "forbidden")
        batch = [{"device": "lamp-9", **MOMENT}, {"device": LAMP, **MOMENT}]
        problem(await client.post("/v1/up", json=batch, headers=bearer(office)), 403, "forbidden")
        problem(await client.post(f"/v1/devices/{BIN}/up", json=MOMENT, headers=bearer(bin_)), 409, "wrong_protocol")
    assert await frames(admin_bus) == []


async def test_rotated_and_revoked_tokens(city: Settings, planted: Database, admin_bus: NatsBus) -> None:
    old = await token_of(planted, LAMP)
    async with pushing(city) as (_, client):
        new = await credentials.issue_token(planted, LAMP, by=BY, grace=timedelta(hours=1))
        for token in (old, new):
            assert (await client.post(UP, json=MOMENT, headers=bearer(token))).status_code == 202
        await credentials.revoke(planted, LAMP, by=BY)
        await admin_bus.publish("changes.credential.all", b"[]")

        async def refused() -> bool:
            answers = [await client.post(UP, json=MOMENT, headers=bearer(token)) for token in (old, new)]
            return [answer.status_code for answer in answers] == [401, 401]

        await until(refused, 1.0)  # sooner than the two seconds for which a token is kept


async def test_a_repeated_request_is_stored_once(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    token = await token_of(planted, LAMP)
    async with pushing(city) as (_, client):
        for moment in (MOMENT, MOMENT, {"values": {"level": 1}}):
            key = {"Idempotency-Key": "reading-1"}
            assert (await client.post(UP, json=moment, headers=bearer(token, **key))).status_code == 202
        assert len(await frames(admin_bus)) == 2
        for _ in range(2):
            await client.post(UP, json=MOMENT, headers=bearer(token))
    assert len(await frames(admin_bus)) == 4


async def test_only_what_is_stored_is_confirmed(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    token = await token_of(planted, LAMP)
    config = (await admin_bus.js.stream_info("UPLINKS")).config
    config.max_msgs = 10
    await admin_bus.js.update_stream(config)
    async with pushing(city) as (_, client):
        answers = [await client.post(UP, json=MOMENT, headers=bearer(token)) for _ in range(12)]
        assert [answer.status_code for answer in answers] == [202] * 10 + [503] * 2
        problem(answers[-1], 503, "unavailable")
        assert int(answers[-1].headers["retry-after"]) > 0
        lines = b"\n".join([msgspec.json.encode(MOMENT)] * 5)
        kind = {"Content-Type": "application/x-ndjson"}
        assert (await client.post(UP, content=lines, headers=bearer(token, **kind))).status_code == 503
    assert len(await frames(admin_bus)) == 10


async def test_broker_and_database_away(
    city: Settings, broker: embedded.Nats, planted: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is known stays known while the database is away; without the broker nothing is confirmed."""
    monkeypatch.setattr(doors, "FRESH_S", 0.0)
    token = await token_of(planted, LAMP)
    async with pushing(city) as (part, client):
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).json()["ready"] is True
        assert (await client.post(UP, json=MOMENT, headers=bearer(token))).status_code == 202
        await part.db.pool.close()
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.post(UP, json=MOMENT, headers=bearer(token))).status_code == 202
        problem(await client.post(UP, json=MOMENT, headers=bearer("y" * 43)), 503, "unavailable")
        assert broker.process
        broker.process.kill()
        broker.process.wait()
        problem(await client.post(UP, json=MOMENT, headers=bearer(token)), 503, "unavailable")
        await until(lambda: not part.bus.client.is_connected)
        problem(await client.get("/healthz"), 503, "unavailable")
        broker.start()

        async def back() -> bool:
            return (await client.post(UP, json=MOMENT, headers=bearer(token))).status_code == 202

        await until(back)


BAD: list[tuple[str, dict[str, Any], int, str]] = [
    (UP, {"content": b"{"}, 400, "not_json"),
    (UP, {"content": b"[" * 40 + b"]" * 40}, 422, "too_deep"),
    (UP, {"json": {"time": "now"}}, 422, "no_values"),
    (UP, {"content": b"x" * 1_000_001}, 413, "too_large"),
    (UP, {"data": {"level": "1"}}, 415, "wrong_media"),
    (UP, {"json": MOMENT, "headers": {"Content-Encoding": "gzip"}}, 415, "wrong_media"),
    (UP, {"json": MOMENT, "headers": {"Idempotency-Key": "k" * 201}}, 422, "bad_key"),
    ("/v1/up", {"json": MOMENT}, 422, "wrong_shape"),
    (f"/v1/devices/{LAMP}/down", {"json": MOMENT}, 404, "bad_request"),
    ("/nothing", {"json": MOMENT}, 404, "http"),
]


async def test_bad_requests_are_told_and_never_stored(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    token = await token_of(planted, LAMP)
    async with pushing(city) as (part, client):
        for path, given, status, reason in BAD:
            headers = bearer(token) | given.get("headers", {})
            problem(await client.post(path, **{**given, "headers": headers}), status, reason)
        problem(await client.get(UP), 405, "http")
        assert part.counters["refused_not_json"] == 1
        nan = await client.post(UP, content=b'{"values": {"level": NaN, "power": 3}}', headers=bearer(token))
        assert nan.json()["refused"] == [{"reason": "not_finite", "key": "level", "detail": "nan"}]
    assert len(await frames(admin_bus)) == 1


async def test_a_credential_has_a_rate(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    lamp, office = await token_of(planted, LAMP), await token_of(planted, "office")
    async with pushing(city.model_copy(update={"push_rate_per_s": 0.5})) as (_, client):
        answers = [await client.post(UP, json=MOMENT, headers=bearer(lamp)) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [202] * 5 + [429] * 2
        problem(answers[-1], 429, "too_fast")
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
        other = await client.post("/v1/devices/office/up", json=MOMENT, headers=bearer(office))
        assert other.status_code == 202


async def test_guessing_tokens_gets_slow(
    city: Settings, broker: embedded.Nats, planted: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "LOOKUPS_PER_S", 0.5)
    token = await token_of(planted, LAMP)
    async with pushing(city) as (part, client):
        assert (await client.post(UP, json=MOMENT, headers=bearer(token))).status_code == 202
        codes = [(await client.post(UP, headers=bearer(f"guess-{n}"))).status_code for n in range(7)]
        assert codes == [401] * 5 + [429] * 2
        known = await client.post(UP, json=MOMENT, headers=bearer(token))
        assert known.status_code == 202
        assert part.counters["refused_too_fast"]


async def test_the_description_is_served(city: Settings, broker: embedded.Nats) -> None:
    async with pushing(city) as (_, client):
        document = (await client.get("/v1/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/v1/devices/{device}/{lane}",
        "/v1/devices/{device}/commands",
        "/v1/{lane}",
        "/v1/things-stack",
        "/v1/chirpstack",
    }
    one = document["paths"]["/v1/devices/{device}/{lane}"]["post"]
    assert set(one["requestBody"]["content"]) == {
        "application/json",
        "application/senml+json",
        "application/x-ndjson",
    }
    assert set(one["responses"]) == {"202", "400", "401", "403", "408", "413", "415", "422", "429", "503"}
    assert {parameter["name"] for parameter in one["parameters"]} >= {"Idempotency-Key", "device", "lane"}


async def test_its_broker_user_may_only_hand_in_frames(city: Settings, admin_bus: NatsBus) -> None:
    bus = await connect(city, "push")
    try:
        for subject in ("commands.lamp-1", "readings.live.0", "receipts.1"):
            await bus.push(subject, b"{}")
        await bus.publish("up.0.x.native.up", b"{}")  # behind the others on the same connection
    finally:
        await bus.close()
    states = {name: (await admin_bus.stream_state(name))[2] for name in ("COMMANDS", "READINGS", "RECEIPTS", "UPLINKS")}
    assert states == {"COMMANDS": 0, "READINGS": 0, "RECEIPTS": 0, "UPLINKS": 1}
