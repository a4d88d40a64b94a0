"""The gateway's memory of the registry: read when a device speaks, forgotten when it changes, never read as a whole."""

import time
from collections.abc import AsyncIterator

import msgspec
import pytest
from psycopg.types.json import Jsonb

from citynet.bus import NatsBus
from citynet.catalog import catalog
from citynet.db import Database
from citynet.model import ProposalRequest
from citynet.part import Part, close_part
from citynet.settings import Settings
from gateway.directory import Directory, open_directory
from situation_center import registry_write
from tests.conftest import make_part
from tests.support import gateway as field
from tests.support.gateway import BIN, LAMP, METER, proposals, series_of


@pytest.fixture
async def part(city: Settings, admin_bus: NatsBus, center_db: Database) -> AsyncIterator[Part]:
    await field.plant(center_db)
    part = await make_part(city, "gateway", role="gateway")
    yield part
    await close_part(part)


async def met(directory: Directory, *names: str) -> Directory:
    await directory.refresh(since=time.monotonic())
    await directory.meet(names)
    return directory


def series(directory: Directory, name: str) -> set[int]:
    """Series of all targets of a device."""
    route = directory.route(name)
    assert route
    return set(directory.targets._series[route.base : route.base + len(route.layout.places)])


async def propose(database: Database, name: str, **changes: object) -> None:
    """The proposal of a device again, with changes of its device part."""
    (one,) = [p for p in proposals() if p.device and p.device.external_id == name]
    assert one.device
    spec = msgspec.structs.replace(one.device, **changes)
    request = ProposalRequest("test", [msgspec.structs.replace(one, device=spec)])
    await registry_write.apply(database, request, catalog())


async def test_only_who_speaks_is_known(part: Part, center_db: Database) -> None:
    directory = await open_directory(part)
    assert not directory.known.routes
    await met(directory, LAMP, "nobody")
    assert set(directory.known.routes) == {LAMP}
    assert series(directory, LAMP) == set((await series_of(center_db, LAMP)).values())
    number = directory.known.routes[LAMP].device.device_id
    bin_ = await center_db.row("SELECT object_id FROM object WHERE key = %s", [f"device/{BIN}"])
    assert bin_
    found = [await directory.by_id(n) for n in (number, bin_["object_id"], 2**30)]
    assert [device and device.external_id for device in found] == [LAMP, BIN, None]
    assert found[1]
    assert found[1].attributes == {"application_id": field.APPLICATION}


async def test_a_device_and_its_profile_may_be_new_together(part: Part, center_db: Database) -> None:
    directory = await open_directory(part)
    directory.known.profiles.clear()
    directory._cursor.profiles = -1  # as it was before the profiles came; nobody has announced them yet
    await directory.meet([LAMP])
    assert series(directory, LAMP) == set((await series_of(center_db, LAMP)).values())


async def test_a_change_is_forgotten_and_met_again(part: Part, center_db: Database) -> None:
    directory = await met(await open_directory(part), LAMP, METER)
    meter = directory.route(METER)
    await propose(center_db, LAMP, attributes={"firmware": "2"})
    await directory.refresh(since=time.monotonic())
    assert directory.route(LAMP) is None
    assert directory.route(METER) is meter
    await met(directory, LAMP)
    route = directory.route(LAMP)
    assert route
    assert route.device.attributes == {"firmware": "2"}
    await met(directory, LAMP)
    assert directory.route(LAMP) is route  # nothing changed since


async def test_a_device_that_moves_to_another_point_and_one_that_is_retired(part: Part, center_db: Database) -> None:
    directory = await met(await open_directory(part), LAMP, BIN)
    before = series(directory, LAMP)
    async with center_db.transaction("test") as conn:
        device, point = "(SELECT object_id FROM object WHERE key = %s)", "(SELECT max(object_id) FROM object)"
        await conn.execute("INSERT INTO object (key, class) VALUES ('lamp/other', 'lamp')")
        await conn.execute(
            f"INSERT INTO series (object_id, quantity, unit) SELECT {point}, q, '1' FROM unnest(%s::text[]) q",
            [["lamp_level", "lamp_power", "lamp_energy"]],
        )
        await conn.execute(
            f"UPDATE device_point SET object_id = {point} WHERE device_id = {device}", [f"device/{LAMP}"]
        )
        await conn.execute(
            f"UPDATE object_version SET recorded_to = now() WHERE object_id = {device} AND recorded_to = 'infinity'",
            [f"device/{BIN}"],
        )
        await conn.execute(
            "INSERT INTO object_version (object_id, valid_from, name_ru, name_en, retired, actor)"
            f" SELECT {device}, '2000-01-01', '', '', true, 'test'",
            [f"device/{BIN}"],
        )
    await met(directory, LAMP, BIN)
    assert directory.route(BIN) is None
    assert not before & series(directory, LAMP)


async def test_a_profile_that_changes_reaches_all_its_devices(part: Part, center_db: Database) -> None:
    directory = await met(await open_directory(part), LAMP)
    body = catalog().profiles["lamp"].model_dump(mode="json", by_alias=True)
    body["map"] = {"level": body["map"]["level"], "brightness": body["map"]["level"] | {"channel": "new"}}
    async with center_db.transaction("test") as conn:
        await conn.execute("INSERT INTO profile (name, version, body) VALUES ('lamp', 2, %s)", [Jsonb(body)])
    await met(directory, LAMP)
    route = directory.route(LAMP)
    assert route
    assert directory.profile_version("lamp") == 2
    assert route.layout.offsets == {"level": 0, "brightness": -1}
    async with center_db.transaction("test") as conn:
        await conn.execute(
            "INSERT INTO series (object_id, quantity, channel, unit) SELECT %s, 'lamp_level', 'new', '%%'",
            [route.device.point_id],
        )
    await met(directory, LAMP)
    assert len(series(directory, LAMP)) == 2
