"""The one dialog window: what it asks depends on the store `dialog`; actions.py takes the answer."""

import uuid
from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, callback, html, no_update

from citynet.access import Actor
from citynet.errors import BadInput, NotFound
from situation_center import commands, groups, views
from situation_center.desk import desk, viewer
from situation_center.screens.parts import confirm, export_form
from situation_center.screens.parts.failures import FAILURES, REFUSALS, explain
from situation_center.views.rows import ArgumentRow, PossibleCommand
from situation_center.wording import count, number, say, texts, unit, word

KEYS = ("J", "K", "A", "T", "C", "/", "Esc", "?")


def window(language: str) -> Any:
    """The window itself, closed."""
    close = {"aria-label": say(language, "card.cancel")}
    return dmc.Modal(
        id="modal", centered=True, size="md", closeButtonProps=close, overlayProps={"backgroundOpacity": 0.4}
    )


async def possible_command(who: Actor, object_id: int, action: str) -> PossibleCommand:
    """The command of an object by its name, as the viewer may order it now."""
    card = await views.object_card(desk().db, who, object_id)
    for command in card["possible"]:
        if command["action"] == action and command["object_id"] == object_id:
            return command
    raise NotFound(f"object {object_id} has no command {action}")


def arguments(command: PossibleCommand, fields: Mapping[str, Any]) -> dict[str, float | str | bool]:
    """Typed arguments from the fields of the dialog. Limits are checked by commands.request."""
    found: dict[str, float | str | bool] = {}
    for argument in command["args"]:
        value = fields.get(argument["name"], argument["default"])
        if value is None or value == "":
            raise BadInput("argument", argument["name"])
        found[argument["name"]] = float(value) if argument["type"] == "number" else value
    return found


def _footer(language: str, label: str) -> html.Footer:
    return html.Footer(
        [
            html.Button(say(language, "card.cancel"), id="dialog-cancel", n_clicks=0),
            html.Button(label, id="dialog-send", n_clicks=0, className="primary"),
        ]
    )


def _asking(label: str, field: Any, *, language: str, send: str) -> html.Div:
    return html.Div(
        [html.Label([html.Span(label, className="label"), field]), _footer(language, send)], className="dialog-form"
    )


def _text_field(name: str, hint: str = "") -> Any:
    return dmc.Textarea(id={"field": name}, autosize=True, minRows=4, maxRows=10, placeholder=hint, value="")


def _select(name: str, options: list[dict[str, str]]) -> Any:
    # Inside the portal of a modal: the list is drawn in place, so that its keys stay in the dialog.
    return dmc.Select(id={"field": name}, data=options, searchable=True, comboboxProps={"withinPortal": False})


async def _resolve(who: Actor, _: Mapping[str, Any]) -> html.Div:
    language = who.language
    field = _text_field("evidence", say(language, "card.evidence_hint"))
    return _asking(say(language, "card.evidence"), field, language=language, send=say(language, "card.resolve"))


async def _reason(who: Actor, dialog: Mapping[str, Any]) -> html.Div:
    language = who.language
    send = say(language, f"card.{dialog['name']}")
    return _asking(say(language, "card.reason"), _text_field("reason"), language=language, send=send)


async def _assign(who: Actor, dialog: Mapping[str, Any]) -> html.Div:
    people = await views.assignees(desk().db, who, int(dialog["incident_id"]))
    roles = texts(who.language)["role"]
    options = [{"value": str(p["account_id"]), "label": f"{p['login']} · {roles[p['role']]}"} for p in people]
    label = say(who.language, "card.to_whom")
    return _asking(label, _select("owner", options), language=who.language, send=say(who.language, "card.assign"))


async def _dispatch(who: Actor, _: Mapping[str, Any]) -> html.Div:
    found = await views.organisations(desk().db, who)
    name = "name_ru" if who.language == "ru" else "name_en"
    options = [{"value": str(row["object_id"]), "label": str(row[name])} for row in found]  # type: ignore[literal-required]
    label = say(who.language, "card.org")
    return _asking(label, _select("org", options), language=who.language, send=say(who.language, "card.dispatch"))


async def _command(who: Actor, dialog: Mapping[str, Any]) -> html.Div:
    language = who.language
    command = await possible_command(who, dialog["object_id"], dialog["action"])
    text = "title_ru" if language == "ru" else "title_en"
    place = command["object_ru" if language == "ru" else "object_en"]
    head: list[Any] = [html.P([html.B(command[text]), f" · {place}"])]  # type: ignore[literal-required]
    if command["dangerous"]:
        head.append(html.P(say(language, "card.dangerous"), className="confirm"))
    fields = [argument_field(argument, language) for argument in command["args"]]
    if confirm.asks(who, dangerous=command["dangerous"]):
        fields.append(confirm.field(language, command["targets"]))
    return html.Div([*head, *fields, _footer(language, say(language, "card.send_command"))], className="dialog-form")


async def _roll_back(who: Actor, dialog: Mapping[str, Any]) -> html.Div:
    language = who.language
    row = await views.command_row(desk().db, who, dialog["command_id"])
    title, place = (row[f"{field}_{language}"] for field in ("title", "object"))  # type: ignore[literal-required]
    text = say(language, "card.roll_back_text", value=number(language, row["before"]))
    head = [html.P([html.B(title), f" · {place}"]), html.P(text, className="confirm")]
    _, wish = await commands.undo_of(desk().db, who, uuid.UUID(dialog["command_id"]))
    typed = [confirm.field(language)] if confirm.asks(who, dangerous=wish.spec.dangerous) else []
    return html.Div([*head, *typed, _footer(language, say(language, "card.roll_back"))], className="dialog-form")


async def _roll_back_group(who: Actor, dialog: Mapping[str, Any]) -> html.Div:
    language = who.language
    group = await views.group(desk().db, who, uuid.UUID(dialog["group_id"]))
    wishes, dangerous = await groups.undo_of(desk().db, who, uuid.UUID(dialog["group_id"]))
    title = group["title_ru" if language == "ru" else "title_en"]
    text = say(language, "orders.roll_back_text", devices=count(language, "device", len(wishes)))
    head = [html.P(html.B(title)), html.P(text, className="confirm")]
    typed = [confirm.field(language, len(wishes))] if confirm.asks(who, dangerous=dangerous) else []
    return html.Div([*head, *typed, _footer(language, say(language, "card.roll_back"))], className="dialog-form")


def argument_field(argument: ArgumentRow, language: str) -> Any:
    """The field of one argument, within its limits."""
    title = argument["title_ru" if language == "ru" else "title_en"] or word(language, "argument", argument["name"])
    limits = {k: argument[k] for k in ("min", "max") if argument[k] is not None}
    label = f"{title}, {unit(language, argument['unit'])}" if argument["unit"] else title
    return dmc.NumberInput(
        id={"field": argument["name"]},
        label=label,
        value=argument["default"] or limits.get("max", 0),
        clampBehavior="strict",
        **limits,
    )


async def _keys(who: Actor, _: Mapping[str, Any]) -> html.Div:
    language = who.language
    rows = [cell for key in KEYS for cell in (html.Dt(html.Kbd(key)), html.Dd(texts(language)["keys"][key]))]
    note = html.P(say(language, "keys.note"), className="muted")
    page = [html.H3(say(language, "keys.page")), html.P(say(language, "keys.page_text"))]
    return html.Div([html.Dl(rows, className="keys"), note, html.Br(), *page])


FORMS = {
    "resolve": _resolve,
    "reopen": _reason,
    "false_alarm": _reason,
    "assign": _assign,
    "dispatch": _dispatch,
    "command": _command,
    "roll_back": _roll_back,
    "roll_back_group": _roll_back_group,
    "keys": _keys,
    "export": export_form.form,
}


TITLES = {"command": "card.commands", "roll_back_group": "card.roll_back", "export": "export.title"}


def _title(name: str, language: str) -> str:
    return say(language, "keys.title") if name == "keys" else say(language, TITLES.get(name, f"card.{name}"))


@callback(
    Output("modal", "opened"),
    Output("modal", "title"),
    Output("modal", "children"),
    Input("dialog", "data"),
    prevent_initial_call=True,
)
async def _open(dialog: dict[str, Any] | None) -> Any:
    if not dialog or dialog["name"] not in FORMS:
        return False, no_update, no_update
    who = viewer()
    try:
        body: Any = await FORMS[dialog["name"]](who, dialog)
    except (*REFUSALS, *FAILURES) as error:
        body = html.P(explain(error, who.language))
    return True, _title(dialog["name"], who.language), body


@callback(
    Output("dialog", "data", allow_duplicate=True),
    Input("dialog-cancel", "n_clicks"),
    Input("modal", "opened"),
    State("dialog", "data"),
    prevent_initial_call=True,
)
async def _close(cancel: int | None, opened: bool, dialog: dict[str, Any] | None) -> Any:
    return None if dialog and (cancel or not opened) else no_update
