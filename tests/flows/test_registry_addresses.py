"""The register of addresses finds what people type, and duplicates are merged with memory."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from citynet import registry
from situation_center.reference import jobs
from tests.flows.center import person
from tests.flows.test_center_api import Client
from tests.flows.test_center_api import client as client
from tests.flows.test_registry_devices import lines_are_true, state_of

STREETS = ("ул. Мира", "ул. Советов", "пр-т Ленина", "пер. Мирный", "наб. Адмирала Серебрякова")


@pytest.fixture
async def admin(client: Client) -> AsyncIterator[httpx.AsyncClient]:
    key = await client.key(await person(client.town.center, "anna", "administrator"))
    async with client.http(key) as http:
        yield http


async def test_an_address_is_found_as_it_is_typed_and_by_its_place(admin: httpx.AsyncClient) -> None:
    entries = [
        {"street": s, "house": str(h), "lon": 37.7 + n / 100, "lat": 44.7 + h / 1000}
        for n, s in enumerate(STREETS)
        for h in range(1, 21)
    ]
    assert (await admin.put("/addresses", json=entries)).json() == {"changed": 100}
    assert (await admin.put("/addresses", json=entries)).json() == {"changed": 0}
    moved = [{"street": "улица Мира", "house": "д. 1", "lon": 37.7, "lat": 44.7015}]
    assert (await admin.put("/addresses", json=moved)).json() == {"changed": 1}

    async def first(text: str) -> tuple[str, str]:
        (best, *_) = (await admin.get("/addresses", params={"text": text})).json()
        return best["street"], best["house"]

    assert await first("Советов, д. 7") == ("ул. Советов", "7")
    assert await first("совтов 7") == ("ул. Советов", "7")
    assert await first("проспект ленена, 12") == ("пр-т Ленина", "12")
    assert await first("Новороссийск, адм. Серебрякова, 3") == ("наб. Адмирала Серебрякова", "3")
    assert (await admin.get("/addresses", params={"text": "qqqqq 1"})).json() == []
    near = (await admin.get("/addresses/nearest", params={"lon": 37.7101, "lat": 44.7051})).json()
    assert (near[0]["street"], near[0]["house"]) == ("ул. Советов", "5")
    assert near[0]["metres"] < 20
    assert (await admin.get("/addresses/nearest", params={"lon": 0, "lat": 0})).json() == []
    assert (await admin.put("/addresses", json=[{"street": "x", "house": "", "lon": 1, "lat": 1}])).status_code == 422


async def test_duplicates_are_merged_and_taken_apart_again(client: Client, admin: httpx.AsyncClient) -> None:
    ids = client.town.ids
    answer = await admin.post(
        "/registry/objects/cabinet/1/merge", json={"into": "cabinet/2", "note": "twice in the list"}
    )
    assert answer.status_code == 201, answer.text
    merge_id = answer.json()["merge_id"]
    known = await registry.load(client.town.center)
    assert ids["cabinet/1"] not in known.objects
    assert known.objects[ids["lamp/1"]].parent_id == ids["cabinet/2"]
    assert known.devices["cabinet-1"].point_id == ids["cabinet/2"]
    assert (await state_of(admin, "cabinet/1"))["key"] == "cabinet/2"
    assert (await admin.get("/objects/cabinet/1")).json()["key"] == "cabinet/2"
    await lines_are_true(client)
    (memory,) = (await admin.get("/registry/objects/cabinet/2/merges")).json()
    assert (memory["key"], memory["into_key"], memory["undone"]) == ("cabinet/1", "cabinet/2", None)
    assert (await admin.delete(f"/registry/merges/{merge_id}")).status_code == 204
    known = await registry.load(client.town.center)
    assert known.objects[ids["lamp/1"]].parent_id == ids["cabinet/1"]
    assert known.objects[ids["lamp/8"]].parent_id == ids["cabinet/2"]
    assert known.devices["cabinet-1"].point_id == ids["cabinet/1"]
    assert (await admin.delete(f"/registry/merges/{merge_id}")).status_code == 404
    await lines_are_true(client)
    for gone, into, reason in (
        ("lamp/1", "lamp/1", "same_object"),
        ("lamp/1", "bin/1", "other_class"),
        ("lamp/1", "lamp/2", "two_devices"),
    ):
        refused = await admin.post(f"/registry/objects/{gone}/merge", json={"into": into})
        assert refused.json()["type"].endswith(reason), refused.text


async def test_pairs_that_look_like_one_thing_are_found(client: Client, admin: httpx.AsyncClient) -> None:
    twice = {"key": "air/1b", "class": "air_station", "name": "Объект air/1.", "lat": "44.7301", "lon": "37.7501"}
    other = {"key": "air/3", "class": "air_station", "name": "Объект air/3", "lat": "44.7301", "lon": "37.7501"}
    rows = "\n".join(";".join(row.values()) for row in (twice, other))
    body = f"key;class;name_ru;lat;lon\n{rows}\n".encode()
    import_id = (await admin.post("/registry/imports", files={"file": ("a.csv", body, "text/csv")})).json()["import_id"]
    await jobs.finished(UUID(import_id))
    assert (await admin.post(f"/registry/imports/{import_id}/apply")).status_code == 202
    await jobs.finished(UUID(import_id))
    (pair,) = (await admin.get("/registry/duplicates")).json()
    assert (pair["gone_key"], pair["into_key"]) == ("air/1b", "air/1")
    assert pair["metres"] < 20
    await admin.post("/registry/objects/air/1b/merge", json={"into": "air/1"})
    assert (await admin.get("/registry/duplicates")).json() == []
    assert [m["key"] for m in (await admin.get("/registry/merges")).json()] == ["air/1b"]


async def test_rows_with_an_address_and_no_point_get_their_place(client: Client, admin: httpx.AsyncClient) -> None:
    await admin.put("/addresses", json=[{"street": "ул. Мира", "house": "12", "lon": 37.77, "lat": 44.72}])
    body = (
        "key;class;name_ru;address;lat;lon\n"
        "b/1;building;Дом;Город, Мира улица, д. 12;;\n"
        "b/2;building;Дом;ул. Мира, 12;44.7;37.7\n"
        "b/3;building;Дом;ул. Мира, 99;;\n"
    )
    import_id = (await admin.post("/registry/imports", files={"file": ("a.csv", body.encode(), "text/csv")})).json()[
        "import_id"
    ]
    await jobs.finished(UUID(import_id))
    assert (await admin.get(f"/registry/imports/{import_id}")).json()["summary"]["placed"] == 1
    await admin.post(f"/registry/imports/{import_id}/apply")
    await jobs.finished(UUID(import_id))
    places = {
        row["key"]: (row["lon"], row["lat"]) for row in (await admin.get("/registry?class=building")).json()["rows"]
    }
    assert places == {"b/1": (37.77, 44.72), "b/2": (37.7, 44.7), "b/3": (None, None)}
