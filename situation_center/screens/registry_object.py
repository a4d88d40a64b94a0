"""One object of the registry: its fields, the life cycle of its device, the swap of its meter, and all that it was."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dash import ALL, Input, Output, State, callback, ctx, dcc, html, no_update

from citynet import access
from citynet.access import Actor
from citynet.classes import ObjectClass
from citynet.db import Row
from situation_center.desk import desk, viewer
from situation_center.reference import devices, history, kinds, writing
from situation_center.reference.swap import Swap
from situation_center.registry_versions import SINCE, TRANSITIONS
from situation_center.screens import register
from situation_center.screens.parts import actions
from situation_center.screens.parts.card import named
from situation_center.screens.parts.edit_form import edit_form, save_edit
from situation_center.screens.parts.export_form import opener
from situation_center.screens.parts.failures import FAILURES, REFUSALS
from situation_center.screens.parts.marks import panel, passport
from situation_center.screens.parts.masters import masters_of as registry_masters
from situation_center.screens.parts.swap_form import swap_form, swap_now
from situation_center.wording import name_of, number, say, unit, word


@register("registry_object", path="/registry/object/(?P<object_id>[0-9]{1,9})", action="registry.read")
async def registry_object(who: Actor, said: Mapping[str, str]) -> html.Div:
    """Left the fields, right device and history."""
    ref, language = said["object_id"], who.language
    now = await history.as_of(desk().db, who, ref)
    ways: list[Any] = [dcc.Link(say(language, "registry.title"), href="/registry", className="button")]
    if now["class_"] != "device":
        ways.insert(0, dcc.Link(say(language, "registry.values"), href=f"/object/{ref}", className="button"))
        ways.append(opener(language, int(ref)))
    head = html.Div([html.H1(named(now, "name", language)), html.Div(ways, className="ways")], className="page-head")
    body = html.Div(await _body(who, now), id="thing-body", className="page two-columns")
    return html.Div([head, body, dcc.Store(id="thing-id", data=ref)], className="page registry")


async def _body(who: Actor, now: Row) -> list[Any]:
    past = await history.history(desk().db, who, str(now["object_id"]))
    may = access.allowed(who, "registry.write")
    kind = next((k for k in await kinds.listed(desk().db, who) if k.name == now["class_"]), None)
    left = [_passport(now, kind, who.language), *([edit_form(now, kind, who.language)] if may else [])]
    device = await _device(who, now) if may else []
    return [html.Div(left, className="column"), html.Div([*device, *_past(past, who.language)], className="column")]


def _attribute(kind: ObjectClass | None, name: str, value: Any, *, now: Row, language: str) -> tuple[str, Any]:
    """Title with unit, and the value; a link can be followed, and the system that wrote it stands behind."""
    found = kind.find(name) if kind else None
    title = (found.title_ru if language == "ru" else found.title_en) if found else name
    text = writing.write_attribute(value, None)
    shown: Any = f"{text} {unit(language, found.unit)}" if found and found.unit else text
    if found and found.type == "link":
        shown = html.A(text, href=text, target="_blank", rel="noopener noreferrer")
    wrote = (now.get("origin") or {}).get(name)
    return title, [shown, html.Small(f" · {wrote}", className="muted")] if wrote else shown


def _passport(now: Row, kind: ObjectClass | None, language: str) -> html.Section:
    rows = [
        ("key", now["key"]),
        ("class", word(language, "class", now["class_"])),
        ("life_cycle", say(language, f"life_cycle.{now['life_cycle']}")),
        ("device", now["device"]),
        ("org", now["org"]),
        ("parent", now["parent"]),
        ("since", _when(now["valid_from"], language)),
        ("actor", name_of(language, now["actor"])),
        *((None, _attribute(kind, n, v, now=now, language=language)) for n, v in sorted(now["attributes"].items())),
        ("masters", registry_masters(kind, language)),
    ]
    shown = [(say(language, f"registry.{n}"), v) if n else v for n, v in rows]
    return panel(
        say(language, "object.passport"), html.Div(passport([p for p in shown if p and p[1]]), className="pad")
    )


def _when(moment: datetime, language: str) -> str:
    """With the year; what nobody has dated was so always."""
    if moment <= SINCE:
        return say(language, "registry.always")
    return f"{moment.astimezone(desk().zone):{'%d.%m.%Y %H:%M' if language == 'ru' else '%Y-%m-%d %H:%M'}}"


async def _device(who: Actor, now: Row) -> list[html.Section]:
    """Buttons of the life cycle, and the form of a swap where a device is on the object."""
    language, db = who.language, desk().db
    state = now["life_cycle"]
    if now["device"]:
        state = (await history.as_of(db, who, f"device/{now['device']}"))["life_cycle"]
    steps = [s for s in sorted(TRANSITIONS[state]) if s != "swapped"]
    buttons = [html.Button(say(language, f"life_cycle.{s}"), id={"life": s}, n_clicks=0) for s in steps]
    line = html.P([say(language, "registry.life_cycle"), ": ", html.B(say(language, f"life_cycle.{state}"))])
    found = [
        panel(
            say(language, "registry.life_title"), html.Div([line, html.Div(buttons, className="ways")], className="pad")
        )
    ]
    if now["device"] and now["class_"] != "device":
        found.append(swap_form(await history.registers(db, who, str(now["object_id"])), language))
    return found


def _past(past: Mapping[str, list[Row]], language: str) -> list[html.Section]:
    found = []
    if past["swaps"]:
        found.append(
            panel(
                say(language, "registry.swaps"),
                html.Ul([_swapped(s, language) for s in past["swaps"]], className="lines pad"),
            )
        )
    names = ("from", "until", "life_cycle", "name", "place", "recorded", "actor", "note")
    head = html.Tr([html.Th(say(language, f"registry.{n}"), scope="col") for n in names])
    lines = [
        html.Tr(
            [
                html.Td(_when(v["valid_from"], language)),
                html.Td(_when(v["valid_to"], language) if v["valid_to"] else "…"),
                html.Td(say(language, f"life_cycle.{v['life_cycle']}")),
                html.Td(named(v, "name", language)),
                html.Td(f"{v['lat']:.5f}, {v['lon']:.5f}" if v["lat"] is not None else "—"),
                html.Td(_when(v["recorded_from"], language)),
                html.Td(name_of(language, v["actor"])),
                html.Td(v["note"]),
            ],
            className="muted" if v["recorded_to"] else "",
        )
        for v in past["versions"]
    ]
    table = html.Div(
        html.Table([html.Thead(head), html.Tbody(lines)], className="plain"), className="scroll", tabIndex=0
    )
    return [*found, panel(say(language, "registry.history"), table)]


def _swapped(row: Row, language: str) -> html.Li:
    values = "; ".join(
        f"{number(language, r['final'])} → {number(language, r['initial'])} {r['unit']}" for r in row["registers"]
    )
    when = _when(row["at"], language)
    return html.Li(
        [html.Time(when), html.Span([html.B(f"{row['old']} → {row['new']} "), html.Small(values or row["note"])])]
    )


async def _after(who: Actor, ref: str, done: Any) -> Any:
    """Do it, then show the object as it is now."""
    try:
        await done
        now = await history.as_of(desk().db, who, ref)
        return actions.toast(say(who.language, "done.saved")), await _body(who, now)
    except (*REFUSALS, *FAILURES) as error:
        return actions.refused(error, who.language), no_update


@callback(
    Output("toast", "data", allow_duplicate=True),
    Output("thing-body", "children"),
    Input("thing-save", "n_clicks"),
    State({"thing": ALL}, "value"),
    State({"thing": ALL}, "id"),
    State("thing-id", "data"),
    State("thing-seen", "data"),
    prevent_initial_call=True,
)
async def _save(clicks: int | None, values: list[str], ids: list[dict[str, str]], *shown: str) -> Any:
    if not clicks:
        return no_update, no_update
    who, (ref, seen) = viewer(), shown
    given = {i["thing"]: (v or "").strip() for i, v in zip(ids, values, strict=True)}
    return await _after(who, ref, save_edit(who, ref, given, seen=seen))


@callback(
    Output("toast", "data", allow_duplicate=True),
    Output("thing-body", "children", allow_duplicate=True),
    Input({"life": ALL}, "n_clicks"),
    State("thing-id", "data"),
    prevent_initial_call=True,
)
async def _step(clicks: list[int | None], ref: str) -> Any:
    if not any(clicks) or not ctx.triggered_id:
        return no_update, no_update
    who = viewer()
    return await _after(who, ref, devices.set_life_cycle(desk().db, who, ref, state=ctx.triggered_id["life"]))


@callback(
    Output("toast", "data", allow_duplicate=True),
    Output("thing-body", "children", allow_duplicate=True),
    Input("swap-go", "n_clicks"),
    State("swap-eui", "value"),
    State("swap-note", "value"),
    State({"swap": ALL}, "value"),
    State({"swap": ALL}, "id"),
    State("thing-id", "data"),
    prevent_initial_call=True,
)
async def _exchange(clicks: int | None, eui: str, note: str, values: list[str], ids: list[Any], ref: str) -> Any:
    if not clicks:
        return no_update, no_update
    who = viewer()
    given = {i["swap"]: (v or "").strip() for i, v in zip(ids, values, strict=True)}
    return await _after(
        who, ref, swap_now(who, ref, Swap((eui or "").strip(), registers=[], note=note or ""), given=given)
    )
