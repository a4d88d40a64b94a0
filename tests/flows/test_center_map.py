"""The live map: frames as the page reads them, states and values as they change, only what the viewer may know."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from starlette.applications import Starlette

from citynet import embedded
from citynet.access import Actor
from citynet.catalog import catalog
from citynet.errors import NotFound
from citynet.model import DeviceSpec, LiveChanged, LiveNewest, Proposal, ProposalRequest
from citynet.settings import Settings
from situation_center import accounts, auth, desk, map_feed, map_routes, outbox, registry_write, views
from situation_center.gate import Gate
from situation_center.live import Hub, Push
from situation_center.map_feed import MapFeed
from situation_center.map_heat import interpolate
from situation_center.views import tracks
from tests.flows.center import Town, live_center, person, place, town_of

PASSWORD = "twelve different letters"


@dataclass
class Frame:
    """A decoded frame, column by column as web/src/wire.js does."""

    time_ms: float
    kind: int
    columns: list[np.ndarray[Any, Any]]


def decoded(data: bytes) -> Frame:
    time_ms, n, kind = struct.unpack_from("<dII", data)
    kinds = (("u4", "u1", "f4"), ("u4", "f4", "f4", "u1", "u1", "f4"), ("u4", "f4", "f4"))[kind]
    columns, offset = [], 16
    for name in kinds:
        column = np.frombuffer(data, dtype=f"<{name}", count=n, offset=offset)
        columns.append(column)
        offset += -(-column.nbytes // 4) * 4
    assert offset == len(data)
    return Frame(time_ms, kind, columns)


@pytest.fixture
async def feed(town: Town) -> MapFeed:
    feed = MapFeed(town.center, Hub(town.center.bus))
    await feed.read()
    return feed


def shown(feed: MapFeed, actor: Actor, heat: str | None = None) -> dict[int, tuple[int, int, float]]:
    """Object id -> state, service, value of a fresh snapshot."""
    viewer = feed.join(actor)
    assert viewer.frame() is None, "nothing before the first ask"
    viewer.ask(heat)
    data = viewer.frame()
    assert data
    frame = decoded(data)
    assert frame.kind == 1
    ids, _, _, state, service, value = frame.columns
    return {int(i): (int(s), int(c), float(v)) for i, s, c, v in zip(ids, state, service, value, strict=True)}


async def test_a_snapshot_has_every_object_with_its_worst_state(town: Town, feed: MapFeed, operator: Actor) -> None:
    await town.condition("waste.tilt", "bin/1")
    await town.condition("waste.fire", "bin/1")
    await town.condition("waste.bin_silent", "bin/1")
    await town.condition("waste.bin_silent", "bin/2")
    await town.condition("waste.fire", "bin/3", state="returned")
    await town.newest("bin/3", "bin_fill", 42.0)
    await feed.read()
    rows = shown(feed, operator, "bin_fill")
    placed = [o for o in town.registry.objects.values() if o.lon is not None]
    assert rows.keys() == {o.object_id for o in placed}
    assert [rows[town.ids[f"bin/{n}"]][0] for n in (1, 2, 3)] == [4, 5, 0]
    assert rows[town.ids["bin/3"]][1:] == (map_feed.services()["waste"], 42.0)
    assert np.isnan(rows[town.ids["bin/4"]][2])


async def test_changes_come_as_deltas(town: Town, feed: MapFeed, operator: Actor) -> None:
    viewer = feed.join(operator)
    viewer.ask("bin_fill")
    first = viewer.frame()
    assert first
    ids = decoded(first).columns[0]
    fire = await town.condition("waste.fire", "bin/1")
    said = LiveNewest([town.series("bin/2", "bin_fill")], [5_000_000], [17.0], [7])
    newest, changed = msgspec.msgpack.encode(said), msgspec.json.encode(LiveChanged([str(fire)]))
    await feed.take([Push("newest", newest), Push("condition", changed)])
    data = viewer.frame()
    assert data
    frame = decoded(data)
    index, state, value = frame.columns
    found = {int(ids[i]): (int(s), float(v)) for i, s, v in zip(index, state, value, strict=True)}
    assert found.keys() == {town.ids["bin/1"], town.ids["bin/2"]}
    assert found[town.ids["bin/1"]][0] == 4
    assert found[town.ids["bin/2"]] == (0, 17.0)
    older = msgspec.msgpack.encode(LiveNewest(said.series, [4_000_000], [3.0], [6]))
    await feed.take([Push("newest", older)])
    beat = viewer.frame()
    assert beat
    assert len(decoded(beat).columns[0]) == 0
    await town.returned(fire)
    await feed.take([Push("condition", changed)])
    calm = viewer.frame()
    assert calm
    assert decoded(calm).columns[1].tolist() == [0]


async def test_nobody_gets_what_is_not_theirs(town: Town, feed: MapFeed) -> None:
    await town.newest("bin/1", "bin_fill", 50.0)
    await feed.read()
    water = await person(town.center, "water", "utility_dispatcher", services=("water",))
    assert {code for _, code, _ in shown(feed, water).values()} == {map_feed.services()["water"]}
    brigade = await person(town.center, "brigade", "brigade")
    assert all(np.isnan(value) for _, _, value in shown(feed, brigade, "bin_fill").values())
    viewer = feed.join(await person(town.center, "anna", "operator"))
    viewer.ask(None)
    assert viewer.frame()
    viewer.become(water)
    narrowed = viewer.frame()
    assert narrowed
    assert (decoded(narrowed).kind, len(decoded(narrowed).columns[0])) == (1, 2)


async def test_a_map_that_nobody_keeps_falls_silent(
    feed: MapFeed, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = feed.join(operator)
    viewer.ask(None)
    assert viewer.frame()
    monkeypatch.setattr(map_feed, "FRESH_S", 0.0)
    assert viewer.frame() is None


def test_a_field_knows_where_it_knows_nothing() -> None:
    lon, lat = np.array([37.70, 37.71, 37.80]), np.array([44.70, 44.70, 44.70])
    field = interpolate(lon, lat, np.array([10.0, 20.0, 90.0]))
    assert field
    known = ~np.isnan(field.values)
    assert 0.02 < known.mean() < 0.9
    assert field.values[known].min() >= 10.0
    assert field.values[known].max() <= 90.0
    assert (field.doubt[~known] == 1.0).all()
    width = field.values.shape[1]
    cells = [int((x - field.west) / (field.east - field.west) * width) for x in lon]
    middle = field.values.shape[0] // 2
    assert [round(float(field.values[middle, c]), -1) for c in cells] == [10, 20, 90]
    assert interpolate(lon[:0], lat[:0], lat[:0]) is None
    crowd = np.random.default_rng(5).uniform(size=(2, 20_000))
    many = interpolate(37 + crowd[0] / 10, 44 + crowd[1] / 10, crowd[0])
    assert many
    assert np.nanmax(many.values) <= 1.0


@asynccontextmanager
async def web(city: Settings) -> AsyncIterator[tuple[Town, str, Any]]:
    """The routes behind the gate, as app.py puts them together, with a signed-in operator's cookie."""
    async with live_center(city) as center, town_of(center) as town:
        await accounts.add(center, accounts.NewAccount("ivan", "operator"), by="part:cli", password=PASSWORD)
        token = await auth.sign_in(center, "ivan", PASSWORD, address="10.0.0.1")
        hub = await Hub(center.bus).start()
        desk.open_desk(desk.Desk(city, center, hub))
        app = Starlette(routes=map_routes.ROUTES)

        async def find(token: str) -> Actor | None:
            return await auth.actor_of(center, token)

        gate = Gate(app, cookie=auth.cookie_name(city), find=find, scripts=[])
        async with map_feed.running(center, hub):
            yield town, token, gate
        desk.open_desk(None)


async def test_addresses_answer_in_the_form_the_page_reads(city: Settings, broker: embedded.Nats) -> None:
    async with web(city) as (town, token, gate):
        cookies = {auth.cookie_name(city): token}
        transport = httpx.ASGITransport(app=gate)
        async with httpx.AsyncClient(transport=transport, base_url="http://city.test", cookies=cookies) as page:
            base = await page.get("/map/base.geojson?v=")
            (district,) = base.json()["features"]
            assert district["properties"]["class"] == "district"
            assert district["geometry"]["coordinates"][0][0] == [37.7, 44.7]
            same = await page.get("/map/base.geojson", headers={"If-None-Match": base.headers["etag"]})
            assert (same.status_code, same.content) == (304, b"")
            await town.newest("air/1", "pm25", 35.0)
            ids = f"{town.ids['air/1']},{town.ids['bin/1']},999999"
            said = (await page.get("/map/objects.json", params={"ids": ids})).json()["objects"]
            texts = {o["id"]: o["text_ru"] for o in said}
            assert texts.keys() == {town.ids["air/1"], town.ids["bin/1"]}
            assert "35 мкг/м³" in texts[town.ids["air/1"]]
            field = (await page.get("/map/heat/pm25.json")).json()
            assert len(field["values"]) == len(field["uncertainty"]) == field["width"] * field["height"]
            assert (field["min"], field["max"], field["unit"]) == (0, 160, "мкг/м³")
            nothing = (await page.get("/map/heat/bin_fill.json")).json()
            assert nothing["values"] == [None]
            for path, status in (
                ("/map/heat/nosuch.json", 404),
                ("/map/objects.json?ids=1;2", 400),
                ("/map/objects.json?ids=" + ",".join("1" * 51), 400),
            ):
                assert (await page.get(path)).status_code == status
            page.cookies.clear()
            assert (await page.get("/map/base.geojson")).status_code == 401


Mailbox = asyncio.Queue[Any]
STRANGERS = [("http://evil.test", True, 4003), ("http://city.test", False, 4001)]


async def _socket(gate: Any, headers: dict[str, str]) -> tuple[Mailbox, Mailbox, asyncio.Task[Any]]:
    """A websocket to the gate in this event loop: what the server sends, what it is sent, its task."""
    out: Mailbox = asyncio.Queue()
    into: Mailbox = asyncio.Queue()
    await into.put({"type": "websocket.connect"})
    raw = [(k.encode(), v.encode()) for k, v in headers.items()]
    scope = {"type": "websocket", "path": "/map/live", "headers": raw, "query_string": b"", "subprotocols": []}
    return out, into, asyncio.create_task(gate(scope, into.get, out.put))


async def _next(out: Mailbox, kind: str, within_s: float = 10) -> Any:
    message = await asyncio.wait_for(out.get(), within_s)
    assert message["type"] == f"websocket.{kind}"
    return message


async def test_the_socket_follows_the_city_until_the_session_ends(
    city: Settings, broker: embedded.Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_routes, "SESSION_S", 0.5)
    async with web(city) as (town, token, gate):
        ours = {"host": "city.test", "origin": "http://city.test", "cookie": f"{auth.cookie_name(city)}={token}"}
        out, into, task = await _socket(gate, ours)
        await _next(out, "accept")
        await into.put({"type": "websocket.receive", "text": json.dumps({"ask": "snapshot", "heat": None})})
        first = decoded((await _next(out, "send"))["bytes"])
        assert first.kind == 1
        fire = await town.condition("waste.fire", "bin/1")
        await town.center.announce("condition", fire)
        while not len((delta := decoded((await _next(out, "send"))["bytes"])).columns[0]):
            pass
        assert (delta.kind, delta.columns[1].tolist()) == (0, [4])
        assert first.columns[0][delta.columns[0][0]] == town.ids["bin/1"]
        await auth.sign_out(town.center, token)
        while (message := await asyncio.wait_for(out.get(), 10))["type"] == "websocket.send":
            pass
        assert (message["type"], message["code"]) == ("websocket.close", 4001)
        await asyncio.wait_for(task, 5)


async def test_a_new_object_appears_before_everything_is_read_again(
    city: Settings, broker: embedded.Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_feed, "READ_S", 3600.0)
    async with web(city) as (town, token, gate):
        ours = {"host": "city.test", "origin": "http://city.test", "cookie": f"{auth.cookie_name(city)}={token}"}
        out, into, task = await _socket(gate, ours)
        await _next(out, "accept")
        await into.put({"type": "websocket.receive", "text": json.dumps({"ask": "snapshot", "heat": None})})
        before = len(decoded((await _next(out, "send"))["bytes"]).columns[0])
        station = place("air/9", "air_station", at=(37.77, 44.74), profile="air-station", service="air")
        await registry_write.apply(town.center, ProposalRequest("test", [station]), catalog())
        await outbox.publish(town.center)
        async with asyncio.timeout(15):
            while len((frame := decoded((await _next(out, "send"))["bytes"])).columns[0]) <= before:
                pass
        assert frame.kind == 1
        await into.put({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(task, 5)


async def test_a_vehicle_is_where_it_said_last_and_never_a_version(town: Town, operator: Actor) -> None:
    spec = DeviceSpec(external_id="truck-1", protocol="native", profile="vehicle-tracker")
    truck = Proposal(key="truck/1", cls="vehicle", name_ru="а", name_en="a", service="waste", device=spec)
    await registry_write.apply(town.center, ProposalRequest("test", [truck]), catalog())
    (row,) = await town.center.rows("SELECT object_id FROM object WHERE key = 'truck/1'")
    series = await tracks.series_of(town.center, row["object_id"])
    lon, lat = (series[name] for name in tracks.PLACE)
    feed = MapFeed(town.center, Hub(town.center.bus))
    await feed.read()
    viewer = feed.join(operator)
    viewer.ask(None)
    assert row["object_id"] not in decoded(viewer.frame() or b"").columns[0], "it has said nothing yet"

    async def drive(second: int, *place: float) -> None:
        times, changes = [second * 1_000_000] * 2, [2 * second, 2 * second + 1]
        said = LiveNewest([lon, lat], times, [*place], changes)
        await feed.take([Push("newest", msgspec.msgpack.encode(said))])

    await drive(100, 37.77, 44.72)
    ids, *place_ = decoded(viewer.frame() or b"").columns[:3]
    at = ids.tolist().index(row["object_id"])
    assert [round(float(c[at]), 4) for c in place_] == [37.77, 44.72]
    assert viewer.moved() is None
    await drive(110, 37.771, 44.721)
    index, *moved = decoded(viewer.moved() or b"").columns
    assert (index.tolist(), [round(float(c[0]), 4) for c in moved]) == ([at], [37.771, 44.721])
    assert viewer.moved() is None
    for second, *nowhere in ((120, 0.0, 0.0), (130, 39.0, 45.0), (105, 37.7, 44.7)):
        await drive(int(second), *nowhere)
        assert viewer.moved() is None, nowhere
    await drive(140, 37.772, 44.722)
    assert viewer.moved()
    brigade = feed.join(await person(town.center, "pavel", "brigade"))
    brigade.ask(None)
    assert row["object_id"] not in decoded(brigade.frame() or b"").columns[0], "a place is a reading"
    counted = "SELECT count(*)::int AS n FROM object_version WHERE object_id = %s"
    assert await town.center.rows(counted, [row["object_id"]]) == [{"n": 1}]


# Seconds ago, lon, lat: the third is a jump, the last too old.
DRIVEN = ((60, 37.77, 44.72), (50, 37.771, 44.72), (40, 30.0, 60.0), (30, 37.772, 44.72), (90_000, 1.0, 1.0))


async def test_the_way_of_a_vehicle_leaves_jumps_out(town: Town, operator: Actor) -> None:
    spec = DeviceSpec(external_id="truck-1", protocol="native", profile="vehicle-tracker")
    truck = Proposal(key="truck/1", cls="vehicle", name_ru="а", name_en="a", service="waste", device=spec)
    await registry_write.apply(town.center, ProposalRequest("test", [truck]), catalog())
    (row,) = await town.center.rows("SELECT object_id FROM object WHERE key = 'truck/1'")
    series = await tracks.series_of(town.center, row["object_id"])
    until = datetime.now(UTC)
    async with town.ingest.transaction("part:ingest") as conn:
        await conn.execute("SELECT reading_partition_ensure(%s)", [until])
        await conn.execute("SELECT reading_partition_ensure(%s)", [until - timedelta(days=2)])
        for ago_s, lon, lat in (
            (60, 37.77, 44.72),
            (50, 37.771, 44.72),
            (40, 30.0, 60.0),
            (30, 37.772, 44.72),
            (90_000, 1.0, 1.0),
        ):
            for name, value in (("longitude", lon), ("latitude", lat), ("speed", 20.0)):
                given = [series[name], until - timedelta(seconds=ago_s), until, value]
                await conn.execute("INSERT INTO reading VALUES (%s, %s, %s, %s, 0)", given)
    way = await views.track(town.center, operator, row["object_id"], until=until)
    assert [fix.lon for fix in way.fixes] == [37.77, 37.771, 37.772]
    assert (way.doubtful, way.fixes[0].speed_kmh, round(way.metres)) == (1, 20.0, 158)
    with pytest.raises(NotFound):
        await views.track(town.center, operator, 99_999, until=until)


@pytest.mark.parametrize(("origin", "cookie", "code"), STRANGERS)
async def test_strangers_get_no_frame(
    city: Settings, broker: embedded.Nats, origin: str, cookie: bool, code: int
) -> None:
    async with web(city) as (_, token, gate):
        said = f"{auth.cookie_name(city)}={token}" if cookie else ""
        out, _, task = await _socket(gate, {"host": "city.test", "origin": origin, "cookie": said})
        await _next(out, "accept")
        assert (await _next(out, "close"))["code"] == code
        await task


async def test_nonsense_closes_the_socket(city: Settings, broker: embedded.Nats) -> None:
    async with web(city) as (_, token, gate):
        ours = {"host": "city.test", "origin": "http://city.test", "cookie": f"{auth.cookie_name(city)}={token}"}
        out, into, task = await _socket(gate, ours)
        await _next(out, "accept")
        await into.put({"type": "websocket.receive", "text": '{"ask": 5, "more": []}'})
        await _next(out, "close")
        await asyncio.wait_for(task, 5)
