"""The REST API over real HTTP semantics: every route declares its action; errors are problems with a remedy."""

import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts

from citynet.access import POLICY, Actor
from citynet.settings import Settings
from situation_center import accounts, api, auth, desk, intake
from situation_center.live import Hub
from tests.flows.center import Town, person, quiet_center, town_of

ACTIONS = {action for actions in POLICY.values() for action in actions} | {"public"}


@dataclass
class Client:
    town: Town
    app: FastAPI

    async def key(self, actor: Actor) -> str:
        return await accounts.issue_key(self.town.center, actor.login, label="t", expires=None, by="part:test")

    def http(self, key: str = "", **more: Any) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(app=self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://city.test/api/v1", headers=headers, **more)


@pytest.fixture
async def client(city: Settings) -> AsyncIterator[Client]:
    async with quiet_center(city) as center, town_of(center) as town:
        app = FastAPI(openapi_url=None)
        api.install(app)
        desk.open_desk(desk.Desk(city, center, Hub(center.bus)))
        yield Client(town, app)
        desk.open_desk(None)


@pytest.fixture
async def senior(client: Client) -> AsyncIterator[httpx.AsyncClient]:
    key = await client.key(await person(client.town.center, "olga", "senior_operator"))
    async with client.http(key) as http:
        yield http


def declared(route: RouteContext) -> list[str]:
    found = [getattr(d.call, "action", None) for d in route.dependant.dependencies]
    return [action for action in (*found, getattr(route.endpoint, "action", None)) if action]


def all_routes() -> list[RouteContext]:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    api.install(app)
    return list(iter_route_contexts(app.routes))


def test_every_route_declares_an_action_that_exists() -> None:
    routes = all_routes()
    assert len(routes) > 20
    for route in routes:
        actions = declared(route)
        assert actions, f"{route.path} declares no action"
        assert set(actions) <= ACTIONS, f"{route.path} declares {actions}"


VALUES = {
    "{incident_id}": "1", "{series_id}": "1", "{quarantine_id}": "1", "{webhook_id}": "1", "{action}": "take",
    "{command_id}": str(uuid.uuid4()), "{ref:path}": "1", "{external_id}": "1", "{name}": "water",
    "{import_id}": str(uuid.uuid4()), "{merge_id}": "1",
}  # fmt: skip


async def test_nobody_gets_nothing(client: Client) -> None:
    routes = [route for route in all_routes() if declared(route) != ["public"]]
    assert len(routes) > 20
    async with client.http() as http:
        for route in routes:
            path = f"http://city.test{route.path}"
            for name, value in VALUES.items():
                path = path.replace(name, value)
            answer = await http.request(
                next(iter(route.methods or ())), path, params={"text": "x", "object": "1"}, json={}
            )
            assert answer.status_code in {401, 403}, (path, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"


async def test_objects_and_readings(client: Client, senior: httpx.AsyncClient) -> None:
    town = client.town
    await town.newest("inlet/1", "water_flow", 12.5)
    by_key = (await senior.get("/objects/inlet/1")).json()
    assert (await senior.get(f"/objects/{by_key['object_id']}")).json() == by_key
    assert (await senior.get(f"/objects/{by_key['uid']}")).json() == by_key
    for ref in ("inlet/1", by_key["object_id"]):
        answer = await senior.get(f"/objects/{ref}/radio")
        assert (answer.status_code, answer.json()["detail"]) == (404, "no radio network has heard it")
    newest = (await senior.get("/readings/newest", params={"object": "inlet/1"})).json()
    assert {row["quantity"]: row["value"] for row in newest}["water_flow"] == 12.5
    assert [o["key"] for o in (await senior.get("/objects", params={"text": "valve"})).json()] == ["valve/1"]
    devices = (await senior.get("/devices", params={"limit": 3})).json()
    after = (await senior.get("/devices", params={"after": devices[-1]["device_id"]})).json()
    assert len(devices) + len(after) == len(town.registry.devices)
    assert (await senior.get("/devices/lamp-1")).json()["object_key"] == "lamp/1"
    assert (await senior.get("/services/water")).json()["objects"] == 2
    now = await town.now()
    window = {"since": (now - timedelta(hours=1)).isoformat(), "until": now.isoformat()}
    points = await senior.get(f"/series/{town.series('inlet/1', 'water_flow')}/readings", params=window)
    assert points.json()["value"] == []
    days = {"since": "2026-01-01", "until": "2026-02-01"}
    asked = await senior.get(f"/series/{town.series('inlet/1', 'water_flow')}/periods", params=days)
    assert asked.json() == []


async def test_an_incident_from_new_to_resolved(client: Client, senior: httpx.AsyncClient) -> None:
    await client.town.condition("water.leak", "inlet/1")
    await intake.take_in(client.town.center, client.town.registry, since=0)
    (row,) = (await senior.get("/incidents", params={"service": "water"})).json()
    path, version = f"/incidents/{row['incident_id']}", row["version"]
    org = client.town.ids["org/water"]
    for action, more in (("acknowledge", {}), ("dispatch", {"org_id": org}), ("resolve", {"text": "photo"})):
        answer = await senior.post(f"{path}/{action}", json={"version": version, **more})
        assert answer.status_code == 200, answer.text
        version = answer.json()["version"]
    card = (await senior.get(path)).json()
    assert card["incident"]["state"] == "resolved"
    late = await senior.post(f"{path}/reopen", json={"version": 1, "text": "x"})
    assert (late.status_code, late.json()["title"]) == (409, "Conflict")
    missing = await senior.post(f"{path}/merge", json={"version": version})
    assert (missing.status_code, missing.json()["type"]) == (422, "urn:citynet:problem:missing_field")


async def test_a_command_twice_is_one(client: Client, senior: httpx.AsyncClient) -> None:
    body = {"object": "valve/1", "action": "close", "idempotency_key": "k", "confirmed": True}
    first, second = [(await senior.post("/commands", json=body)).json()["commands"] for _ in range(2)]
    assert first == second
    assert (await senior.get(f"/commands/{first[0]}")).json()["state"] == "queued"
    assert (await senior.post(f"/commands/{first[0]}/cancel")).json()["state"] == "cancelled"
    answer = await senior.post("/commands", json=body | {"idempotency_key": "k2", "confirmed": False})
    assert answer.json()["type"] == "urn:citynet:problem:confirmation_needed"
    level = {"object": "lamp/1", "action": "dim", "idempotency_key": "k3", "args": {"level": "40"}}
    assert (await senior.post("/commands", json=level)).status_code == 422


async def test_rights_are_asked(client: Client) -> None:
    key = await client.key(await person(client.town.center, "ivan", "operator"))
    async with client.http(key) as http:
        assert (await http.get("/quarantine")).status_code == 403
        assert (await http.post("/quarantine/replay", json={"ids": [1]})).status_code == 403
        assert (await http.get("/webhooks")).status_code == 403
        assert (await http.get("/pipeline")).json()["quarantine"] == []
        assert (await http.get("/me")).json()["role"] == "operator"
    water = await client.key(await person(client.town.center, "anna", "utility_dispatcher", services=("water",)))
    async with client.http(water) as http:
        assert (await http.get("/objects/lamp/1")).status_code == 404
        assert (await http.get("/devices/lamp-1")).status_code == 404
        assert (await http.get("/services/heat")).status_code == 403
    root = await client.key(await person(client.town.center, "root", "administrator"))
    async with client.http(root) as http:
        assert (await http.post("/webhooks", json={"url": "https://127.0.0.1/"})).status_code == 422
        assert (await http.post("/quarantine/replay", json={})).status_code == 422
        asked = await http.post("/quarantine/replay", json={"external_id": "lamp-1"})
        assert (asked.status_code, asked.json()) == (202, {"frames": 0})
        assert (await http.get("/webhooks")).json() == []
        assert (await http.delete("/webhooks/1")).status_code == 404


async def test_a_cookie_from_a_foreign_page_writes_nothing(client: Client) -> None:
    center = client.town.center
    actor = await person(center, "root", "administrator")
    address = await accounts.issue_link(center, center.settings, actor.login)
    token = await auth.sign_in_by_link(center, parse_qs(urlsplit(address).query)["link"][0], address="127.0.0.1")
    async with client.http(cookies={"citynet": token}) as http:
        assert (await http.get("/me")).status_code == 200
        body = {"object": "lamp/1", "action": "on", "idempotency_key": "k"}
        for origin in ({}, {"origin": "http://evil.test"}):
            assert (await http.post("/commands", json=body, headers=origin)).status_code == 403
        assert (await http.post("/commands", json=body, headers={"origin": "http://city.test"})).status_code == 202


DAY = "since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z"
ODD = """
/nosuch /objects/no/such /objects/99999999999999999999 /incidents/0 /incidents/9999999999999999999999
/series/1/readings /series/1/readings?since=2026-01-01&until=x /series/1/readings?since=2026-01-01&until=2026-01-02
/series/99999999999/readings /commands/nosuch /devices/%00 /objects/%00 /objects?text=%00 /devices?limit=0
/series/1/periods /series/1/periods?since=2026-02-01&until=2026-01-01&by=month /series/1/periods?since=x&until=y
/services/%D0%B9 /quarantine/1/payload /devices?after=99999999999 /devices?after=x
"""


async def test_odd_requests_get_a_problem(senior: httpx.AsyncClient) -> None:
    for path in (*ODD.split(), f"/series/0/readings?{DAY}", f"/series/1/readings?{DAY}&limit=0"):
        answer = await senior.get(path)
        assert answer.status_code < 500, (path, answer.text)
        if answer.status_code >= 400:
            assert (path, answer.headers["content-type"]) == (path, "application/problem+json")
            assert answer.json()["detail"], path


async def test_the_description_names_every_route(client: Client) -> None:
    async with client.http() as http:
        found = (await http.get("/openapi.json")).json()
        page = await http.get("/docs")
    assert found["paths"].keys() >= {"/api/v1/commands", "/api/v1/incidents/{incident_id}", "/api/v1/readings/newest"}
    assert "script" not in page.text
    shown: Callable[[str], bool] = page.text.__contains__
    assert all(shown(path) for path in found["paths"])
