"""Conditions become incidents exactly once, correlated; people work on them without overwriting each other."""

import pytest

from citynet.access import Actor
from citynet.db import Row
from citynet.errors import BadInput, Conflict, Forbidden, NotFound
from situation_center import incidents, intake, timers
from tests.flows.center import Town, person


async def take_in(town: Town) -> list[Row]:
    await intake.take_in(town.center, town.registry, since=0)
    return await town.center.rows("SELECT * FROM incident ORDER BY incident_id")


async def log(town: Town, incident_id: int) -> list[str]:
    query = "SELECT action FROM incident_log WHERE incident_id = %s ORDER BY log_id"
    return [row["action"] for row in await town.center.rows(query, [incident_id])]


async def leak(town: Town) -> Row:
    await town.condition("water.leak", "inlet/1")
    return (await take_in(town))[-1]


async def test_a_condition_becomes_one_incident_exactly_once(town: Town) -> None:
    await town.condition("water.leak", "inlet/1")
    (row,) = await take_in(town)
    assert (row["type"], row["priority"], row["state"], row["service"]) == ("water.leak", 2, "new", "water")
    assert row["zone_ids"] == [town.ids["district/1"]]
    assert row["org_id"] == town.ids["org/water"]
    assert (row["deadline"] - row["opened"]).total_seconds() == 300
    again = await take_in(town)
    assert [r["change"] for r in again] == [row["change"]]
    notices = await town.center.rows("SELECT subject FROM outbox WHERE subject = 'notice.incident'")
    assert len(notices) == 1


async def test_two_rules_about_one_signal_are_one_incident(town: Town) -> None:
    await town.condition("water.slow_leak", "inlet/1", ago_s=60)
    (row,) = await take_in(town)
    assert row["priority"] == 3
    await town.condition("water.leak", "inlet/1")
    (row,) = await take_in(town)
    assert (row["count"], row["priority"], row["severity"]) == (2, 2, "high")
    assert await log(town, row["incident_id"]) == ["open", "priority", "join"]


async def test_a_cabinet_out_is_one_incident_whatever_comes_first(town: Town) -> None:
    for n in (1, 2):
        await town.condition("lighting.lamp_failed", f"lamp/{n}", ago_s=60)
    assert len(await take_in(town)) == 2
    await town.condition("lighting.cabinet_off", "cabinet/1", ago_s=30)
    for n in (3, 4, 5):
        await town.condition("lighting.lamp_failed", f"lamp/{n}")
    rows = await take_in(town)
    assert [r["state"] for r in rows] == ["merged", "merged", "new"]
    assert rows[2]["count"] == 6
    assert {r["merged_into"] for r in rows[:2]} == {rows[2]["incident_id"]}
    said = await town.center.rows("SELECT merged_by FROM incident_condition WHERE merged_by LIKE '%30 s earlier%'")
    assert len(said) == 3


async def test_a_parent_in_another_trouble_explains_nothing(town: Town) -> None:
    await town.condition("lighting.day_burning", "cabinet/1", ago_s=30)
    await town.condition("lighting.lamp_failed", "lamp/1")
    assert len(await take_in(town)) == 2


async def test_neighbours_with_the_same_cause_are_one_incident(town: Town) -> None:
    await town.condition("air.pm25", "air/1", ago_s=120)
    await town.condition("air.pm25", "air/2")
    (row,) = await take_in(town)
    assert row["count"] == 2


async def test_back_to_normal_and_back_again(town: Town, operator: Actor) -> None:
    condition = await town.condition("water.leak", "inlet/1")
    (row,) = await take_in(town)
    version = await incidents.acknowledge(town.center, operator, row["incident_id"], version=row["version"])
    await town.returned(condition)
    (row,) = await take_in(town)
    assert (row["state"], row["condition_active"], row["deadline"]) == ("restored", False, None)
    assert row["version"] == version + 1
    await incidents.resolve(town.center, operator, row["incident_id"], version=row["version"], evidence="valve closed")
    await town.condition("water.leak", "inlet/1")
    (row,) = await take_in(town)
    assert (row["state"], row["condition_active"], row["count"]) == ("in_progress", True, 2)


async def test_time_tells_proves_and_closes(town: Town, operator: Actor) -> None:
    condition = await town.condition("water.leak", "inlet/1", ago_s=400)
    (row,) = await take_in(town)
    assert await timers.watch(town.center) == 1
    assert await timers.watch(town.center) == 0
    assert (await log(town, row["incident_id"]))[-1] == "overdue"
    version = await incidents.acknowledge(town.center, operator, row["incident_id"], version=row["version"])
    await town.returned(condition, ago_s=601)
    await take_in(town)
    await incidents.resolve(town.center, operator, row["incident_id"], version=version + 1, evidence="closed")
    assert await timers.watch(town.center) == 1
    (row,) = await take_in(town)
    assert row["state"] == "verified"
    async with town.center.transaction("part:test") as conn:
        await conn.execute("UPDATE incident SET resolved = resolved - interval '25 hours'")
    await timers.watch(town.center)
    (row,) = await take_in(town)
    assert (row["state"], row["closed"] is not None) == ("closed", True)


async def test_who_is_second_is_told(town: Town, operator: Actor, senior: Actor) -> None:
    row = await leak(town)
    await incidents.acknowledge(town.center, operator, row["incident_id"], version=1)
    with pytest.raises(Conflict, match="first"):
        await incidents.acknowledge(town.center, senior, row["incident_id"], version=1)
    with pytest.raises(Conflict, match="not possible"):
        await incidents.acknowledge(town.center, senior, row["incident_id"], version=2)
    audit = await town.center.rows("SELECT actor, action FROM audit WHERE action LIKE 'incident.%%'")
    assert audit == [{"actor": "person:ivan", "action": "incident.acknowledge"}]


async def test_undo_for_ten_seconds_and_only_ones_own(town: Town, operator: Actor, senior: Actor) -> None:
    row = await leak(town)
    version = await incidents.take(town.center, operator, row["incident_id"], version=1)
    with pytest.raises(Conflict):
        await incidents.undo(town.center, senior, row["incident_id"], version=version)
    await incidents.undo(town.center, operator, row["incident_id"], version=version)
    (row,) = await take_in(town)
    assert (row["state"], row["owner_id"], row["acknowledged"], row["version"]) == ("new", None, None, 3)
    assert row["deadline_kind"] == "acknowledge"
    version = await incidents.take(town.center, operator, row["incident_id"], version=3)
    version = await incidents.start(town.center, operator, row["incident_id"], version=version)
    with pytest.raises(Conflict):
        await incidents.undo(town.center, operator, row["incident_id"], version=version)


async def test_the_whole_work(town: Town, operator: Actor, senior: Actor) -> None:
    row = await leak(town)
    number, center = row["incident_id"], town.center
    version = await incidents.acknowledge(center, operator, number, version=1)
    assert await incidents.comment(center, operator, number, version=1, text=" seen \0") == version
    version = await incidents.assign(center, operator, number, version=version, owner_id=senior.account_id)
    version = await incidents.dispatch(center, senior, number, version=version, org_id=town.ids["org/water"])
    version = await incidents.start(center, senior, number, version=version)
    with pytest.raises(BadInput, match="text_missing"):
        await incidents.resolve(center, operator, number, version=version, evidence="  ")
    version = await incidents.resolve(center, operator, number, version=version, evidence="photo")
    with pytest.raises(Forbidden, match="no right"):
        await incidents.verify(center, operator, number, version=version)
    version = await incidents.verify(center, senior, number, version=version)
    version = await incidents.close(center, senior, number, version=version)
    version = await incidents.reopen(center, senior, number, version=version, reason="again")
    await incidents.false_alarm(center, senior, number, version=version, reason="test of the sensor")
    (row,) = await take_in(town)
    assert (row["state"], row["owner_id"]) == ("false_alarm", senior.account_id)
    assert await log(town, number) == [
        "open", "acknowledge", "comment", "assign", "dispatch", "start",
        "resolve", "verify", "close", "reopen", "false_alarm",
    ]  # fmt: skip


async def test_merge_and_priority(town: Town, senior: Actor) -> None:
    await town.condition("water.leak", "inlet/1")
    await town.condition("waste.fire", "bin/1")
    first, second = await take_in(town)
    assert second["priority"] == 1
    center = town.center
    with pytest.raises(BadInput, match="text_missing"):
        await incidents.set_priority(center, senior, second["incident_id"], version=1, priority=2)
    await incidents.set_priority(center, senior, first["incident_id"], version=1, priority=1)
    with pytest.raises(BadInput):
        await incidents.merge(center, senior, second["incident_id"], version=1, into=second["incident_id"])
    await incidents.merge(center, senior, second["incident_id"], version=1, into=first["incident_id"])
    first, second = await take_in(town)
    assert (first["count"], first["priority"], second["state"]) == (2, 1, "merged")
    with pytest.raises(Conflict):
        await incidents.merge(center, senior, first["incident_id"], version=2, into=second["incident_id"])


async def test_others_see_and_touch_nothing(town: Town) -> None:
    row = await leak(town)
    lights = await person(town.center, "lights", "utility_dispatcher", services=("lighting",))
    with pytest.raises(NotFound):
        await incidents.acknowledge(town.center, lights, row["incident_id"], version=1)
    boss = await person(town.center, "boss", "executive")
    with pytest.raises(Forbidden):
        await incidents.acknowledge(town.center, boss, row["incident_id"], version=1)
    dispatcher = await person(town.center, "anna", "utility_dispatcher", services=("lighting",))
    operator = await person(town.center, "ivan", "operator")
    with pytest.raises(Forbidden, match="does not work"):
        await incidents.assign(town.center, operator, row["incident_id"], version=1, owner_id=dispatcher.account_id)


async def test_silent_bins_lie_inside_the_incident_of_their_gateway(town: Town) -> None:
    await town.condition("waste.bin_silent", "bin/1", ago_s=5_000)
    assert await take_in(town) == []  # a log rule: nobody has to act
    await town.condition("waste.gateway_silent", "gateway/1", ago_s=5)
    for n in range(2, 6):
        await town.condition("waste.bin_silent", f"bin/{n}")
    (row,) = await take_in(town)
    assert (row["type"], row["count"]) == ("waste.gateway_silent", 5)
