"""Commands: rights, limits, second signature, one message each; receipts and time bring them to their end."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from citynet.access import Actor
from citynet.bus import INGEST_RECEIPTS
from citynet.bus_memory import MemoryBus
from citynet.catalog import catalog
from citynet.db import Row
from citynet.errors import BadInput, Conflict, Forbidden, NotFound
from citynet.model import Command
from situation_center import commands, intake, receipts, views
from situation_center.reference.devices import Edit, edit
from tests.flows.center import Town, person


async def order(town: Town, actor: Actor, key: str, **more: Any) -> list[uuid.UUID]:
    given = {"action": "dim", "args": {"level": 40}, "idempotency_key": uuid.uuid4().hex, **more}
    return await commands.request(town.center, actor, town.ids[key], **given)


async def state(town: Town, command_id: uuid.UUID) -> str:
    row = await town.center.row("SELECT state FROM command WHERE command_id = %s", [command_id])
    assert row
    return str(row["state"])


async def outbox(town: Town) -> list[Row]:
    return await town.center.rows("SELECT * FROM outbox WHERE subject LIKE 'commands.%%' ORDER BY outbox_id")


async def published(town: Town) -> None:
    """What the worker's publisher does before the broker has the message, and after."""
    async with town.center.transaction("part:test") as conn:
        await conn.execute("UPDATE outbox SET taken = true")


async def delivered(town: Town) -> None:
    async with town.center.transaction("part:test") as conn:
        await conn.execute("DELETE FROM outbox")


async def make_old(town: Town, hours: int = 1) -> None:
    async with town.center.transaction("part:test") as conn:
        await conn.execute("UPDATE command SET deadline = deadline - make_interval(hours => %s)", [hours])


async def test_an_order_leaves_with_everything_the_device_needs(town: Town, operator: Actor) -> None:
    (command,) = await order(town, operator, "lamp/1")
    (message,) = await outbox(town)
    sent = msgspec.json.decode(message["payload"], type=Command)
    assert message["subject"] == "commands.lamp-1"
    assert (sent.command_id, sent.action, sent.args, sent.profile) == (command, "dim", {"level": 40.0}, "lamp")
    expected = await town.center.row("SELECT * FROM expectation")
    assert expected
    assert (expected["series_id"], expected["target"]) == (town.series("lamp/1", "lamp_level"), 40.0)
    assert await state(town, command) == "queued"


async def test_a_command_that_its_device_fetches_lives_longer_and_says_what_it_waits_for(
    town: Town, operator: Actor
) -> None:
    async def shown(command: uuid.UUID) -> Row:
        row = await views.command_row(town.center, operator, str(command))
        return {**row, "lives": row["deadline"] - row["requested"]}

    (by_mqtt,) = await order(town, operator, "lamp/1")
    before = await shown(by_mqtt)
    admin = await person(town.center, "ada", "administrator")
    await edit(town.center, admin, "device/lamp-1", wanted=Edit(attributes={"downlink": "http"}))
    (by_http,) = await order(town, operator, "lamp/1", args={"level": 70})
    row = await shown(by_http)
    assert (before["fetched"], row["fetched"]) == (False, True)
    assert row["lives"] == timedelta(seconds=2 * catalog().profiles["lamp"].interval_s + 60) > before["lives"]


async def test_the_same_key_sends_once(town: Town, operator: Actor) -> None:
    first = await order(town, operator, "cabinet/2", idempotency_key="k")
    assert len(first) == 3  # no controller: its lamps
    assert sorted(await order(town, operator, "cabinet/2", idempotency_key="k")) == sorted(first)
    assert len(await outbox(town)) == 3
    with pytest.raises(Conflict):
        await order(town, operator, "cabinet/2", idempotency_key="k", args={"level": 41})


async def test_a_cabinet_with_a_controller_is_one_command(town: Town, operator: Actor) -> None:
    (command,) = await order(town, operator, "cabinet/1")
    assert (await outbox(town))[0]["subject"] == "commands.cabinet-1"
    assert await state(town, command) == "queued"


BEYOND: tuple[tuple[dict[str, Any], str], ...] = (
    ({"args": {"level": 101}}, "out_of_limits"),
    ({"args": {"level": float("nan")}}, "out_of_limits"),
    ({"args": {"level": True}}, "bad_argument"),
    ({"args": {}}, "bad_argument"),
    ({"args": {"level": 1, "colour": "red"}}, "unknown_argument"),
    ({"action": "explode", "args": {}}, "no_such_command"),
    ({"idempotency_key": ""}, "bad_key"),
)


async def test_limits(town: Town, operator: Actor) -> None:
    for more, reason in BEYOND:
        with pytest.raises(BadInput, match=reason):
            await order(town, operator, "lamp/1", **more)
    assert await outbox(town) == []


async def test_rights(town: Town) -> None:
    boss = await person(town.center, "boss", "executive")
    with pytest.raises(Forbidden):
        await order(town, boss, "lamp/1")
    water = await person(town.center, "anna", "utility_dispatcher", services=("water",))
    with pytest.raises(NotFound):
        await order(town, water, "lamp/1")


async def test_a_dangerous_command_needs_two_or_a_typed_word(town: Town, operator: Actor, senior: Actor) -> None:
    (command,) = await order(town, operator, "valve/1", action="close", args={})
    assert await state(town, command) == "requested"
    assert await outbox(town) == []
    with pytest.raises(Forbidden):
        await commands.approve(town.center, operator, command)
    await commands.approve(town.center, senior, command)
    assert await state(town, command) == "queued"
    with pytest.raises(Conflict):
        await commands.approve(town.center, senior, command)
    with pytest.raises(BadInput, match="confirmation_needed"):
        await order(town, senior, "valve/1", action="close", args={})
    (second,) = await order(town, senior, "valve/1", action="close", args={}, confirmed=True)
    assert [await state(town, c) for c in (command, second)] == ["superseded", "queued"]


async def test_an_own_request_is_not_signed_twice(town: Town, senior: Actor) -> None:
    other = await person(town.center, "petr", "operator")
    (command,) = await order(town, other, "valve/1", action="close", args={})
    same = Actor(other.account_id, other.login, "senior_operator")
    with pytest.raises(Conflict, match="another person"):
        await commands.approve(town.center, same, command)


async def test_a_newer_wish_supersedes(town: Town, operator: Actor) -> None:
    (first,) = await order(town, operator, "lamp/1")
    (second,) = await order(town, operator, "lamp/1", action="off", args={})
    assert [await state(town, c) for c in (first, second)] == ["superseded", "queued"]
    assert len(await outbox(town)) == 1


async def test_what_has_never_left_is_cancelled_at_once(town: Town, operator: Actor) -> None:
    (command,) = await order(town, operator, "lamp/1")
    assert await commands.cancel(town.center, operator, command) == "cancelled"
    assert await outbox(town) == []
    assert await state(town, command) == "cancelled"


@pytest.mark.parametrize(("answer", "end"), [("withdrawn", "cancelled"), ("sent", "sent")])
async def test_only_the_gateway_cancels_what_it_may_hold(town: Town, operator: Actor, answer: str, end: str) -> None:
    """A worker that died between broker and database leaves the message in the outbox, marked: it may have left."""
    (command,) = await order(town, operator, "lamp/1")
    await published(town)
    assert await commands.cancel(town.center, operator, command) == "queued"
    row = await town.center.row("SELECT cancel_asked FROM command")
    assert row == {"cancel_asked": "person:ivan"}
    await town.receipt(command, answer)
    await receipts.apply(town.center)
    assert await state(town, command) == end
    with pytest.raises(Conflict):
        await commands.cancel(town.center, operator, command)


async def test_a_roll_back_is_as_dangerous_as_what_it_orders(town: Town, operator: Actor, senior: Actor) -> None:
    await town.newest("valve/1", "valve_position", 0.0)
    (opened,) = await order(town, operator, "valve/1", action="open", args={})
    await delivered(town)
    await town.receipt(opened, "sent")
    await receipts.apply(town.center)
    _, wish = await commands.undo_of(town.center, senior, opened)
    assert (wish.action, wish.spec.dangerous, wish.undoes) == ("close", True, opened)
    with pytest.raises(BadInput, match="type the confirmation"):
        await commands.roll_back(town.center, senior, opened)
    assert await commands.roll_back(town.center, senior, opened, confirmed=True)


@pytest.mark.parametrize(("answer", "end"), [("withdrawn", "cancelled"), ("kept", "sent"), ("radiated", "sent")])
async def test_what_a_network_server_holds_is_asked_back(town: Town, operator: Actor, answer: str, end: str) -> None:
    """By radio "sent" means that it waits in the network's queue; a lamp that is connected has it."""
    await by_radio(town, "lamp/1")
    ((held,), (here,)) = await order(town, operator, "lamp/1"), await order(town, operator, "lamp/2")
    await delivered(town)
    for command in (held, here):
        await town.receipt(command, "intent", "gw-1: 1.318 s in 868-868.6 MHz")
        await town.receipt(command, "sent")
    await receipts.apply(town.center)
    with pytest.raises(Conflict, match="has left"):
        await commands.cancel(town.center, operator, here)
    assert (await views.command_row(town.center, operator, str(held)))["held"]
    assert await commands.cancel(town.center, operator, held) == "sent"
    await town.receipt(held, answer, "class")
    await receipts.apply(town.center)
    row = await views.command_row(town.center, operator, str(held))
    assert (row["state"], row["held"], row["kept"]) == (end, False, "class" if answer == "kept" else None)
    with pytest.raises(Conflict):
        await commands.cancel(town.center, operator, held)


async def by_radio(town: Town, key: str) -> None:
    """The device of this point hangs on a radio network."""
    async with town.center.transaction("part:test") as conn:
        await conn.execute(
            'UPDATE object_version SET attributes = attributes || \'{"protocol": "chirpstack"}\' WHERE object_id = ('
            "SELECT device_id FROM device_point WHERE object_id = %s)",
            [town.ids[key]],
        )


async def test_what_waits_for_airtime_says_so_and_is_taken_back_as_ever(town: Town, operator: Actor) -> None:
    (command,) = await order(town, operator, "lamp/1")
    await delivered(town)
    await town.receipt(command, "waiting", "gw-1: not before 2026-03-02T12:00:00+00:00 in 864-865 MHz")
    await receipts.apply(town.center)
    row = await views.command_row(town.center, operator, str(command))
    assert (row["state"], row["airtime_of"]) == ("queued", "gw-1")
    assert row["airtime_from"] == datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert await commands.cancel(town.center, operator, command) == "queued"
    await town.receipt(command, "withdrawn")
    await receipts.apply(town.center)
    assert await state(town, command) == "cancelled"


async def test_what_the_network_dropped_has_expired_only_when_all_that_was_heard_is_stored(
    town: Town, operator: Actor
) -> None:
    """An ingest that dies with "radiated" in hand stores it after "expired", which came later."""
    ((lost,), (late,)) = await order(town, operator, "lamp/1"), await order(town, operator, "lamp/2")
    town.center.bus = MemoryBus()
    ingest = await town.center.bus.puller(INGEST_RECEIPTS)
    await town.center.bus.publish(f"receipts.{late}", b"radiated, on its way")
    await delivered(town)
    for command in (lost, late):
        for kind in ("sent", "expired"):
            await town.receipt(command, kind)
    await receipts.apply(town.center)
    assert [await state(town, command) for command in (lost, late)] == ["expired", "queued"]
    await town.receipt(late, "radiated")
    await ingest.ack(await ingest.fetch(10, 5))
    await receipts.apply(town.center)
    assert await state(town, late) == "sent"


async def test_what_has_begun_is_not_cancelled(town: Town, operator: Actor) -> None:
    (command,) = await order(town, operator, "lamp/1")
    await delivered(town)
    await town.receipt(command, "intent")
    with pytest.raises(Conflict, match="has left"):
        await commands.cancel(town.center, operator, command)


async def test_back_to_what_telemetry_showed_before(town: Town, operator: Actor, senior: Actor) -> None:
    await town.newest("lamp/1", "lamp_level", 65.0)
    (command,) = await order(town, operator, "lamp/1")
    with pytest.raises(Conflict, match="nothing was done"):
        await commands.roll_back(town.center, operator, command)
    await delivered(town)
    await town.receipt(command, "sent")
    await receipts.apply(town.center)
    back = await commands.roll_back(town.center, operator, command)
    row = await town.center.row("SELECT action, args, undoes, state FROM command WHERE command_id = %s", [back])
    assert row == {"action": "dim", "args": {"level": 65.0}, "undoes": command, "state": "queued"}
    assert await state(town, command) == "superseded"
    assert await commands.roll_back(town.center, operator, command) == back
    (first,) = await order(town, operator, "lamp/2")
    await delivered(town)
    await town.receipt(first, "sent")
    await receipts.apply(town.center)
    with pytest.raises(Conflict, match="nothing is known"):
        await commands.roll_back(town.center, operator, first)


async def test_a_roll_back_needs_what_any_command_needs(town: Town, operator: Actor, senior: Actor) -> None:
    await town.newest("valve/1", "valve_position", 0.0)
    (command,) = await order(town, senior, "valve/1", action="open", args={})
    await delivered(town)
    for kind in ("sent", "readback"):
        await town.receipt(command, kind)
    await receipts.apply(town.center)
    back = await commands.roll_back(town.center, operator, command)
    row = await town.center.row("SELECT action, state FROM command WHERE command_id = %s", [back])
    assert row == {"action": "close", "state": "requested"}


async def test_what_is_unknown_is_superseded_too(town: Town, operator: Actor) -> None:
    """Else the effect of the newer wish would confirm the older one."""
    (first,) = await order(town, operator, "lamp/1")
    await delivered(town)
    await make_old(town)
    await receipts.apply(town.center)
    assert await state(town, first) == "unknown"
    await order(town, operator, "lamp/1")
    assert await state(town, first) == "superseded"
    (open_,) = await town.center.rows("SELECT command_id FROM expectation WHERE late_until > now()")
    assert open_["command_id"] != first


async def test_from_sent_to_confirmed(town: Town, operator: Actor) -> None:
    await town.condition("lighting.day_burning", "cabinet/1")
    await intake.take_in(town.center, town.registry, since=0)
    (incident,) = await town.center.rows("SELECT incident_id FROM incident")
    (command,) = await order(town, operator, "lamp/1", incident_id=incident["incident_id"])
    await delivered(town)
    states = []
    for kind in ("intent", "sent", "acknowledged", "readback", "failed"):
        await town.receipt(command, kind)
        await receipts.apply(town.center)
        states.append(await state(town, command))
    assert states == ["queued", "sent", "acknowledged", "confirmed", "confirmed"]
    said = await town.center.rows("SELECT text FROM incident_log WHERE action = 'command' ORDER BY log_id")
    assert [row["text"] for row in said] == ["lamp/1: dim level 40", "lamp/1: dim level 40 — confirmed by telemetry"]
    log = await town.center.rows("SELECT state FROM command_log ORDER BY log_id")
    assert [row["state"] for row in log] == ["queued", "sent", "acknowledged", "confirmed"]


async def test_silence_is_unknown_not_failed_and_may_end_well(town: Town, operator: Actor) -> None:
    (command,) = await order(town, operator, "lamp/1")
    await published(town)
    await make_old(town)
    assert await receipts.apply(town.center) == 1
    assert await state(town, command) == "unknown"
    assert await receipts.apply(town.center) == 0
    for kind in ("sent", "readback"):
        await town.receipt(command, kind)
    await receipts.apply(town.center)
    assert await state(town, command) == "confirmed"


async def test_after_a_day_unknown_stands(town: Town, operator: Actor) -> None:
    (command,) = await order(town, operator, "lamp/1")
    await published(town)
    await make_old(town)
    await receipts.apply(town.center)
    await make_old(town, hours=24)
    await receipts.apply(town.center)
    assert await state(town, command) == "unknown_final"


async def test_what_never_left_expires(town: Town, operator: Actor) -> None:
    (waiting,) = await order(town, operator, "valve/1", action="close", args={})
    (held,) = await order(town, operator, "lamp/1")
    await make_old(town)
    await receipts.apply(town.center)
    assert [await state(town, c) for c in (waiting, held)] == ["expired", "expired"]
    assert await outbox(town) == []
