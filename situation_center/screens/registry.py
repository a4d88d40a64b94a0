"""The registry page: every object and device, searched and filtered, page by page; the way to import and export."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import dash_mantine_components as dmc
from dash import ALL, Input, Output, State, callback, ctx, dcc, html, no_update

from citynet import access
from citynet.access import Actor
from citynet.catalog import catalog
from situation_center import views
from situation_center.desk import desk, viewer
from situation_center.groups import DEVICES_MAX
from situation_center.registry_versions import LIFE_CYCLES
from situation_center.screens import register
from situation_center.screens.parts import actions
from situation_center.screens.parts.browser import attrs
from situation_center.screens.parts.card import named
from situation_center.screens.parts.export_form import opener
from situation_center.screens.parts.failures import FAILURES, REFUSALS, explain
from situation_center.screens.parts.marks import empty
from situation_center.views.registry import Filter
from situation_center.views.rows import RegistryPage, RegistryRow
from situation_center.wording import integer, say, word

COLUMNS = ("name", "class", "device", "profile", "life_cycle", "service", "parent", "tags")
FILTERS = ("class", "service", "life_cycle", "profile")


@register("registry", path="/registry", action="registry.read")
async def registry(who: Actor, _: Mapping[str, str]) -> html.Div:
    """Search and filters above, the list below."""
    language = who.language
    found = await views.registry_page(desk().db, who, Filter())
    head = html.Div([html.H1(say(language, "registry.title")), _ways(who)], className="page-head")
    tools = html.Div(await _filters(who), className="registry-tools")
    body = html.Div(_list(found, language, _picks(who, None)), id="registry-list")
    turn = html.Div(
        [
            html.Button(say(language, "registry.first"), id="registry-first", n_clicks=0, disabled=True),
            html.Button(say(language, "registry.next"), id="registry-next", n_clicks=0, disabled=not found["next"]),
        ],
        className="turn",
    )
    turn = html.Div([html.Div(_choosing(who), className="ways"), turn], className="list-foot")
    section = html.Section([html.Header(tools), body, turn], className="panel")
    return html.Div([head, section, dcc.Store(id="registry-after", data=found["next"])], className="page registry")


def _choosing(who: Actor) -> list[Any]:
    """What can be done with the rows that are chosen."""
    language = who.language
    if not access.allowed(who, "command.request"):
        return []
    return [
        html.Button(say(language, "registry.pick_found"), id="pick-found", n_clicks=0),
        html.Button(say(language, "registry.pick_none"), id="pick-none", n_clicks=0),
        html.Span(id="pick-count", role="status", className="muted"),
        dcc.Link(
            say(language, "registry.pick_command"), id="pick-go", href="/commands/group/chosen", className="button"
        ),
    ]


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
    for name in ("addresses", "merges", "classes"):
        ways.append(dcc.Link(say(language, f"{name}.title"), href=f"/registry/{name}", className="button"))
    if access.allowed(who, "quarantine.read"):
        ways.append(dcc.Link(say(language, "registry.unknown"), href="/registry/unknown", className="button"))
    if access.allowed(who, "registry.write"):
        ways.append(dcc.Link(say(language, "registry.import"), href="/registry/import", className="button"))
    if access.allowed(who, "reading.read"):
        ways.append(opener(language, label="export.open_city"))
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


def _list(found: RegistryPage, language: str, picks: set[int] | None) -> Any:
    if not found["rows"]:
        return empty(say(language, "registry.nothing"))
    names = [html.Th(say(language, f"registry.{c}"), scope="col") for c in COLUMNS]
    head = html.Tr([*([html.Td()] if picks is not None else []), *names])
    lines = [_line(row, language, picks) for row in found["rows"]]
    return html.Div(html.Table([html.Thead(head), html.Tbody(lines)], className="plain"), className="scroll")


def _line(row: RegistryRow, language: str, picks: set[int] | None) -> html.Tr:
    service = catalog().services.get(row["service"] or "")
    name: list[Any] = [html.B(named(row, "name", language)), html.Small([html.Br(), row["key"]], className="muted")]
    name = [dcc.Link(name, href=f"/registry/object/{row['object_id']}", className="quiet")]
    pick = [html.Td(_pick(row, language, picks))] if picks is not None else []
    return html.Tr(
        [
            *pick,
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


def _pick(row: RegistryRow, language: str, picks: set[int]) -> Any:
    """The box that takes a row into a group command; what has no device has none."""
    if not row["device_id"] or row["class_"] == "device":
        return None
    label = say(language, "registry.pick", name=named(row, "name", language))
    return dmc.Checkbox(
        id={"pick": row["object_id"]}, checked=row["object_id"] in picks, size="sm", **attrs(aria_label=label)
    )


def _filter(text: str | None, chosen: Sequence[Any]) -> Filter:
    return Filter(text or "", **dict(zip(("cls", "service", "life_cycle", "profile"), chosen, strict=True)))


def _picks(who: Actor, chosen: dict[str, Any] | None) -> set[int] | None:
    """What is chosen already; None where the viewer may order nothing."""
    return set((chosen or {}).get("objects", [])) if access.allowed(who, "command.request") else None


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
    State("chosen", "data"),
    prevent_initial_call=True,
)
async def _turn(text: str | None, *more: Any) -> Any:
    *chosen, _, _, after, picked = more
    who = viewer()
    start = after if ctx.triggered_id == "registry-next" and after else ""
    wanted = _filter(text, chosen)
    try:
        found = await views.registry_page(desk().db, who, wanted, after=start)
    except (*REFUSALS, *FAILURES) as error:
        return empty(explain(error, who.language)), None, True, True, no_update
    given = {"text": text, "class": wanted.cls, "service": wanted.service, "life_cycle": wanted.life_cycle}
    given |= {"profile": wanted.profile, "after": start}
    labels = f"/api/v1/registry/labels?{urlencode({k: v for k, v in given.items() if v})}"
    return _list(found, who.language, _picks(who, picked)), found["next"], not found["next"], not start, labels


@callback(
    Output("chosen", "data", allow_duplicate=True),
    Input({"pick": ALL}, "checked"),
    State({"pick": ALL}, "id"),
    State("chosen", "data"),
    prevent_initial_call=True,
)
async def _chose(checked: list[bool], ids: list[dict[str, int]], chosen: dict[str, Any] | None) -> Any:
    """Rows of this page join or leave; those of other pages stay."""
    before = list((chosen or {}).get("objects", []))
    here = {i["pick"]: bool(on) for i, on in zip(ids, checked, strict=True)}
    now = [i for i in before if here.get(i, True)] + [i for i, on in here.items() if on and i not in before]
    return no_update if now == before else {"objects": now[:DEVICES_MAX], "source": "registry"}


@callback(
    Output("chosen", "data", allow_duplicate=True),
    Output({"pick": ALL}, "checked"),
    Output("toast", "data", allow_duplicate=True),
    Input("pick-found", "n_clicks"),
    Input("pick-none", "n_clicks"),
    State("registry-text", "value"),
    *[State(f"registry-{name}", "value") for name in FILTERS],
    State({"pick": ALL}, "id"),
    prevent_initial_call=True,
)
async def _choose_all(found: int | None, none: int | None, text: str | None, *more: Any) -> Any:
    """Everything that the filters find, or nothing."""
    *wanted, ids = more
    if not (found or none):
        return no_update, [no_update] * len(ids), no_update
    if ctx.triggered_id == "pick-none":
        return {"objects": [], "source": "registry"}, [False] * len(ids), no_update
    who = viewer()
    try:
        objects = await views.registry_points(desk().db, who, _filter(text, wanted), limit=DEVICES_MAX + 1)
    except (*REFUSALS, *FAILURES) as error:
        return no_update, [no_update] * len(ids), actions.refused(error, who.language)
    told: Any = no_update
    if len(objects) > DEVICES_MAX:
        told = actions.toast(
            say(who.language, "registry.pick_many", n=integer(who.language, DEVICES_MAX)), kind="error"
        )
    kept = set(objects[:DEVICES_MAX])
    return {"objects": objects[:DEVICES_MAX], "source": "registry"}, [i["pick"] in kept for i in ids], told


@callback(
    Output("pick-count", "children"), Output("pick-go", "hidden"), Input("chosen", "data"), Input("pick-none", "id")
)
async def _count(chosen: dict[str, Any] | None, _: str) -> Any:
    n = len((chosen or {}).get("objects", []))
    return say(viewer().language, "registry.picked", n=integer(viewer().language, n)) if n else "", n == 0
