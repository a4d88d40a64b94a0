"""The page of a city service: indicators, plots, table of objects, map, open incidents; all from its TOML file."""

from collections.abc import Mapping
from typing import Any

from dash import Input, Output, State, callback, dcc, html, no_update

from citynet.access import Actor
from situation_center import views
from situation_center.desk import desk, viewer
from situation_center.screens import register
from situation_center.screens.parts import charts, citymap, object_view, tables
from situation_center.screens.parts.browser import attrs, in_browser
from situation_center.screens.parts.card import named
from situation_center.screens.parts.failures import FAILURES, REFUSALS, explain
from situation_center.screens.parts.marks import empty, panel, priority_mark
from situation_center.views.rows import HeatPanel, KpiPanel, SeriesPanel, ServicePage, TablePanel
from situation_center.wording import count, number, say, unit


@register("service", path="/service/(?P<name>[a-z_]{1,40})")
async def service(who: Actor, said: Mapping[str, str]) -> html.Div:
    """Left the plots and the table, right the map and what is wrong."""
    found = await views.service_page(desk().db, who, said["name"])
    language = who.language
    head = html.Div(html.H1(named(found, "title", language)), className="page-head")
    if not found["objects"]:
        return html.Div([head, empty(say(language, "service.no_objects"))], className="page")
    left = html.Div([*_plots(found, who), *_tables(found, language)], className="column")
    right = html.Div([_map(found, who), _incidents(found, who), _selected(who)], className="column")
    return html.Div(
        [
            head,
            html.Dl(_kpis(found, language), className="kpis", id="service-kpis"),
            left,
            right,
            dcc.Store(id="service-name", data=said["name"]),
        ],
        className="page service",
        **attrs(data_follows="newest incidents conditions", data_pause="4000"),
    )


def _panels(found: ServicePage, kind: str) -> list[Any]:
    return [p for p in found["panels"] if p["kind"] == kind]


def _kpis(found: ServicePage, language: str) -> list[html.Div]:
    """What the service counts, then how many objects are silent or in an incident."""
    return [*(_kpi(p, language) for p in _panels(found, "kpi")), _silent(found, language), _open(found, language)]


def _tile(label: str, value: Any, about: Any) -> html.Div:
    return html.Div([html.Dt(label), html.Dd(value), html.Dd(about, className="about")], className="kpi")


def _silent(found: ServicePage, language: str) -> html.Div:
    objects = count(language, "object", found["objects"])
    return _tile(say(language, "strip.silent"), str(found["silent"]), objects)


def _open(found: ServicePage, language: str) -> html.Div:
    tally = [html.Span([priority_mark(p), f" {n}"], className="tally") for p, n in sorted(found["open"].items()) if n]
    return _tile(say(language, "service.incidents"), str(sum(found["open"].values())), tally)


def _kpi(kpi: KpiPanel, language: str) -> html.Div:
    how = say(language, f"service.kpi_{kpi['aggregate']}") if kpi["aggregate"] != "none" else ""
    objects = count(language, "object", kpi["objects"])
    value = [number(language, kpi["value"]), html.Small(f" {unit(language, kpi['unit'])}")]
    return _tile(named(kpi, "title", language), value, f"{how} · {objects}" if how else objects)


def _plots(found: ServicePage, who: Actor) -> list[html.Section]:
    states = {row["object_id"]: row["state"] for p in _panels(found, "table") for row in p["rows"]}
    states |= {row["object_id"]: row["severity"] for row in found["incidents"] if row["condition_active"]}
    return [
        panel(
            _with_unit(p, who.language),
            charts.graph(_many(p, states, who), named(p, "title", who.language), id={"plot": i}, tall=True),
        )
        for i, p in enumerate(_panels(found, "series"))
    ]


def _with_unit(p: SeriesPanel, language: str) -> str:
    written = unit(language, p["unit"])
    return f"{named(p, 'title', language)}, {written}" if written else named(p, "title", language)


def _many(p: SeriesPanel, states: Mapping[int, str], who: Actor) -> Any:
    place, language = desk(), who.language
    return charts.many(p["series"], p["points"], states=states, theme=who.theme, language=language, zone=place.zone)


def _tables(found: ServicePage, language: str) -> list[html.Section]:
    shown: list[TablePanel] = _panels(found, "table")[:1]
    return [
        tables.objects(p["rows"], title=named(p, "title", language), unit_=p["unit"], language=language) for p in shown
    ]


def _map(found: ServicePage, who: Actor) -> html.Section:
    heats: list[HeatPanel] = _panels(found, "heat")
    heat = heats[0]["quantity"] if heats else None
    return panel(
        say(who.language, "service.map"),
        citymap.layout(who, services=[found["name"]], heat=heat),
        className="map-panel",
    )


def _selected(who: Actor) -> html.Section:
    """Values and a plot of the object chosen on the map or in the table."""
    plot = html.Div(charts.graph(None, "", id="object-plot"), id="object-plot-box", hidden=True)
    text = html.Div(empty(say(who.language, "service.choose")), id="object-card")
    return panel(say(who.language, "service.object"), html.Div([text, plot]))


def _incidents(found: ServicePage, who: Actor) -> html.Section:
    body = html.Div(
        object_view.incidents(found["incidents"], who.language, desk().zone), className="pad", id="service-incidents"
    )
    return panel(say(who.language, "service.incidents"), body)


@callback(
    Output("service-kpis", "children"),
    Output("service-incidents", "children"),
    Output("table", "rowData"),
    Input("page-refresh", "data"),
    State("service-name", "data"),
    prevent_initial_call=True,
)
async def _refresh(_: int, name: str) -> Any:
    """The numbers of the page again, when the push says that some have changed."""
    who = viewer()
    try:
        found = await views.service_page(desk().db, who, name)
    except (*REFUSALS, *FAILURES):
        return no_update
    language = who.language
    rows = tables.object_rows(_panels(found, "table")[0]["rows"]) if _panels(found, "table") else no_update
    incidents = object_view.incidents(found["incidents"], language, desk().zone)
    return _kpis(found, language), incidents, rows


@callback(
    Output("object-card", "children"),
    Output("object-plot", "figure"),
    Output("object-plot-box", "hidden"),
    Input("shown", "data"),
)
async def _object(shown: dict[str, Any] | None) -> Any:
    who, place = viewer(), desk()
    if not shown or not shown["object_id"]:
        return empty(say(who.language, "service.choose")), no_update, True
    try:
        found = await views.object_card(place.db, who, int(shown["object_id"]))
        upper, lower = object_view.summary(found, who, place.zone)
        figure = await object_view.plot(who, found["series"][0], object_view.RANGES["24h"]) if found["series"] else None
    except (*REFUSALS, *FAILURES) as error:
        return empty(explain(error, who.language)), no_update, True
    return [upper, lower], no_update if figure is None else figure, figure is None


in_browser("chosenInTable", Input("table", "selectedRows"))
