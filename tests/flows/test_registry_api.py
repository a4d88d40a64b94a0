"""The registry over REST: a file is checked, reported, applied; the list is found by what people type."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from citynet.access import Actor
from situation_center.reference import jobs
from tests.flows.center import person
from tests.flows.test_center_api import Client
from tests.flows.test_center_api import client as client

FLEET = (
    "external_id,profile,name,lat,lon,tags\n"
    "70b3d57ed0050001,bin-lora,Bin of Harbour street,44.72,37.75,new\n"
    "70b3d57ed0050002,bin-lora,Bin two,44.72,37.75,\n"
)


@pytest.fixture
async def admin(client: Client) -> AsyncIterator[httpx.AsyncClient]:
    key = await client.key(await person(client.town.center, "anna", "administrator"))
    async with client.http(key) as http:
        yield http


async def send(admin: httpx.AsyncClient, text: str) -> str:
    answer = await admin.post("/registry/imports", files={"file": ("fleet.csv", text.encode(), "text/csv")})
    assert answer.status_code == 202, answer.text
    import_id: str = answer.json()["import_id"]
    await jobs.finished(UUID(import_id))
    return import_id


async def test_a_file_is_checked_reported_and_applied(admin: httpx.AsyncClient) -> None:
    bad = await send(admin, FLEET + "70b3d57ed0050002,bin-laura,Bin three,44.72,37.75,\n")
    job = (await admin.get(f"/registry/imports/{bad}")).json()
    assert (job["state"], job["summary"]["rejected"]) == ("refused", 1)
    report = (await admin.get(f"/registry/imports/{bad}/report")).content.decode("utf-8-sig").splitlines()
    assert "4;profile;unknown_profile;bin-laura -> bin-lora?;неизвестный профиль" in report
    assert (await admin.post(f"/registry/imports/{bad}/apply")).status_code == 409
    good = await send(admin, FLEET)
    assert (await admin.get(f"/registry/imports/{good}")).json()["state"] == "checked"
    assert (await admin.get("/registry", params={"text": "harbour"})).json()["rows"] == []
    assert (await admin.post(f"/registry/imports/{good}/apply")).status_code == 202
    await jobs.finished(UUID(good))
    assert (await admin.get(f"/registry/imports/{good}")).json()["state"] == "applied"
    (row,) = (await admin.get("/registry", params={"text": "0050001"})).json()["rows"]
    assert (row["key"], row["profile"], row["tags"]) == ("bin/70b3d57ed0050001", "bin-lora", ["new"])
    assert {job["state"] for job in (await admin.get("/registry/imports")).json()} == {"refused", "applied"}


async def test_the_list_is_searched_filtered_and_turned(admin: httpx.AsyncClient) -> None:
    async def keys(**wanted: str | int) -> list[str]:
        answer = await admin.get("/registry", params=wanted)
        assert answer.status_code == 200, answer.text
        return [row["key"] for row in answer.json()["rows"]]

    assert await keys(text="LAMP-3") == ["lamp/3"]  # the device of it is called so
    assert await keys(text="объект lamp/3") == ["lamp/3"]
    assert await keys(text="%") == []
    assert await keys(profile="valve") == ["valve/1"]
    assert await keys(life_cycle="retired") == []
    assert await keys(**{"class": "bin"}) == [f"bin/{n}" for n in range(1, 6)]
    assert len(await keys(service="lighting")) == 10
    everything, after = [], ""
    while True:
        page = (await admin.get("/registry", params={"after": after, "limit": 7})).json()
        everything += [row["key"] for row in page["rows"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert everything == sorted(set(everything))
    assert len(everything) == 24
    await _the_list_as_of(admin, everything)


async def test_who_may_what(client: Client, admin: httpx.AsyncClient) -> None:
    key = await client.key(await person(client.town.center, "ivan", "utility_dispatcher", services=("water",)))
    async with client.http(key) as http:
        answer = await http.post("/registry/imports", files={"file": ("f.csv", b"key\n", "text/csv")})
        assert answer.status_code == 403
        exported = (await http.get("/registry/export")).content.decode("utf-8-sig")
        assert "valve/1" in exported
        assert "lamp/1" not in exported
        listed = (await http.get("/registry", params={"limit": 500})).json()["rows"]
        assert {row["service"] for row in listed} == {"water", None}
    workbook = await admin.get("/registry/export", params={"format": "xlsx"})
    assert workbook.content.startswith(b"PK")
    assert (await admin.post("/registry/imports", content=b"x")).status_code == 422


async def _the_list_as_of(admin: httpx.AsyncClient, everything: list[str]) -> None:
    """The same lines as now where nothing changed; a new name, a retired lamp and what was not known yet."""

    async def lines(**wanted: str | int) -> list[dict[str, Any]]:
        answer = await admin.get("/registry", params=wanted)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["rows"]
        return found

    before = datetime.now(UTC).isoformat()
    now = await lines()
    assert await lines(as_of=before) == now
    assert await lines(as_of="1999-01-01T00:00:00Z") == await lines(known_at="1999-01-01T00:00:00Z") == []
    assert [row["key"] for row in await lines(as_of=before, after=everything[2], limit=3)] == everything[3:6]
    for wanted in ({"text": "LAMP-3"}, {"profile": "valve"}, {"class": "bin"}, {"life_cycle": "active"}):
        assert await lines(as_of=before, **wanted) == await lines(**wanted) != []
    assert (await admin.patch("/registry/objects/lamp/3", json={"name_en": "Renamed"})).status_code == 200
    answer = await admin.post("/registry/objects/bin/1/life-cycle", json={"state": "retired"})
    assert answer.status_code == 204, answer.text
    assert await lines(as_of=before) == await lines(as_of=before, known_at=before) == now != await lines()
    assert await lines(as_of=datetime.now(UTC).isoformat()) == await lines()
    assert (await admin.get("/registry", params={"as_of": "2026-01-01T00:00:00"})).status_code == 422


async def test_the_end_of_a_check_does_not_end_the_step_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    may_end = {apply: asyncio.Event() for apply in (False, True)}

    async def work(*_: Any, apply: bool) -> None:
        await may_end[apply].wait()

    monkeypatch.setattr(jobs, "_work", work)
    import_id, who = uuid4(), Actor(1, "anna", "administrator")
    nothing: Any = None
    jobs._begin(nothing, who, import_id, apply=False)
    checking = jobs._running[import_id]
    jobs._begin(nothing, who, import_id, apply=True)
    may_end[False].set()
    await asyncio.wait([checking])
    assert import_id in jobs._running
    may_end[True].set()
    await jobs.finished(import_id)
    assert import_id not in jobs._running
