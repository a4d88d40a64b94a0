"""Proposals become bitemporal versions: idempotent, fast, with zones, devices and series."""

import time
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from citynet import registry
from citynet.catalog import catalog
from citynet.db import Database
from citynet.errors import BadInput
from citynet.model import DeviceSpec, Proposal, ProposalRequest
from simulators import world
from situation_center import registry_write

SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [0, 2], [2, 2], [2, 0], [0, 0]]]}


def lamp(**more: Any) -> Proposal:
    spec = DeviceSpec(external_id="lamp-1", protocol="native", profile="lamp")
    base = Proposal(key="lamp/1", cls="lamp", name_ru="Светильник", name_en="Lamp", lon=1.0, lat=1.0, device=spec)
    return msgspec.structs.replace(base, **more)


def district(geometry: dict[str, Any]) -> Proposal:
    return Proposal(key="district/1", cls="district", name_ru="Район", name_en="District", geometry=geometry)


async def propose(db: Database, *objects: Proposal) -> int:
    return await registry_write.apply(db, ProposalRequest("test", list(objects)), catalog())


async def count(db: Database, table: str) -> int:
    row = await db.row(f"SELECT count(*) AS n FROM {table}")
    assert row
    return int(row["n"])


async def test_whole_city_is_fast_and_the_second_time_changes_nothing(center_db: Database) -> None:
    await registry_write.seed_catalog(center_db, catalog())
    objects = world.build(1).objects
    started = time.monotonic()
    chunks = [objects[i : i + 500] for i in range(0, len(objects), 500)]
    applied = [await propose(center_db, *chunk) for chunk in chunks]
    assert time.monotonic() - started < 10
    known = await registry.load(center_db)
    assert len(known.devices) == sum(len(d) for d in world.build(1).devices.values())
    assert sum(applied) == len(known.objects) + len(known.devices)
    inlet = next(o for o in known.objects.values() if o.key == "district_inlet/01")
    assert {known.objects[z].class_ for z in inlet.zone_ids} >= {"metering_district"}
    assert all(d.point_id for d in known.devices.values())
    versions = await count(center_db, "object_version")
    assert [await propose(center_db, *chunk) for chunk in chunks] == [0] * len(chunks)
    assert await count(center_db, "object_version") == versions
    assert (await registry.load(center_db)).revision == known.revision


async def test_seeding_writes_versions_only_when_changed(center_db: Database) -> None:
    words = catalog()
    shipped = len(words.profiles) + len(words.rules) + len(words.codecs)
    assert await registry_write.seed_catalog(center_db, words) == shipped
    assert await registry_write.seed_catalog(center_db, words) == 0
    water = words.services["water"]
    rule = water.rule[0].model_copy(update={"hold_s": 7})
    changed = replace(words, services={**words.services, "water": water.model_copy(update={"rule": [rule]})})
    assert await registry_write.seed_catalog(center_db, changed) == 1
    known = await registry.load(center_db)
    assert known.rules[rule.id] == (2, rule)


async def test_a_change_closes_the_old_version_and_keeps_it(center_db: Database) -> None:
    await registry_write.seed_catalog(center_db, catalog())
    await propose(center_db, lamp())
    assert await propose(center_db, lamp(name_en="New lamp")) == 2  # the lamp and its device
    rows = await center_db.rows(
        "SELECT name_en, valid_to = 'infinity' AS open, recorded_to = 'infinity' AS believed "
        "FROM object_version JOIN object o USING (object_id) WHERE o.key = 'lamp/1' ORDER BY recorded_from, valid_from"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("Lamp", True, False),  # what was believed
        ("Lamp", False, True),  # what is known to have been
        ("New lamp", True, True),
    ]


async def test_a_swapped_meter_keeps_the_series(center_db: Database) -> None:
    await registry_write.seed_catalog(center_db, catalog())
    await propose(center_db, lamp())
    before = (await registry.load(center_db)).by_point
    await propose(center_db, lamp(device=DeviceSpec(external_id="lamp-2", protocol="native", profile="lamp")))
    known = await registry.load(center_db)
    assert known.by_point == before
    points = {name: d.point_id for name, d in known.devices.items()}
    assert points["lamp-1"] is None
    assert points["lamp-2"] is not None


async def test_a_new_zone_takes_its_objects(center_db: Database) -> None:
    await registry_write.seed_catalog(center_db, catalog())
    await propose(center_db, lamp())
    await propose(center_db, district(SQUARE))
    known = await registry.load(center_db)
    zone = next(o.object_id for o in known.objects.values() if o.class_ == "district")
    assert next(o for o in known.objects.values() if o.class_ == "lamp").zone_ids == [zone]


WRONG = (
    (lamp(org="org/none"), "unknown_key"),
    (lamp(device=DeviceSpec(external_id="x", protocol="native", profile="none")), "unknown_profile"),
    (lamp(geometry={"type": "Polygon", "coordinates": 7}), "bad_geometry"),
    (lamp(geometry={"type": "Nothing"}), "bad_geometry"),
)


async def test_bad_proposals_change_nothing(center_db: Database) -> None:
    await registry_write.seed_catalog(center_db, catalog())
    for wrong, reason in WRONG:
        with pytest.raises(BadInput, match=reason):
            await propose(center_db, wrong)
    assert await count(center_db, "object") == 0


async def test_a_request_has_limits(center_db: Database) -> None:
    with pytest.raises(BadInput, match="duplicate_key"):
        await propose(center_db, lamp(), lamp())
    with pytest.raises(BadInput, match="too_many_objects"):
        await propose(center_db, *[lamp(key=f"lamp/{i}") for i in range(501)])
