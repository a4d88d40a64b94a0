"""The commands page: groups and how far they are, every command by state, and what was heard of each."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
import msgspec
from dash import ALL, Input, Output, State, callback, ctx, dcc, html, no_update

from citynet import access
from citynet.access import Actor
from situation_center import commands as orders
from situation_center import groups, views
from situation_center.desk import desk, viewer
from situation_center.screens import register
from situation_center.screens.parts.actions import refused, toast
from situation_center.screens.parts.browser import attrs
from situation_center.screens.parts.card import command_state, named
from situation_center.screens.parts.failures import FAILURES, REFUSALS, explain
from situation_center.screens.parts.marks import empty, panel
from situation_center.views.groups import GroupRow, StepRow
from situation_center.views.rows import CommandRow
from situation_center.wording import clock_time, count, date_time, integer, name_of, number, say, texts, word

# How the states of a group are drawn on its bar, from done to open.
BAR = ("confirmed", "acknowledged", "sent", "queued", "unknown", "unknown_final", "rejected", "failed", "expired")


@register("commands", path="/commands", action="command.read")
async def commands(who: Actor, _: Mapping[str, str]) -> html.Div:
    """Groups above, commands below, the log of one beside."""
    language = who.language
    head: list[Any] = [html.H1(say(language, "orders.title"))]
    if access.allowed(who, "command.request"):
        head.append(dcc.Link(say(language, "orders.new"), href="/commands/group", className="button"))
    made = await views.groups(desk().db, who)
    found = await views.commands_list(desk().db, who, states=[])
    list_ = panel(say(language, "orders.list"), html.Div(_list(found, who), id="orders-list"), tools=_filters(language))
    log = panel(say(language, "orders.log"), html.Div(empty(say(language, "orders.choose")), id="orders-log"))
    return html.Div(
        [
            html.Div(head, className="page-head"),
            panel(say(language, "orders.groups"), html.Div(_groups(made, who), id="orders-groups"), className="wide"),
            list_,
            log,
            dcc.Store(id="orders-drawn", data=_print(found)),
            dcc.Store(id="orders-groups-drawn", data=_print(made)),
        ],
        className="page orders",
        **attrs(data_follows="commands", data_pause="1000"),
    )


def _filters(language: str) -> html.Div:
    states = [{"value": name, "label": text} for name, text in texts(language)["command_state"].items()]
    label, hint = say(language, "orders.state"), say(language, "orders.search")
    choice = dmc.Select(
        id="orders-state", data=states, placeholder=label, size="xs", clearable=True, w=190, **attrs(aria_label=label)
    )
    search = dmc.TextInput(
        id="orders-text", placeholder=hint, size="xs", value="", debounce=300, **attrs(aria_label=hint)
    )
    return html.Div([choice, search], className="queue-tools")


def _list(found: list[CommandRow], who: Actor) -> Any:
    if not found:
        return empty(say(who.language, "orders.nothing"))
    return html.Div([_line(row, who) for row in found], className="orders-lines")


def _line(row: CommandRow, who: Actor) -> html.Div:
    language = who.language
    place = dcc.Link(named(row, "object", language), href=f"/object/{row['object_id']}", className="quiet one-line")
    label = say(language, "orders.log")
    log = html.Button(label, id={"order-log": row["command_id"]}, n_clicks=0, className="small")
    return html.Div([html.Div([place, log], className="order-head"), command_state(row, who, desk().zone)])


# ---------------------------------------------------------------- groups


def _groups(made: list[GroupRow], who: Actor) -> Any:
    if not made:
        return empty(say(who.language, "orders.no_groups"))
    return html.Div([_group(row, who) for row in made], className="orders-groups")


def _group(row: GroupRow, who: Actor) -> html.Article:
    language = who.language
    args = ", ".join(number(language, v) if isinstance(v, float | int) else str(v) for v in row["args"].values())
    title = f"{named(row, 'title', language)} {args}".strip()
    if row["undoes"]:
        title = f"{say(language, 'card.roll_back')}: {title}"
    state = html.B(say(language, f"group_state.{row['state']}"), **attrs(data_group_state=row["state"]))
    said = [
        count(language, "device", row["devices"]),
        say(language, "orders.wave", wave=row["wave"], waves=row["waves"]),
        say(language, "orders.by", who=name_of(language, row["requested_by"])),
        date_time(language, row["requested"], desk().zone),
        *([word(language, "group_why", row["why"])] if row["why"] else []),
    ]
    return html.Article(
        [
            html.Header([html.B(title), state, html.Span(" · ".join(said), className="muted")]),
            _bar(row, language),
            html.Div(_counts(row, language), className="facts"),
            html.Div(_buttons(row, who), className="ways"),
        ],
        className="group",
    )


def _bar(row: GroupRow, language: str) -> html.Div:
    """Shares by state; the words beside it say the same."""
    parts = [
        html.I(style={"flexGrow": row["counts"][name]}, className=f"bar-{name}")
        for name in (*BAR, *sorted(set(row["counts"]) - set(BAR)))
        if row["counts"].get(name)
    ]
    label = say(language, "orders.progress", ended=row["ended"], devices=row["devices"])
    return html.Div(parts, className="bar", role="img", **attrs(aria_label=label))


def _counts(row: GroupRow, language: str) -> list[html.Span]:
    shown = [(name, row["counts"][name]) for name in texts(language)["command_state"] if row["counts"].get(name)]
    return [
        html.Span([f"{say(language, f'command_state.{name}')} ", html.B(integer(language, n))]) for name, n in shown
    ]


def _buttons(row: GroupRow, who: Actor) -> list[html.Button]:
    names = []
    if row["state"] == "requested" and row["requested_by"] != who.name and access.allowed(who, "command.approve"):
        names.append("approve")
    if row["finished"] is None and access.allowed(who, "command.cancel"):
        names.append("stop")
    if row["finished"] and row["wave"] and not row["undone"] and access.allowed(who, "command.request"):
        names.append("roll_back")
    return [
        html.Button(say(who.language, f"orders.{name}"), id={"group": f"{name}/{row['group_id']}"}, n_clicks=0)
        for name in names
    ]


@callback(
    Output("toast", "data", allow_duplicate=True),
    Output("dialog", "data", allow_duplicate=True),
    Input({"group": ALL}, "n_clicks"),
    prevent_initial_call=True,
)
async def _act(clicks: list[int | None]) -> Any:
    if not any(clicks) or not ctx.triggered_id:
        return no_update, no_update
    who, db = viewer(), desk().db
    name, _, group = ctx.triggered_id["group"].partition("/")
    if name == "roll_back":
        return no_update, {"name": "roll_back_group", "group_id": group, "at": uuid.uuid4().hex}
    try:
        row = await views.group(db, who, uuid.UUID(group))
        if name == "approve":
            await orders.approve(db, who, uuid.UUID(row["first_command"]))
        else:
            await groups.stop(db, who, uuid.UUID(group))
    except (*REFUSALS, *FAILURES) as error:
        return refused(error, who.language), no_update
    return toast(say(who.language, f"orders.done_{name}")), no_update


# ---------------------------------------------------------------- following


def _print(rows: Sequence[object]) -> str:
    """A fingerprint of what is drawn: the same rows are not sent and not drawn again."""
    return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()


@callback(
    Output("orders-list", "children"),
    Output("orders-drawn", "data"),
    Input("page-refresh", "data"),
    Input("orders-state", "value"),
    Input("orders-text", "value"),
    State("orders-drawn", "data"),
    prevent_initial_call=True,
)
async def _refresh(_: int | None, state: str | None, text: str | None, drawn: str) -> Any:
    who = viewer()
    try:
        found = await views.commands_list(desk().db, who, states=[state] if state else [], text=text or "")
    except (*REFUSALS, *FAILURES) as error:
        return empty(explain(error, who.language)), ""
    now = _print(found)
    return (no_update, no_update) if now == drawn else (_list(found, who), now)


@callback(
    Output("orders-groups", "children"),
    Output("orders-groups-drawn", "data"),
    Input("page-refresh", "data"),
    State("orders-groups-drawn", "data"),
    prevent_initial_call=True,
)
async def _refresh_groups(_: int | None, drawn: str) -> Any:
    who = viewer()
    try:
        made = await views.groups(desk().db, who)
    except (*REFUSALS, *FAILURES):
        return no_update, no_update
    now = _print(made)
    return (no_update, no_update) if now == drawn else (_groups(made, who), now)


@callback(
    Output("orders-log", "children"),
    Input({"order-log": ALL}, "n_clicks"),
    State("orders-state", "value"),
    prevent_initial_call=True,
)
async def _log(clicks: list[int | None], _: str | None) -> Any:
    if not any(clicks) or not ctx.triggered_id:
        return no_update
    who = viewer()
    try:
        rows = await views.steps(desk().db, who, uuid.UUID(ctx.triggered_id["order-log"]))
    except (*REFUSALS, *FAILURES) as error:
        return empty(explain(error, who.language))
    return html.Ul([_step(row, who.language) for row in rows], className="lines pad")


def _step(row: StepRow, language: str) -> html.Li:
    heard = row["actor"] == "receipt"
    what = say(language, f"receipt.{row['state']}" if heard else f"command_state.{row['state']}")
    by = say(language, "orders.heard") if heard else name_of(language, row["actor"])
    text: list[Any] = [what if heard else html.B(what), html.Small(f" — {by}", className="muted")]
    detail = word(language, "kept", row["detail"]) if heard else row["detail"]
    text += [html.Small(f" · {detail}", className="muted")] if detail else []
    return html.Li([html.Time(clock_time(row["at"], desk().zone), dateTime=row["at"].isoformat()), html.Span(text)])
