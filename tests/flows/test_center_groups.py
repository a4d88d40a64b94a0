"""Group commands: counted first, in waves, stopped at failures, taken back, rolled back; rights as for one command."""

import uuid
from typing import Any

import pytest

from citynet.access import Actor
from citynet.errors import BadInput, Conflict, Forbidden, NotFound
from situation_center import commands, groups, receipts, views
from situation_center.groups import Choice, Waves
from tests.flows.center import Town, person


async def order(town: Town, actor: Actor, **more: Any) -> uuid.UUID:
    given = {"action": "dim", "args": {"level": 40}, "waves": Waves(2, 0, 0.3), "idempotency_key": uuid.uuid4().hex}
    choice = more.pop("choice", Choice(class_="lamp"))
    return await groups.order(town.center, actor, choice, **{**given, **more})


async def states(town: Town, group: uuid.UUID) -> list[str]:
    """States of the commands of a group, in the order of their waves."""
    query = "SELECT state FROM command WHERE group_id = %s ORDER BY wave, command_id"
    return [row["state"] for row in await town.center.rows(query, [group])]


async def end_wave(town: Town, group: uuid.UUID, *kinds: str) -> None:
    """What is queued leaves and is answered by these receipts."""
    rows = await town.center.rows("SELECT * FROM command WHERE group_id = %s AND state = 'queued'", [group])
    async with town.center.transaction("part:test") as conn:
        await conn.execute("DELETE FROM outbox")
    for row in rows:
        for kind in kinds:
            await town.receipt(row["command_id"], kind)
    await receipts.apply(town.center)


async def test_waves_follow_each_other_to_the_end(town: Town, operator: Actor) -> None:
    group = await order(town, operator)
    assert await states(town, group) == ["approved"] * 8
    for done in (0, 2, 4, 6):
        assert await groups.advance(town.center) == 1
        assert await groups.advance(town.center) == 0
        assert await states(town, group) == ["confirmed"] * done + ["queued"] * 2 + ["approved"] * (6 - done)
        await end_wave(town, group, "sent", "readback")
    await groups.advance(town.center)
    row = await views.group(town.center, operator, group)
    assert (row["state"], row["wave"], row["waves"], row["ended"]) == ("finished", 4, 4, 8)
    assert row["counts"] == {"confirmed": 8}


async def test_too_many_failures_stop_the_rest(town: Town, operator: Actor) -> None:
    group = await order(town, operator)
    await groups.advance(town.center)
    await end_wave(town, group, "sent", "rejected")
    await groups.advance(town.center)
    assert await states(town, group) == ["rejected"] * 2 + ["cancelled"] * 6
    row = await views.group(town.center, operator, group)
    assert (row["state"], row["why"]) == ("stopped", "2/2")
    assert await groups.advance(town.center) == 0


async def test_a_person_stops_and_rolls_back_what_was_done(town: Town, operator: Actor) -> None:
    for n in (1, 2, 3):
        await town.newest(f"lamp/{n}", "lamp_level", 90.0 + n)
    group = await order(town, operator, choice=Choice(parent=town.ids["cabinet/1"]))
    await groups.advance(town.center)
    await end_wave(town, group, "sent", "readback")
    await groups.advance(town.center)
    await groups.stop(town.center, operator, group)
    assert await states(town, group) == ["confirmed", "confirmed", "cancelled", "cancelled", "cancelled"]
    with pytest.raises(Conflict):
        await groups.stop(town.center, operator, group)
    back = await groups.roll_back(town.center, operator, group)
    query = "SELECT args, undoes IS NOT NULL AS undoes FROM command WHERE group_id = %s ORDER BY object_id"
    assert await town.center.rows(query, [back]) == [
        {"args": {"level": 91.0}, "undoes": True},
        {"args": {"level": 92.0}, "undoes": True},
    ]
    assert await groups.roll_back(town.center, operator, group) == back
    assert [row["undone"] for row in await views.groups(town.center, operator)] == [False, True]


async def test_a_preview_says_who_is_silent_and_who_is_left_out(town: Town, operator: Actor) -> None:
    await town.condition("lighting.cabinet_silent", "cabinet/1")
    await town.condition("lighting.lamp_silent", "lamp/8")
    found = await groups.preview(town.center, operator, Choice(class_="lamp"), action="dim")
    assert {t.row["key"] for t in found.silent} == {f"lamp/{n}" for n in (1, 2, 3, 4, 5, 8)}
    everything = await groups.preview(town.center, operator, Choice(zone=town.ids["district/1"]), action="dim")
    assert (len(everything.able), everything.unable) == (9, 10)  # lamps and a cabinet; inlet, valve, gateway, bins, air
    water = await person(town.center, "anna", "utility_dispatcher", services=("water",))
    assert (await groups.preview(town.center, water, Choice(class_="lamp"), action="dim")).able == []
    with pytest.raises(BadInput, match="nothing_chosen"):
        await groups.preview(town.center, operator, Choice(), action="dim")


async def test_a_dangerous_group_waits_for_a_second_person(town: Town, operator: Actor) -> None:
    senior = await person(town.center, "olga", "senior_operator")
    group = await order(town, operator, choice=Choice(class_="valve"), action="close", args={})
    assert await states(town, group) == ["requested"]
    assert await groups.advance(town.center) == 0
    row = await views.group(town.center, senior, group)
    await commands.approve(town.center, senior, uuid.UUID(row["first_command"]))
    await groups.advance(town.center)
    assert await states(town, group) == ["queued"]


async def test_a_group_that_nobody_signs_ends(town: Town, operator: Actor) -> None:
    group = await order(town, operator, choice=Choice(class_="valve"), action="close", args={})
    async with town.center.transaction("part:test") as conn:
        await conn.execute("UPDATE command SET deadline = deadline - interval '1 hour'")
    await receipts.apply(town.center)
    await groups.advance(town.center)
    row = await views.group(town.center, operator, group)
    assert (row["state"], row["why"], row["counts"]) == ("cancelled", "unsigned", {"expired": 1})


async def test_the_same_key_orders_once(town: Town, operator: Actor) -> None:
    group = await order(town, operator, idempotency_key="k")
    assert await order(town, operator, idempotency_key="k") == group
    with pytest.raises(Conflict):
        await order(town, operator, idempotency_key="k", args={"level": 41})
    assert len(await states(town, group)) == 8


async def test_rights_and_limits(town: Town, operator: Actor) -> None:
    boss = await person(town.center, "boss", "executive")
    with pytest.raises(Forbidden):
        await order(town, boss)
    for more, reason in (({"args": {"level": 101}}, "out_of_limits"), ({"action": "dance"}, "no_such_command")):
        with pytest.raises(BadInput, match=reason):
            await order(town, operator, **more)
    with pytest.raises(BadInput, match="bad_waves"):
        Waves(0)
    group = await order(town, operator)
    water = await person(town.center, "anna", "utility_dispatcher", services=("water",))
    assert await views.groups(town.center, water) == []
    with pytest.raises(NotFound):
        await groups.stop(town.center, water, group)


async def test_every_command_has_a_log(town: Town, operator: Actor) -> None:
    group = await order(town, operator, choice=Choice(objects=(town.ids["lamp/1"],)))
    await groups.advance(town.center)
    await end_wave(town, group, "intent", "sent", "readback")
    (row,) = await views.commands_list(town.center, operator, states=["confirmed"], text="lamp/1")
    steps = await views.steps(town.center, operator, uuid.UUID(row["command_id"]))
    assert {s["state"] for s in steps} == {"approved", "queued", "intent", "sent", "readback", "confirmed"}
    assert await views.commands_list(town.center, operator, states=["failed"]) == []
