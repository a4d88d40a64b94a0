"""What a person does on the card: work actions, commands, comments, each with a clear answer and, briefly, an undo."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from dash import ALL, Input, Output, State, callback, no_update

from citynet.access import Actor
from situation_center import commands, groups, incidents, views
from situation_center.desk import desk, viewer
from situation_center.screens.parts import confirm, dialogs
from situation_center.screens.parts.failures import FAILURES, REFUSALS, Missing, explain
from situation_center.store import Center
from situation_center.wording import say

log = structlog.get_logger()
TEXT_MAX = 2000
Step = Callable[..., Awaitable[int]]
# Done at once from a key or a button; the others ask for something in a dialog first.
DIRECT: dict[str, Step] = {
    "acknowledge": incidents.acknowledge,
    "take": incidents.take,
    "start": incidents.start,
    "verify": incidents.verify,
    "close": incidents.close,
    "undo": incidents.undo,
}
UNDOABLE = ("acknowledge", "take")


def toast(text: str, *, kind: str = "done", undo: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the bar at the bottom says; id makes each one new."""
    return {"text": text, "kind": kind, "undo": undo, "id": uuid.uuid4().hex}


def refused(error: Exception, language: str) -> dict[str, Any]:
    """The bar for an error that a person is told of."""
    log.info("refused", error=str(error))
    return toast(explain(error, language), kind="error")


async def title_of(db: Center, who: Actor, incident_id: int) -> str:
    """Title and place of an incident, for the bar."""
    row = (await views.card(db, who, incident_id))["incident"]
    return f"{row[f'title_{who.language}']}, {row[f'place_{who.language}']}"  # type: ignore[literal-required]


async def act(who: Actor, name: str, incident_id: int, *, version: int) -> dict[str, Any]:
    """One direct step and what to tell about it."""
    db = desk().db
    try:
        new = await DIRECT[name](db, who, incident_id, version=version)
        if name == "undo":
            return toast(say(who.language, "done.undone"))
        undo = {"incident_id": str(incident_id), "version": new} if name in UNDOABLE else None
        return toast(say(who.language, f"done.{name}", title=await title_of(db, who, incident_id)), undo=undo)
    except (*REFUSALS, *FAILURES) as error:
        return refused(error, who.language)


@callback(Output("toast", "data"), Input("action", "data"), prevent_initial_call=True)
async def _from_key(action: dict[str, Any] | None) -> Any:
    if not action or action["name"] not in DIRECT:
        return no_update
    return await act(viewer(), action["name"], int(action["incident_id"]), version=int(action["version"]))


@callback(
    Output("toast", "data", allow_duplicate=True),
    Output("dialog", "data"),
    Input("pressed", "data"),
    State("shown", "data"),
    prevent_initial_call=True,
)
async def _pressed(pressed: dict[str, Any] | None, shown: dict[str, Any] | None) -> Any:
    """A button of the card: screens.js tells of it, since Dash forgets a press whose button is drawn anew."""
    step = PRESSES.get(pressed["name"]) if pressed else None
    if not pressed or not step:
        return no_update, no_update
    who = viewer()
    try:
        return await step(who, str(pressed["value"]), (shown or {}).get("incident_id"))
    except (*REFUSALS, *FAILURES) as error:
        return refused(error, who.language), no_update


async def _work(who: Actor, name: str, incident: Any) -> tuple[Any, Any]:
    if not incident:
        return no_update, no_update
    if name not in DIRECT:
        return no_update, {"name": name, "incident_id": int(incident), "at": uuid.uuid4().hex}
    version = (await views.card(desk().db, who, int(incident)))["incident"]["version"]
    return await act(who, name, int(incident), version=version), no_update


async def _order(who: Actor, value: str, incident: Any) -> tuple[Any, Any]:
    """A harmless command without arguments goes at once, the others ask first."""
    object_id, _, action = value.partition("/")
    wanted = {"name": "command", "object_id": int(object_id), "action": action, "incident_id": incident}
    command = await dialogs.possible_command(who, int(object_id), action)
    if command["args"] or command["dangerous"]:
        return no_update, wanted | {"at": uuid.uuid4().hex}
    return await send(who, wanted, args={}), no_update


async def _approve(who: Actor, command_id: str, _: Any) -> tuple[Any, Any]:
    await commands.approve(desk().db, who, uuid.UUID(command_id))
    return toast(say(who.language, "done.approve_command")), no_update


async def _cancel(who: Actor, command_id: str, _: Any) -> tuple[Any, Any]:
    state = await commands.cancel(desk().db, who, uuid.UUID(command_id))
    return toast(say(who.language, f"done.{'cancel' if state == 'cancelled' else 'ask_cancel'}_command")), no_update


async def _roll_back(_: Actor, command_id: str, __: Any) -> tuple[Any, Any]:
    return no_update, {"name": "roll_back", "command_id": command_id, "at": uuid.uuid4().hex}


# The key of a button's id -> what it does; screens.js knows the same names.
PRESSES: dict[str, Callable[[Actor, str, Any], Awaitable[tuple[Any, Any]]]] = {
    "work": _work,
    "command": _order,
    "approve": _approve,
    "cancel": _cancel,
    "roll_back": _roll_back,
}


async def send(who: Actor, wanted: Mapping[str, Any], *, args: Mapping[str, Any]) -> dict[str, Any]:
    """Order the command of a dialog; the key makes a repeated click harmless."""
    db = desk().db
    try:
        command = await dialogs.possible_command(who, wanted["object_id"], wanted["action"])
        confirm.check(who, args.get("confirm"), dangerous=command["dangerous"], devices=command["targets"])
        ids = await commands.request(
            db,
            who,
            wanted["object_id"],
            action=wanted["action"],
            args=dialogs.arguments(command, args),
            idempotency_key=str(wanted.get("at") or uuid.uuid4().hex),
            incident_id=int(wanted["incident_id"]) if wanted.get("incident_id") else None,
            confirmed=command["dangerous"],
        )
        title = command["title_ru" if who.language == "ru" else "title_en"]
        waits = (await views.command_row(db, who, str(ids[0])))["state"] == "requested"
        return toast(say(who.language, "done.command_waits" if waits else "done.command", title=title))
    except (*REFUSALS, *FAILURES) as error:
        return refused(error, who.language)


@callback(
    Output("toast", "data", allow_duplicate=True),
    Output("dialog", "data", allow_duplicate=True),
    Input("dialog-send", "n_clicks"),
    State("dialog", "data"),
    State({"field": ALL}, "value"),
    State({"field": ALL}, "id"),
    prevent_initial_call=True,
)
async def _from_dialog(clicks: int | None, dialog: dict[str, Any] | None, values: list[Any], ids: list[Any]) -> Any:
    if not clicks or not dialog:
        return no_update, no_update
    who = viewer()
    fields = {name["field"]: value for name, value in zip(ids, values, strict=True)}
    if dialog["name"] == "command":
        told = await send(who, dialog, args=fields)
        return told, no_update if told["kind"] == "error" else None
    try:
        return await _submit(who, dialog, fields), None
    except (*REFUSALS, *FAILURES) as error:
        return refused(error, who.language), no_update


def _text(fields: Mapping[str, Any], name: str) -> str:
    text = str(fields.get(name) or "").strip()[:TEXT_MAX]
    if not text:
        raise Missing(name)
    return text


def _number(fields: Mapping[str, Any], name: str) -> int:
    if not fields.get(name):
        raise Missing("choose_one")
    return int(fields[name])


# Dialog -> what incidents.<name> wants from its fields.
FIELDS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "resolve": lambda fields: {"evidence": _text(fields, "evidence")},
    "reopen": lambda fields: {"reason": _text(fields, "reason")},
    "false_alarm": lambda fields: {"reason": _text(fields, "reason")},
    "assign": lambda fields: {"owner_id": _number(fields, "owner")},
    "dispatch": lambda fields: {"org_id": _number(fields, "org")},
}
ASKED: dict[str, Step] = {
    "resolve": incidents.resolve,
    "reopen": incidents.reopen,
    "false_alarm": incidents.false_alarm,
    "assign": incidents.assign,
    "dispatch": incidents.dispatch,
}


async def _submit(who: Actor, dialog: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    name, db = dialog["name"], desk().db
    if name == "roll_back":
        _, wish = await commands.undo_of(db, who, uuid.UUID(dialog["command_id"]))
        confirm.check(who, fields.get("confirm"), dangerous=wish.spec.dangerous)
        await commands.roll_back(db, who, uuid.UUID(dialog["command_id"]), confirmed=True)
        return toast(say(who.language, "done.roll_back_command"))
    if name == "roll_back_group":
        group_id = uuid.UUID(dialog["group_id"])
        wishes, dangerous = await groups.undo_of(db, who, group_id)
        confirm.check(who, fields.get("confirm"), dangerous=dangerous, devices=len(wishes))
        await groups.roll_back(db, who, group_id, confirmed=True)
        return toast(say(who.language, "orders.done_roll_back"))
    incident_id = int(dialog["incident_id"])
    given = FIELDS[name](fields)
    # The person answered the dialog, not a row version: what changed in between is judged by the state.
    version = (await views.card(db, who, incident_id))["incident"]["version"]
    await ASKED[name](db, who, incident_id, version=version, **given)
    return toast(say(who.language, f"done.{name}", title=await title_of(db, who, incident_id)))


@callback(
    Output("toast", "data", allow_duplicate=True),
    Output("comment-text", "value"),
    Input("comment-send", "n_clicks"),
    State("comment-text", "value"),
    State("shown", "data"),
    prevent_initial_call=True,
)
async def _comment(clicks: int | None, text: str | None, shown: dict[str, Any] | None) -> Any:
    who = viewer()
    if not clicks:
        return no_update, no_update
    if not shown or not shown.get("incident_id"):
        return toast(say(who.language, "error.choose"), kind="error"), no_update
    try:
        db, incident_id = desk().db, int(shown["incident_id"])
        version = (await views.card(db, who, incident_id))["incident"]["version"]
        await incidents.comment(db, who, incident_id, version=version, text=_text({"comment": text}, "comment"))
    except (*REFUSALS, *FAILURES) as error:
        return refused(error, who.language), no_update
    return toast(say(who.language, "done.comment")), ""
