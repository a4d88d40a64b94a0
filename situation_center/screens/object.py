"""The page of one object: passport, live values, history over a chosen range, commands, incidents."""

from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, callback, dcc, html, no_update

from citynet import access
from citynet.access import Actor
from situation_center import views
from situation_center.desk import desk, viewer
from situation_center.screens import register
from situation_center.screens.parts import (
    camera,
    card,
    charts,
    device_access,
    export_form,
    frames,
    object_view,
    radio,
    track,
)
from situation_center.screens.parts.browser import attrs
from situation_center.screens.parts.card import named
from situation_center.screens.parts.failures import FAILURES, REFUSALS
from situation_center.screens.parts.marks import panel, passport, severity_word
from situation_center.views.rows import ObjectCard
from situation_center.wording import say


@register("object", path="/object/(?P<object_id>[0-9]{1,9})", action="registry.read")
async def object_page(who: Actor, said: Mapping[str, str]) -> html.Div:
    """Left who it is, in the middle its values and history, right what can be done."""
    found = await views.object_card(desk().db, who, int(said["object_id"]))
    language = who.language
    head = [
        html.H1(named(found, "name", language)),
        html.Div(severity_word(language, found["state"]), id="object-state"),
    ]
    return html.Div(
        [
            html.Div(head, className="page-head"),
            panel(
                say(language, "object.passport"),
                html.Div(passport(object_view.facts(found, language)), className="pad"),
            ),
            html.Div(
                [
                    *await camera.section(who, found["object_id"]),
                    *await track.section(who, found),
                    _history(found, who),
                    _values(found, who),
                ],
                className="column",
            ),
            html.Div(
                [
                    html.Div(_right(found, who), id="object-right", className="column"),
                    *await radio.section(who, found["object_id"]),
                    *await device_access.section(who, found["object_id"]),
                ],
                className="column",
            ),
            *frames.section(who),
            dcc.Store(id="object-id", data=found["object_id"]),
        ],
        className="page object",
        **attrs(data_follows="newest commands conditions incidents", data_pause="2000"),
    )


def _values(found: ObjectCard, who: Actor) -> html.Section:
    body = html.Div(object_view.values(found["series"], who.language, desk().zone), id="object-values")
    return panel(say(who.language, "object.values"), body)


def _history(found: ObjectCard, who: Actor) -> html.Section:
    language = who.language
    shown = object_view.measures(found["series"])
    options = [{"value": str(row["series_id"]), "label": named(row, "title", language)} for row in shown]
    first = options[0]["value"] if options else None
    label = say(language, "object.quantity")
    choice = dmc.Select(
        id="history-series", data=options, value=first, allowDeselect=False, w=240, size="xs", **attrs(aria_label=label)
    )
    ranges = [{"label": say(language, f"service.range_{r}"), "value": r} for r in object_view.RANGES]
    range_label = attrs(aria_label=say(language, "service.range"))
    length = dmc.SegmentedControl(id="history-range", data=ranges, value="24h", size="xs", **range_label)
    more = [export_form.opener(who.language, found["object_id"])] if access.allowed(who, "reading.read") else []
    tools = html.Div([choice, length, *more], className="queue-tools")
    return panel(say(language, "object.history"), charts.graph(None, label, id="history-plot", tall=True), tools=tools)


def _right(found: ObjectCard, who: Actor) -> list[Any]:
    language, zone = who.language, desk().zone
    orders = card.commands(found["possible"], found["commands"], who=who, zone=zone, id_="object-commands")
    body = orders if orders is not None else html.P(say(language, "card.no_commands"), className="muted")
    shown = object_view.incidents(found["incidents"], language, zone)
    many = dcc.Link(say(language, "orders.new"), href=f"/commands/group/{found['object_id']}", className="quiet")
    tools = many if access.allowed(who, "command.request") else None
    return [
        panel(say(language, "object.commands"), html.Div(body, className="card bare"), tools=tools),
        panel(say(language, "object.incidents"), html.Div(shown, className="pad")),
    ]


@callback(
    Output("object-values", "children"),
    Output("object-right", "children"),
    Output("object-state", "children"),
    Output("track-heard", "children"),
    Input("page-refresh", "data"),
    State("object-id", "data"),
    prevent_initial_call=True,
)
async def _refresh(_: int, object_id: int) -> Any:
    who, place = viewer(), desk()
    try:
        found = await views.object_card(place.db, who, object_id)
    except (*REFUSALS, *FAILURES):
        return no_update
    values = object_view.values(found["series"], who.language, place.zone)
    heard = track.last_heard(found, who.language)
    return values, _right(found, who), severity_word(who.language, found["state"]), heard


@callback(
    Output("history-plot", "figure"),
    Input("history-series", "value"),
    Input("history-range", "value"),
    Input("page-refresh", "data"),
    State("object-id", "data"),
)
async def _plot(series_id: str | None, length: str, _: int | None, object_id: int) -> Any:
    who = viewer()
    try:
        found = await views.object_card(desk().db, who, object_id)
        for series in found["series"]:
            if str(series["series_id"]) == series_id:
                return await object_view.plot(who, series, object_view.RANGES[length])
    except (*REFUSALS, *FAILURES):
        return no_update
    return no_update
