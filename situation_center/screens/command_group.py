"""The page of a new group command: whom, what, in which waves; a preview counts before anything is ordered."""

import uuid
from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Input, Output, State, callback, dcc, html, no_update

from citynet.access import Actor
from citynet.errors import BadInput
from situation_center import groups, views
from situation_center.desk import desk, viewer
from situation_center.groups import Choice, Preview, Waves
from situation_center.screens import register
from situation_center.screens.parts import confirm
from situation_center.screens.parts.actions import refused, toast
from situation_center.screens.parts.card import named
from situation_center.screens.parts.dialogs import argument_field
from situation_center.screens.parts.failures import FAILURES, REFUSALS, explain
from situation_center.screens.parts.marks import panel
from situation_center.targets import Target
from situation_center.views.rows import ArgumentRow
from situation_center.wording import count, say, word
from situation_center.zones import CLASSES

NAMED_MAX = 8


@register("command_group", path="/commands/group(?:/(?P<object_id>[0-9]{1,9}|chosen))?", action="command.request")
async def command_group(who: Actor, path: Mapping[str, str]) -> html.Div:
    """A form; an object in the address means what hangs on it or lies in it, `chosen` what was chosen on a page."""
    language, place, given = who.language, None, path.get("object_id")
    chosen = given == "chosen"
    if given and not chosen:
        place = await views.object_card(desk().db, who, int(given))
    zone = place["object_id"] if place and place["class_"] in CLASSES else None
    parent = place["object_id"] if place and zone is None else None
    about = f"{say(language, 'orders.of')}: {named(place, 'name', language)}" if place else say(language, "orders.whom")
    body = html.Div(
        [
            html.P("" if chosen else about, id="group-about"),
            html.Div(await _whom(who, zone, fixed=place is not None), className="form-row"),
            html.Div(id="group-args", className="form-row"),
            html.Div(_waves(language), className="form-row"),
            html.Div(id="group-preview", className="preview", role="status"),
            html.Footer(
                html.Button(
                    say(language, "orders.send"), id="group-send", n_clicks=0, className="primary", disabled=True
                )
            ),
        ],
        className="pad group-form",
    )
    link = dcc.Link(say(language, "orders.title"), href="/commands", className="button")
    head = html.Div([html.H1(say(language, "orders.new")), link], className="page-head")
    stores = [
        dcc.Store(id="group-key", data=uuid.uuid4().hex),
        dcc.Store(id="group-parent", data=parent),
        dcc.Store(id="group-chosen", data=chosen),
    ]
    return html.Div([head, panel(say(language, "orders.form"), body), *stores], className="page orders-new")


async def _whom(who: Actor, zone: int | None, *, fixed: bool) -> list[Any]:
    language = who.language
    zones = await views.zones(desk().db, who)
    areas = [{"value": str(z["object_id"]), "label": named(z, "name", language)} for z in zones]
    classes = [{"value": c, "label": word(language, "class", c)} for c in await views.classes_in_use(desk().db, who)]
    tag = say(language, "orders.tag")
    return [
        _select("group-zone", "orders.zone", areas, language=language, value=str(zone) if zone else None, off=fixed),
        _select("group-class", "registry.class", classes, language=language),
        dmc.TextInput(id="group-tag", label=tag, size="sm", value="", debounce=300),
        _select("group-action", "orders.action", [], language=language),
    ]


def _select(
    id_: str, label: str, data: list[Any], *, language: str, value: str | None = None, off: bool = False
) -> dmc.Select:
    text = say(language, label)
    return dmc.Select(
        id=id_, label=text, data=data, value=value, disabled=off, clearable=True, searchable=True, size="sm", w=220
    )


def _waves(language: str) -> list[Any]:
    usual = Waves()
    fields = (("size", usual.size, groups.WAVE_MAX), ("pause_s", usual.pause_s, 3600))
    inputs = [
        dmc.NumberInput(id=f"group-{name}", label=say(language, f"orders.{name}"), value=value, min=0, max=most, w=180)
        for name, value, most in fields
    ]
    share = dmc.NumberInput(
        id="group-share", label=say(language, "orders.stop_share"), value=usual.stop_share * 100, min=0, max=100, w=290
    )
    return [*inputs, share]


Chosen = dict[str, Any] | None


def _choice(
    zone: str | None, class_: str | None, tag: str | None, *, parent: int | None, use: bool, chosen: Chosen
) -> Choice:
    objects = tuple(int(i) for i in (chosen or {}).get("objects", [])) if use else ()
    if use and not objects:
        return Choice()
    return Choice(
        objects=objects,
        parent=parent,
        zone=int(zone) if zone else None,
        class_=class_ or None,
        tag=(tag or "").strip() or None,
    )


WHOM = (
    Input("group-zone", "value"), Input("group-class", "value"), Input("group-tag", "value"),
    Input("group-parent", "data"), Input("group-chosen", "data"),
)  # fmt: skip


@callback(
    Output("group-action", "data"), Output("group-about", "children"), *WHOM,
    State("chosen", "data"), State("group-about", "children"),
)  # fmt: skip
async def _actions(zone: str | None, class_: str | None, tag: str | None, *more: Any) -> Any:
    """What can be told to those who are chosen."""
    who, (parent, use, chosen, about) = viewer(), more
    if use:
        n = len((chosen or {}).get("objects", []))
        about = say(who.language, "orders.chosen", objects=count(who.language, "object", n)) if n else _none(who)
    choice = _choice(zone, class_, tag, parent=parent, use=use, chosen=chosen)
    if choice == Choice():
        return [], about
    try:
        specs = {s.name: s for t in await groups.actions(desk().db, who, choice) for s in t.profile.command}
    except (*REFUSALS, *FAILURES) as error:
        return [], explain(error, who.language)
    options = [
        {"value": name, "label": named(spec.model_dump(), "title", who.language)} for name, spec in specs.items()
    ]
    return options, about if options else [about, html.Br(), say(who.language, "orders.no_actions")]


def _none(who: Actor) -> str:
    return say(who.language, "orders.nothing_chosen")


@callback(
    Output("group-args", "children"), Output("group-preview", "children"), Output("group-send", "disabled"), *WHOM,
    Input("group-action", "value"), State("chosen", "data"),
)  # fmt: skip
async def _preview(zone: str | None, class_: str | None, tag: str | None, *more: Any) -> Any:
    who, (parent, use, action, chosen) = viewer(), more
    if not action:
        return [], say(who.language, "orders.count_first"), True
    try:
        choice = _choice(zone, class_, tag, parent=parent, use=use, chosen=chosen)
        found = await groups.preview(desk().db, who, choice, action=action)
    except (*REFUSALS, *FAILURES) as error:
        return [], explain(error, who.language), True
    fields = [argument_field(a, who.language) for a in _arguments(found.able, action)]
    return fields, _said(found, who, action), not found.able


def _arguments(able: list[Target], action: str) -> list[ArgumentRow]:
    spec = able[0].spec(action) if able else None
    return [ArgumentRow(**a.model_dump()) for a in spec.arg] if spec else []  # type: ignore[typeddict-item]


def _said(found: Preview, who: Actor, action: str) -> list[Any]:
    """How many, who of them is silent now, who is left out, and what has to be typed."""
    language = who.language
    lines: list[Any] = [html.B(count(language, "device", len(found.able)))]
    if found.silent:
        names = [named(t.row, "name", language) for t in found.silent[:NAMED_MAX]]
        more = "…" if len(found.silent) > NAMED_MAX else ""
        lines.append(say(language, "orders.silent", n=len(found.silent), names=", ".join(names) + more))
    if found.unable or found.forbidden:
        lines.append(say(language, "orders.left_out", unable=found.unable, forbidden=found.forbidden))
    dangerous = found.dangerous(action)
    asked = confirm.asks(who, dangerous=dangerous)
    if dangerous and not asked:
        lines.append(say(language, "orders.second_person"))
    shown: list[Any] = [html.P([part for line in lines for part in (line, html.Br())][:-1])]
    if asked:
        typed = [html.P(say(language, "orders.dangerous")), confirm.field(language, len(found.able))]
        shown.append(html.Div(typed, className="confirm"))
    return shown


@callback(
    Output("toast", "data", allow_duplicate=True), Output("url", "pathname", allow_duplicate=True),
    Input("group-send", "n_clicks"),
    *[State(each.component_id, each.component_property) for each in WHOM],
    State("group-action", "value"), State("group-size", "value"), State("group-pause_s", "value"),
    State("group-share", "value"), State({"field": ALL}, "value"), State({"field": ALL}, "id"),
    State("group-key", "data"), State("chosen", "data"), prevent_initial_call=True,
)  # fmt: skip
async def _send(clicks: int | None, zone: str | None, class_: str | None, *more: Any) -> Any:
    if not clicks:
        return no_update, no_update
    who, db = viewer(), desk().db
    tag, parent, use, action, size, pause_s, share, values, ids, key, chosen = more
    try:
        if not action:
            raise BadInput("argument", "action")
        args = {name["field"]: value for name, value in zip(ids, values, strict=True)}
        typed = args.pop("confirm", None)
        waves = Waves(int(size or 0), int(pause_s or 0), float(share or 0) / 100)
        choice = _choice(zone, class_, tag, parent=parent, use=use, chosen=chosen)
        found = await groups.preview(db, who, choice, action=action)
        confirm.check(who, typed, dangerous=found.dangerous(action), devices=len(found.able))
        group = await groups.order(
            db, who, choice, action=action, args=args, waves=waves, idempotency_key=key, confirmed=True
        )
        waits = (await views.group(db, who, group))["state"] == "requested"
    except (*REFUSALS, *FAILURES) as error:
        return refused(error, who.language), no_update
    return toast(say(who.language, "orders.waits" if waits else "orders.ordered")), "/commands"
