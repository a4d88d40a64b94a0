"""The registry one by one: life cycle, swap that keeps the series, history as of any moment, strangers adopted."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from citynet import registry
from citynet.catalog import catalog
from citynet.model import Proposal, ProposalRequest, ReplayRequest
from situation_center import registry_write
from tests.flows.center import person
from tests.flows.test_center_api import Client
from tests.flows.test_center_api import client as client

STRANGER = "70b3d57ed00599aa"
QUARANTINED = """
INSERT INTO quarantine (stage, reason, subject, external_id, stream, stream_seq, payload, arrived)
VALUES ('gateway', 'unknown_device', %s, %s, 'UPLINKS', %s, %s, now())
"""


@pytest.fixture
async def admin(client: Client) -> AsyncIterator[httpx.AsyncClient]:
    key = await client.key(await person(client.town.center, "anna", "administrator"))
    async with client.http(key) as http:
        yield http


async def lines_are_true(client: Client) -> None:
    """The list is kept beside the truth by the writer: they must never differ."""
    columns = "object_id, key, class, service, zone_ids, life_cycle, device_id, external_id, profile, text"
    rows = await client.town.center.rows(
        f"(SELECT {columns} FROM registry_line EXCEPT SELECT {columns} FROM registry_line_now) UNION ALL "
        f"(SELECT {columns} FROM registry_line_now EXCEPT SELECT {columns} FROM registry_line)"
    )
    assert rows == []


async def state_of(admin: httpx.AsyncClient, ref: str) -> Any:
    return (await admin.get(f"/registry/objects/{ref}")).json()


async def test_the_life_cycle_takes_allowed_steps_only(client: Client, admin: httpx.AsyncClient) -> None:
    async def to(state: str) -> httpx.Response:
        return await admin.post("/registry/objects/lamp/1/life-cycle", json={"state": state, "note": "storm"})

    assert (await to("out_of_service")).status_code == 204
    assert (await state_of(admin, "device/lamp-1"))["life_cycle"] == "out_of_service"
    assert (await to("planned")).json()["type"].endswith("bad_transition")
    assert (await to("swapped")).status_code == 422
    (row,) = (await admin.get("/registry", params={"life_cycle": "out_of_service"})).json()["rows"]
    assert row["key"] == "lamp/1"
    assert (await to("active")).status_code == 204
    assert (await to("retired")).status_code == 204
    known = await registry.load(client.town.center)
    assert known.devices["lamp-1"].point_id is None
    versions = (await admin.get("/registry/objects/device/lamp-1/history")).json()["versions"]
    now = [v["life_cycle"] for v in versions if v["recorded_to"] is None]
    assert now == ["retired", "active", "out_of_service", "active"]
    await lines_are_true(client)
    rows = await client.town.center.rows("SELECT actor, detail FROM audit WHERE action = 'registry.life_cycle'")
    assert [r["detail"]["state"] for r in rows] == ["out_of_service", "active", "retired"]
    assert {r["actor"] for r in rows} == {"person:anna"}


async def test_a_swapped_meter_keeps_its_series_and_both_registers(client: Client, admin: httpx.AsyncClient) -> None:
    before = client.town.registry.by_point
    (register, *_) = (await admin.get("/registry/objects/inlet/1/registers")).json()
    wanted = {
        "external_id": "inlet-new",
        "registers": [{"series_id": register["series_id"], "final": 1234.5, "initial": 0.25}],
        "note": "verification",
    }
    answer = await admin.post("/registry/objects/inlet/1/swap", json=wanted)
    assert answer.status_code == 201, answer.text
    known = await registry.load(client.town.center)
    assert known.by_point == before
    assert known.devices["inlet-new"].point_id == client.town.ids["inlet/1"]
    assert known.devices["inlet-new"].profile == "district-inlet"
    assert known.devices["inlet-1"].point_id is None
    assert (await state_of(admin, "device/inlet-1"))["life_cycle"] == "swapped"
    history = (await admin.get("/registry/objects/inlet/1/history")).json()
    (swap,) = history["swaps"]
    assert (swap["old"], swap["new"], swap["actor"]) == ("inlet-1", "inlet-new", "person:anna")
    assert [(r["final"], r["initial"]) for r in swap["registers"]] == [(1234.5, 0.25)]
    new, old = history["devices"]
    assert (new["external_id"], old["external_id"], new["valid_from"]) == ("inlet-new", "inlet-1", old["valid_to"])
    for bad, reason in (
        ({"external_id": "inlet-new"}, "same_device"),
        ({"external_id": "lamp-2"}, "eui_elsewhere"),
        ({"external_id": "x", "profile": "none"}, "unknown_profile"),
        ({"external_id": "y", "registers": [{"series_id": 999_999, "final": 1}]}, "no_register"),
        ({"external_id": "z", "at": "2001-01-01T00:00:00Z"}, "date_before"),
    ):
        refused = await admin.post("/registry/objects/inlet/1/swap", json=bad)
        assert refused.json()["type"].endswith(reason), refused.text
    assert (await registry.load(client.town.center)).devices["inlet-new"].point_id == client.town.ids["inlet/1"]
    await lines_are_true(client)


async def test_two_people_never_overwrite_each_other_and_each_says_why(
    client: Client, admin: httpx.AsyncClient
) -> None:
    seen = (await state_of(admin, "lamp/1"))["recorded_from"]
    mine = {"attributes": {"rated_w": 60}, "seen": seen, "note": "new luminaire"}
    assert (await admin.patch("/registry/objects/lamp/1", json=mine)).json() == {"changed": True}
    other = await admin.patch("/registry/objects/lamp/1", json={"attributes": {"pole": "7"}, "seen": seen})
    assert other.status_code == 409
    now = await state_of(admin, "lamp/1")
    assert (now["attributes"], now["actor"]) == ({"rated_w": 60}, "person:anna")
    newest = (await admin.get("/registry/objects/lamp/1/history")).json()["versions"][0]
    assert (newest["note"], newest["actor"]) == ("new luminaire", "person:anna")
    (audit,) = await client.town.center.rows("SELECT actor, detail FROM audit WHERE action = 'registry.edit'")
    assert (audit["actor"], audit["detail"]) == ("person:anna", {"fields": ["rated_w"], "note": "new luminaire"})


async def test_the_master_system_of_a_field_is_not_overruled_by_hand(client: Client, admin: httpx.AsyncClient) -> None:
    body = {"title_ru": "х", "title_en": "x", "order": ["gis", "registry"]}
    assert (await admin.put("/registry/classes/lamp", json={"body": body})).status_code == 200
    assert (await admin.patch("/registry/objects/lamp/1", json={"address": "Mira 1"})).json() == {"changed": True}
    lamp = Proposal(key="lamp/2", cls="lamp", name_ru="a", name_en="a", address="Mira 2")
    await registry_write.apply(client.town.center, ProposalRequest("gis", [lamp]), catalog())
    refused = await admin.patch("/registry/objects/lamp/2", json={"address": "Mira 3"})
    assert refused.json()["type"].endswith("foreign_field"), refused.text
    assert (await state_of(admin, "lamp/2"))["address"] == "Mira 2"
    bound = await admin.patch("/registry/objects/device/lamp-1", json={"attributes": {"external_id": "x"}})
    assert bound.json()["type"].endswith("fixed_attribute"), bound.text
    for child, parent in (("lamp/1", "lamp/2"), ("lamp/2", "lamp/1")):
        answer = await admin.patch(f"/registry/objects/{child}", json={"parent": parent})
    assert answer.json()["type"].endswith("parent_circle"), answer.text


async def test_the_past_is_asked_for_by_both_times(client: Client, admin: httpx.AsyncClient) -> None:
    before = datetime.now(UTC).isoformat()
    changed = {"name_en": "North inlet", "tags": ["dma"], "address": "ул. Мира, 1", "attributes": {"note": "x"}}
    assert (await admin.patch("/registry/objects/inlet/1", json=changed)).json() == {"changed": True}
    assert (await admin.patch("/registry/objects/inlet/1", json=changed)).json() == {"changed": False}
    assert (await admin.patch("/registry/objects/lamp/1", json={"attributes": {"rated_w": "many"}})).status_code == 422
    now = await state_of(admin, "inlet/1")
    assert (now["name_en"], now["tags"], now["attributes"], now["device"]) == (
        "North inlet",
        ["dma"],
        {"note": "x"},
        "inlet-1",
    )
    for name in ("as_of", "known_at"):
        then = (await admin.get("/registry/objects/inlet/1", params={name: before})).json()
        assert (then["name_en"], then["tags"]) == ("inlet/1", [])
    assert (
        await admin.get("/registry/objects/inlet/1", params={"known_at": "2001-01-01T00:00:00Z"})
    ).status_code == 404
    await lines_are_true(client)


async def test_a_stranger_is_seen_adopted_and_its_frames_go_up_again(client: Client, admin: httpx.AsyncClient) -> None:
    async with client.town.ingest.transaction("part:ingest") as conn:
        for seq in (1, 2, 3):
            subject = f"up.3.{STRANGER}.chirpstack.app.up"
            await conn.execute(QUARANTINED, [subject, STRANGER, seq, b'{"fPort": 2, "data": "AQI="}'])
    (seen,) = (await admin.get("/registry/strangers")).json()
    assert (seen["external_id"], seen["frames"], seen["protocol"]) == (STRANGER, 3, "chirpstack")
    assert len((await admin.get(f"/registry/strangers/{STRANGER}")).json()) == 3
    wanted = {"profile": "bin-lora", "name": "Мира, 9", "lon": 37.75, "lat": 44.72, "parent": "gateway/1"}
    bad = await admin.post(f"/registry/strangers/{STRANGER}", json=wanted | {"profile": "none"})
    assert bad.status_code == 422
    answer = await admin.post(f"/registry/strangers/{STRANGER}", json=wanted)
    assert (answer.status_code, answer.json()) == (201, {"frames": 3})
    assert (await admin.get("/registry/strangers")).json() == []
    known = await registry.load(client.town.center)
    point = known.devices[STRANGER].point_id
    assert point
    assert (known.objects[point].name_ru, known.objects[point].service) == ("Мира, 9", "waste")
    outbox = await client.town.center.rows("SELECT payload FROM outbox WHERE subject = 'requests.replay'")
    (request,) = [msgspec.json.decode(bytes(row["payload"]), type=ReplayRequest) for row in outbox]
    assert request.external_id == STRANGER
    again = await admin.post(f"/registry/strangers/{STRANGER}", json=wanted)
    assert again.status_code == 409
    occupied = await admin.post("/registry/strangers/other", json={"profile": "lamp", "key": "lamp/1"})
    assert occupied.status_code == 409
    waits = await admin.post("/registry/strangers/cab-2", json={"profile": "lamp-cabinet", "key": "cabinet/2"})
    assert waits.status_code == 201, waits.text
    known = await registry.load(client.town.center)
    assert known.devices["cab-2"].point_id == client.town.ids["cabinet/2"]
    assert known.objects[client.town.ids["cabinet/2"]].name_ru == "Объект cabinet/2"
    await lines_are_true(client)


async def test_a_stranger_speaks_as_it_was_heard_whatever_its_profile_says(
    client: Client, admin: httpx.AsyncClient
) -> None:
    subjects = {
        "eui-70b3d57ed0069999": ("up.3.{}.things_stack.city-bins@ttn.up", "hist.3.{}.native.history"),
        "bin-by-http": ("up.1.{}.native.up",),
    }
    sent = [(name, subject.format(name)) for name, some in subjects.items() for subject in some]
    async with client.town.ingest.transaction("part:ingest") as conn:
        for seq, (name, subject) in enumerate(sent):
            await conn.execute(QUARANTINED, [subject, name, seq, b"{}"])
    for name in subjects:
        answer = await admin.post(f"/registry/strangers/{name}", json={"profile": "bin-lora"})
        assert (answer.status_code, answer.json()["frames"]) == (201, len(subjects[name]))
    known = (await registry.load(client.town.center)).devices
    by_radio, by_http = (known[name] for name in subjects)
    assert (by_radio.protocol, by_radio.attributes["application_id"]) == ("things_stack", "city-bins@ttn")
    assert (by_http.protocol, by_http.profile) == ("native", "bin-lora")
    path = f"/registry/objects/device/{by_http.external_id}"
    assert (await admin.patch(path, json={"attributes": {"protocol": "pigeon"}})).status_code == 422
    assert (await admin.patch(path, json={"attributes": {"protocol": "chirpstack"}})).json() == {"changed": True}


async def test_a_device_is_accepted_where_it_hangs_once_it_is_heard(client: Client, admin: httpx.AsyncClient) -> None:
    sheet = (await admin.get("/registry/labels", params={"class": "bin"})).text
    assert sheet.count("<article><svg") == 5
    assert "/install/bin-2" in sheet
    key = await client.key(await person(client.town.center, "pavel", "brigade"))
    async with client.http(key) as phone:
        path = "/devices/bin-2/install"
        assert (await phone.get(path)).json()["first"] is None
        assert (await phone.post(path, json={})).status_code == 409
        await client.town.newest("bin/2", "bin_fill", 40)
        series, now = client.town.series("bin/2", "bin_fill"), datetime.now(UTC)
        async with client.town.ingest.transaction("part:ingest") as conn:
            await conn.execute("SELECT reading_partition_ensure(%s)", [now])
            await conn.execute("INSERT INTO reading VALUES (%s, %s, %s, 40, 0)", [series, now, now])
        seen = (await phone.get(path)).json()
        assert (seen["key"], seen["first"] is not None) == ("bin/2", True)
        answer = await phone.post(path, json={"place": [37.79, 44.74], "note": "pole 7"})
        assert answer.status_code == 204, answer.text
        assert (await phone.patch("/registry/objects/bin/2", json={"name_en": "x"})).status_code == 403
    now_true = await state_of(admin, "bin/2")
    assert (now_true["lon"], now_true["lat"], now_true["actor"]) == (37.79, 44.74, "person:pavel")
    (row,) = await client.town.center.rows("SELECT actor, object FROM audit WHERE action = 'device.accept'")
    assert tuple(row.values()) == ("person:pavel", "bin-2")
    await lines_are_true(client)
