"""Profiles as versions: checked before they count, never taken back by what is shipped, in effect at the gateway."""

from collections.abc import AsyncIterator

import httpx
import pytest

from citynet import registry
from citynet.catalog import catalog
from citynet.errors import BadInput
from citynet.model import Proposal, ProposalRequest
from situation_center import registry_write
from tests.flows.center import person, small_city
from tests.flows.test_center_api import Client
from tests.flows.test_center_api import client as client


@pytest.fixture
async def admin(client: Client) -> AsyncIterator[httpx.AsyncClient]:
    key = await client.key(await person(client.town.center, "anna", "administrator"))
    async with client.http(key) as http:
        yield http


async def test_a_profile_is_checked_before_it_counts(client: Client, admin: httpx.AsyncClient) -> None:
    good = catalog().profiles["valve"].model_dump(mode="json", by_alias=True, exclude={"name"})
    for body, told in (
        ({**good, "mapp": {}}, "mapp"),
        ({**good, "map": {"x": {"quantity": "nonsense"}}}, "nonsense"),
        ({**good, "protocol": "smoke"}, "protocol"),
        ({"class": "valve"}, "map"),
        ({**good, "command": [{"name": "a"}]}, "title_ru"),
    ):
        answer = await admin.put("/registry/profiles/valve", json={"body": body})
        assert answer.status_code == 422
        assert told in answer.json()["detail"]
    assert (await admin.put("/registry/profiles/valve", json={"body": good})).json() == {"version": 1}
    assert (await admin.put("/registry/profiles/Вентиль", json={"body": good})).status_code == 422
    changed = {"body": {**good, "interval_s": 77}, "base": 1, "note": "asked by the vendor"}
    assert (await admin.put("/registry/profiles/valve", json=changed)).json() == {"version": 2}
    assert (await admin.put("/registry/profiles/valve", json=changed)).status_code == 409
    newest, _ = (await admin.get("/registry/profiles/valve")).json()
    assert (newest["version"], newest["actor"], newest["note"]) == (2, "person:anna", "asked by the vendor")
    assert {p["name"]: p["devices"] for p in (await admin.get("/registry/profiles")).json()}["lamp"] == 8
    # Neither the next start of the worker nor a proposal of another room takes it back.
    await registry_write.seed_catalog(client.town.center, catalog())
    bodies = {"valve": good}
    await registry_write.apply(client.town.center, ProposalRequest("test", small_city(), bodies), catalog())
    assert (await registry.load(client.town.center)).profiles["valve"][1].interval_s == 77


async def test_a_new_mapping_has_its_series_at_once_and_is_announced(client: Client, admin: httpx.AsyncClient) -> None:
    lamp = catalog().profiles["lamp"].model_dump(mode="json", by_alias=True, exclude={"name"})
    lamp["map"]["t"] = {"quantity": "air_temperature"}
    assert "air_temperature" in catalog().quantities
    assert (await admin.put("/registry/profiles/lamp", json={"body": lamp})).status_code == 200
    known = await registry.load(client.town.center)
    assert (client.town.ids["lamp/3"], "air_temperature", "") in known.by_point
    (row,) = await client.town.center.rows("SELECT payload FROM outbox WHERE subject = 'changes.profile.lamp' LIMIT 1")
    assert row


async def test_a_class_has_typed_attributes_and_a_master(client: Client, admin: httpx.AsyncClient) -> None:
    bench = {
        "title_ru": "скамейка",
        "title_en": "bench",
        "open": False,
        "order": ["cadastre", "registry"],
        "attribute": [
            {"name": "seats", "type": "number", "title_ru": "Мест", "title_en": "Seats", "required": True},
            {"name": "wood", "type": "enum", "values": ["oak", "pine"], "title_ru": "Дерево", "title_en": "Wood"},
        ],
    }
    assert (await admin.put("/registry/classes/bench", json={"body": {**bench, "colour": 1}})).status_code == 422
    assert (await admin.put("/registry/classes/bench", json={"body": bench})).json() == {"version": 1}
    assert (await admin.put("/registry/classes/bench", json={"body": bench})).json() == {"version": 1}
    retyped = {**bench, "attribute": [{**bench["attribute"][0], "type": "text"}]}  # type: ignore[index]
    assert (await admin.put("/registry/classes/bench", json={"body": retyped})).status_code == 422
    assert "bench" in {c["name"] for c in (await admin.get("/registry/classes")).json()}

    async def propose(source: str, name: str, **attributes: object) -> int:
        one = Proposal(key="bench/1", cls="bench", name_ru=name, name_en=name, attributes=attributes)
        return await registry_write.apply(client.town.center, ProposalRequest(source, [one]), catalog())

    for wrong in ({}, {"seats": "four"}, {"seats": 4, "wood": "iron"}, {"seats": 4, "legs": 2}):
        with pytest.raises(BadInput, match="attribute"):
            await propose("registry", "A", **wrong)
    assert await propose("registry", "A", seats=4) == 1
    assert await propose("cadastre", "B", seats=5, wood="oak") == 1
    # The cadastre stands first: what the registry says later of the same fields does not count any more.
    assert await propose("registry", "C", seats=6, wood="oak") == 0
    row = await client.town.center.row("SELECT name_ru, attributes FROM object_now WHERE key = 'bench/1'")
    assert row == {"name_ru": "B", "attributes": {"seats": 5, "wood": "oak"}}
