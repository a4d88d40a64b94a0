"""Classes of objects: their attributes with types, and which system has the last word on each; the editor of one."""

from collections.abc import Mapping
from typing import Any, get_args

import dash_mantine_components as dmc
from dash import ALL, Input, Output, State, callback, ctx, dcc, html, no_update

from citynet import access
from citynet.access import Actor
from citynet.classes import Attribute, Kind, ObjectClass
from citynet.errors import NotFound
from situation_center.desk import desk, viewer
from situation_center.reference import kinds
from situation_center.reference.cells import words
from situation_center.screens import register
from situation_center.screens.parts import actions
from situation_center.screens.parts.failures import FAILURES, REFUSALS
from situation_center.screens.parts.marks import panel
from situation_center.screens.parts.masters import masters
from situation_center.wording import integer, say

FIELDS = ("name", "type", "title_ru", "title_en", "unit", "values", "order")
TYPES = get_args(Kind)
ATTRIBUTES_MAX = 60


@register("registry_classes", path="/registry/classes", action="registry.read")
async def registry_classes(who: Actor, _: Mapping[str, str]) -> html.Div:
    """All classes, with the systems that write them, the master first."""
    language = who.language
    names = ("class", "name", "attributes", "order", "links")
    head = html.Tr([html.Th(say(language, f"classes.{n}"), scope="col") for n in names])
    lines = [_line(one, language) for one in await kinds.listed(desk().db, who)]
    ways: list[Any] = [dcc.Link(say(language, "registry.title"), href="/registry", className="button")]
    if access.allowed(who, "registry.write"):
        ways.append(dcc.Link(say(language, "classes.new"), href="/registry/class", className="button"))
    table = html.Div(
        html.Table([html.Thead(head), html.Tbody(lines)], className="plain"), className="scroll", tabIndex=0
    )
    title = html.Div([html.H1(say(language, "classes.title")), html.Div(ways, className="ways")], className="page-head")
    note = html.P(say(language, "classes.help"), className="pad muted")
    return html.Div([title, panel(say(language, "classes.title"), [note, table])], className="page registry")


def _title(one: ObjectClass | Attribute, language: str) -> str:
    return one.title_ru if language == "ru" else one.title_en


def _line(one: ObjectClass, language: str) -> html.Tr:
    own = [f"{_title(a, language)}: {masters(a.order, language)}" for a in one.attribute if a.order]
    return html.Tr(
        [
            html.Td(dcc.Link(_title(one, language), href=f"/registry/class/{one.name}")),
            html.Td(one.name, className="code"),
            html.Td(integer(language, len(one.attribute)), className="num"),
            html.Td(masters(one.order, language)),
            html.Td("; ".join(own)),
        ]
    )


@register("registry_class", path="/registry/class(?:/(?P<name>[a-z][a-z0-9_]{0,62}))?", action="registry.read")
async def registry_class(who: Actor, said: Mapping[str, str]) -> html.Div:
    """The fields of a class and one row an attribute."""
    language, name = who.language, said.get("name") or ""
    found = {one.name: one for one in await kinds.listed(desk().db, who)}
    if name and name not in found:
        raise NotFound(f"no class {name}")
    one = found.get(name) or ObjectClass(name="", title_ru="", title_en="")
    may = access.allowed(who, "registry.write")
    top = [
        _text("class-name", "classes.name", one.name, language=language, off=bool(name)),
        _text("class-ru", "classes.title_ru", one.title_ru, language=language),
        _text("class-en", "classes.title_en", one.title_en, language=language),
        _text("class-order", "classes.order", ", ".join(one.order), language=language),
        dmc.Checkbox(id="class-open", label=say(language, "classes.open"), checked=one.open, size="sm"),
    ]
    rows = html.Div(_rows([_cells(a) for a in one.attribute], language), id="class-rows")
    buttons = [
        html.Button(say(language, "classes.add"), id="class-add", n_clicks=0),
        html.Button(say(language, "registry.save"), id="class-save", n_clicks=0, className="primary"),
    ]
    back = dcc.Link(say(language, "classes.title"), href="/registry/classes", className="button")
    head = html.Div([html.H1(_title(one, language) or say(language, "classes.new")), back], className="page-head")
    foot = [html.Div(buttons, className="ways pad")] if may else []
    note = html.P(say(language, "classes.order_help"), className="muted")
    about = panel(say(language, "classes.class"), html.Div([html.Div(top, className="fields"), note], className="pad"))
    return html.Div([head, about, panel(say(language, "classes.attributes"), [rows, *foot])], className="page registry")


def _text(id_: Any, label: str, value: str, *, language: str, off: bool = False) -> Any:
    return dmc.TextInput(id=id_, label=say(language, label), value=value, size="sm", disabled=off)


def _cells(one: Attribute) -> dict[str, Any]:
    lists = {"values": ", ".join(one.values), "order": ", ".join(one.order)}
    return one.model_dump(include={"name", "type", "title_ru", "title_en", "unit", "required"}) | lists


def _rows(given: list[dict[str, Any]], language: str) -> Any:
    """A table of inputs; its order is that of the attributes."""
    names = (*FIELDS, "required")
    head = html.Tr([*(html.Th(say(language, f"classes.{n}"), scope="col") for n in names), html.Td()])
    body = [
        html.Tr([*(html.Td(_cell(i, n, row, language=language)) for n in names), html.Td(_drop(i, language))])
        for i, row in enumerate(given)
    ]
    return html.Div(
        html.Table([html.Thead(head), html.Tbody(body)], className="plain inputs"), className="scroll", tabIndex=0
    )


def _cell(i: int, name: str, row: Mapping[str, Any], *, language: str) -> Any:
    id_ = {"attribute": i, "cell": name}
    label = {"aria-label": say(language, f"classes.{name}")}
    if name == "required":
        return dmc.Checkbox(id=id_, checked=bool(row.get(name)), size="sm", **label)
    if name == "type":
        data = [{"value": t, "label": say(language, f"classes.type_{t}")} for t in TYPES]
        return dmc.Select(id=id_, data=data, value=row.get(name) or "text", size="xs", w=130, **label)
    return dmc.TextInput(id=id_, value=row.get(name) or "", size="xs", miw=110, **label)


def _drop(i: int, language: str) -> html.Button:
    return html.Button(
        "×", id={"attribute_drop": i}, n_clicks=0, className="small", title=say(language, "classes.drop")
    )


CELLS = (
    State({"attribute": ALL, "cell": ALL}, "value"),
    State({"attribute": ALL, "cell": "required"}, "checked"),
    State({"attribute": ALL, "cell": ALL}, "id"),
)


def _given(values: list[Any], required: list[bool], ids: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of inputs as they stand."""
    rows: dict[int, dict[str, Any]] = {}
    for id_, value in zip(ids, values, strict=True):
        if id_["cell"] != "required":
            rows.setdefault(id_["attribute"], {})[id_["cell"]] = value
    found = [rows[i] for i in sorted(rows)]
    for row, needed in zip(found, required, strict=True):
        row["required"] = bool(needed)
    return found


@callback(
    Output("class-rows", "children"),
    Input("class-add", "n_clicks"),
    Input({"attribute_drop": ALL}, "n_clicks"),
    *CELLS,
    prevent_initial_call=True,
)
async def _change(add: int | None, drop: list[int | None], *cells: Any) -> Any:
    """One row more or less; what was typed stays."""
    rows = _given(*cells)
    if ctx.triggered_id == "class-add":
        if not add or len(rows) >= ATTRIBUTES_MAX:
            return no_update
        rows.append({})
    elif any(drop) and ctx.triggered_id:
        del rows[ctx.triggered_id["attribute_drop"]]
    else:
        return no_update
    return _rows(rows, viewer().language)


@callback(
    Output("toast", "data", allow_duplicate=True),
    Output("url", "pathname", allow_duplicate=True),
    Input("class-save", "n_clicks"),
    *[State(f"class-{name}", "value") for name in ("name", "ru", "en", "order")],
    State("class-open", "checked"),
    *CELLS,
    prevent_initial_call=True,
)
async def _save(clicks: int | None, name: str, ru: str, *more: Any) -> Any:
    if not clicks:
        return no_update, no_update
    who, (en, order, open_, *cells) = viewer(), more
    attributes = [
        row | {n: words(row[n] or "") for n in ("values", "order")} | {"name": (row["name"] or "").strip()}
        for row in _given(*cells)
    ]
    body = {"title_ru": ru.strip(), "title_en": en.strip(), "open": bool(open_), "order": words(order or "")}
    try:
        version = await kinds.save(desk().db, who, name.strip(), body=body | {"attribute": attributes})
    except (*REFUSALS, *FAILURES) as error:
        return actions.refused(error, who.language), no_update
    return actions.toast(say(who.language, "codecs.saved", version=version)), f"/registry/class/{name.strip()}"
