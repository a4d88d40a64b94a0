"""The registry page: every object and device, searched and filtered, page by page; the way to import and export."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import dash_mantine_components as dmc
from dash import Input, Output, State, callback, ctx, dcc, html, no_update

from citynet import access
from citynet.access import Actor
from citynet.catalog import catalog
from situation_center import views
from situation_center.desk import desk, viewer
from situation_center.registry_versions import LIFE_CYCLES
from situation_center.screens import register
from situation_center.screens.parts.browser import attrs
from situation_center.screens.parts.card import named
from situation_center.screens.parts.failures import FAILURES, REFUSALS, explain
from situation_center.screens.parts.marks import empty
from situation_center.views.registry import Filter
from situation_center.views.rows import RegistryPage, RegistryRow
from situation_center.wording import say, word

COLUMNS = ("name", "class", "device", "profile", "life_cycle", "service", "parent", "tags")
FILTERS = ("class", "service", "life_cycle", "profile")


@register("registry", path="/registry", action="registry.read")
async def registry(who: Actor, _: Mapping[str, str]) -> html.Div:
    """Search and filters above, the list below."""
    language = who.language
    found = await views.registry_page(desk().db, who, Filter())
    head = html.Div([html.H1(say(language, "registry.title")), _ways(who)], className="page-head")
    tools = html.Div(await _filters(who), className="registry-tools")
    body = html.Div(_list(found, language), id="registry-list")
    turn = html.Div(
        [
            html.Button(say(language, "registry.first"), id="registry-first", n_clicks=0, disabled=True),
            html.Button(say(language, "registry.next"), id="registry-next", n_clicks=0, disabled=not found["next"]),
        ],
        className="turn",
    )
    section = html.Section([html.Header(tools), body, turn], className="panel")
    return html.Div([head, section, dcc.Store(id="registry-after", data=found["next"])], className="page registry")


def _ways(who: Actor) -> html.Div:
    """Where to go from here."""
    language = who.language
    ways: list[Any] = [html.A(say(language, "registry.export_csv"), href="/api/v1/registry/export", className="button")]
    ways.append(
        html.A(say(language, "registry.export_xlsx"), href="/api/v1/registry/export?format=xlsx", className="button")
    )
    ways.append(
        html.A(
            say(language, "registry.labels"), id="registry-labels", href="/api/v1/registry/labels", className="button"
        )
    )
    ways.append(dcc.Link(say(language, "registry.profiles"), href="/registry/profiles", className="button"))
    ways.append(dcc.Link(say(language, "codecs.title"), href="/codecs", className="button"))
    if access.allowed(who, "quarantine.read"):
        ways.append(dcc.Link(say(language, "registry.unknown"), href="/registry/unknown", className="button"))
    if access.allowed(who, "registry.write"):
        ways.append(dcc.Link(say(language, "registry.import"), href="/registry/import", className="button"))
    return html.Div(ways, className="ways")


async def _filters(who: Actor) -> list[Any]:
    language, db = who.language, desk().db
    hint = say(language, "registry.search")
    services = [s for s in catalog().services.values() if access.allowed(who, "registry.read", {"service": s.name})]
    choices = {
        "class": [(c, word(language, "class", c)) for c in await views.classes_in_use(db, who)],
        "service": [(s.name, named(s.model_dump(), "title", language)) for s in services],
        "life_cycle": [(c, say(language, f"life_cycle.{c}")) for c in LIFE_CYCLES],
        "profile": [(p, p) for p in await views.profile_names(db, who)],
    }
    search = dmc.TextInput(
        id="registry-text", placeholder=hint, size="sm", value="", debounce=300, **attrs(aria_label=hint)
    )
    return [search, *(_choice(name, sorted(choices[name], key=lambda c: c[1]), language) for name in FILTERS)]


def _choice(name: str, options: list[tuple[str, str]], language: str) -> Any:
    label = say(language, f"registry.{name}")
    data = [{"value": value, "label": title} for value, title in options]
    return dmc.Select(
        id=f"registry-{name}", data=data, placeholder=label, size="sm", clearable=True, searchable=True, w=170,
        **attrs(aria_label=label),
    )  # fmt: skip


def _list(found: RegistryPage, language: str) -> Any:
    if not found["rows"]:
        return empty(say(language, "registry.nothing"))
    head = html.Tr([html.Th(say(language, f"registry.{c}"), scope="col") for c in COLUMNS])
    lines = [_line(row, language) for row in found["rows"]]
    return html.Div(html.Table([html.Thead(head), html.Tbody(lines)], className="plain"), className="scroll")


def _line(row: RegistryRow, language: str) -> html.Tr:
    service = catalog().services.get(row["service"] or "")
    name: list[Any] = [html.B(named(row, "name", language)), html.Small([html.Br(), row["key"]], className="muted")]
    name = [dcc.Link(name, href=f"/registry/object/{row['object_id']}", className="quiet")]
    return html.Tr(
        [
            html.Td(name),
            html.Td(word(language, "class", row["class_"])),
            html.Td(row["external_id"] or "—", className="code one-line"),
            html.Td(row["profile"] or "—"),
            html.Td(say(language, f"life_cycle.{row['life_cycle']}"), className=f"life life-{row['life_cycle']}"),
            html.Td(named(service.model_dump(), "title", language) if service else "—"),
            html.Td(named(row, "parent", language) or "—"),
            html.Td(", ".join(row["tags"])),
        ]
    )


@callback(
    Output("registry-list", "children"),
    Output("registry-after", "data"),
    Output("registry-next", "disabled"),
    Output("registry-first", "disabled"),
    Output("registry-labels", "href"),
    Input("registry-text", "value"),
    *[Input(f"registry-{name}", "value") for name in FILTERS],
    Input("registry-first", "n_clicks"),
    Input("registry-next", "n_clicks"),
    State("registry-after", "data"),
    prevent_initial_call=True,
)
async def _turn(text: str | None, *more: Any) -> Any:
    *chosen, _, _, after = more
    who = viewer()
    start = after if ctx.triggered_id == "registry-next" and after else ""
    wanted = Filter(text or "", **dict(zip(("cls", "service", "life_cycle", "profile"), chosen, strict=True)))
    try:
        found = await views.registry_page(desk().db, who, wanted, after=start)
    except (*REFUSALS, *FAILURES) as error:
        return empty(explain(error, who.language)), None, True, True, no_update
    given = {"text": text, "class": wanted.cls, "service": wanted.service, "life_cycle": wanted.life_cycle}
    given |= {"profile": wanted.profile, "after": start}
    labels = f"/api/v1/registry/labels?{urlencode({k: v for k, v in given.items() if v})}"
    return _list(found, who.language), found["next"], not found["next"], not start, labels
