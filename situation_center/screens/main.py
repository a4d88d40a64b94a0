"""The main screen: strip, queue, map and card in one page, following each other; what an operator watches all day."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Input, Output, callback, ctx, html, no_update

from citynet import access
from citynet.access import Actor
from citynet.errors import Forbidden, NotFound
from situation_center import views
from situation_center.desk import desk, viewer
from situation_center.screens import register
from situation_center.screens.parts import card, charts, citymap, object_view, queue, strip
from situation_center.screens.parts.browser import attrs, in_browser
from situation_center.screens.parts.failures import FAILURES, explain
from situation_center.screens.parts.marks import empty
from situation_center.screens.parts.rows import queue_row
from situation_center.views.rows import Card
from situation_center.wording import say

PLOT_BEFORE = timedelta(hours=6)
PANES = ("queue", "map", "card")


@register("main", path="/", action="incident.read")
async def main(who: Actor, _: Mapping[str, str]) -> html.Div:
    """Strip above, queue left, map in the centre, card right; on a phone one of the three at a time."""
    language, db = who.language, desk().db
    top = await views.strip(db, who)
    rows = [queue_row(row, who) for row in await views.queue(db, who)]
    panes = [
        queue.layout(rows, language),
        html.Section(citymap.layout(who), className="panel map-panel"),
        _card_panel(who),
    ]
    return html.Div(
        [
            html.H1(say(language, "shell.main"), className="visually-hidden"),
            strip.layout(top, language),
            html.Div(panes, id="panes", **attrs(data_pane="queue")),
            _tabs(language),
        ],
        className="main",
    )


def _tabs(language: str) -> html.Nav:
    titles = {"queue": "queue.short", "map": "service.map", "card": "card.title"}
    buttons = [html.Button(say(language, titles[p]), id=f"pane-{p}", n_clicks=0) for p in PANES]
    return html.Nav(buttons, className="tabs")


def _card_panel(who: Actor) -> html.Section:
    language = who.language
    hint = say(language, "card.comment_hint")
    parts: list[Any] = [
        html.Div(card.nothing(language), id="card-upper"),
        html.Div(charts.graph(None, say(language, "card.title"), id="card-plot"), id="card-plot-box", hidden=True),
        html.Div(id="card-lower"),
    ]
    scroll = html.Div(parts, id="card", tabIndex=0, role="region", **attrs(aria_label=say(language, "card.title")))
    body: list[Any] = [scroll]
    if access.allowed(who, "incident.comment"):
        text = dmc.TextInput(id="comment-text", placeholder=hint, size="sm", value="", **attrs(aria_label=hint))
        send = html.Button(say(language, "card.send"), id="comment-send", n_clicks=0)
        body.append(html.Div([text, send], className="comment pad-small", id="comment-box", hidden=True))
    return html.Section(body, className="panel card-panel")


@callback(
    Output("card-upper", "children"),
    Output("card-lower", "children"),
    Output("card-plot", "figure"),
    Output("card-plot-box", "hidden"),
    Input("shown", "data"),
    Input("card-refresh", "data"),
)
async def _show(shown: dict[str, Any] | None, _: int | None) -> Any:
    who = viewer()
    if not shown:
        return card.nothing(who.language), None, no_update, True
    try:
        return await (
            _incident(who, int(shown["incident_id"])) if shown["incident_id"] else _object(who, shown["object_id"])
        )
    except (NotFound, Forbidden):
        return empty(say(who.language, "card.gone")), None, no_update, True
    except FAILURES as error:
        return empty(explain(error, who.language)), None, no_update, True


async def _incident(who: Actor, incident_id: int) -> tuple[Any, Any, Any, bool]:
    place = desk()
    found = await views.card(place.db, who, incident_id)
    figure = await _plot(who, found)
    upper, lower = card.layout(found, who, place.zone), card.lower(found, who, place.zone)
    return upper, lower, no_update if figure is None else figure, figure is None


async def _plot(who: Actor, found: Card) -> Any:
    """The series of the incident from some hours before it opened until now; None when there is none."""
    if not found["plot"]:
        return None
    place, series = desk(), found["plot"][0]
    until = (await views.strip(place.db, who))["now"]
    opened = found["incident"]["opened"]
    points = await views.points(
        place.db, who, series["series_id"], since=max(opened, until - timedelta(days=6)) - PLOT_BEFORE, until=until
    )
    return charts.one(series, points, theme=who.theme, language=who.language, zone=place.zone, opened=opened)


async def _object(who: Actor, object_id: int) -> tuple[Any, Any, Any, bool]:
    found = await views.object_card(desk().db, who, int(object_id))
    upper, lower = object_view.summary(found, who, desk().zone)
    return upper, lower, no_update, True


@callback(
    Output("selection", "data", allow_duplicate=True),
    Input({"open": ALL}, "n_clicks"),
    prevent_initial_call=True,
)
async def _open_related(clicks: list[int | None]) -> Any:
    if not any(clicks) or not ctx.triggered_id:
        return no_update
    incident_id = ctx.triggered_id["open"]
    row = (await views.card(desk().db, viewer(), int(incident_id)))["incident"]
    return {"incident_id": incident_id, "object_id": row["object_id"], "source": "card", "at": row["change"]}


in_browser("showPane", *[Input(f"pane-{p}", "n_clicks") for p in PANES])
in_browser("showCommentBox", Input("shown", "data"))
