"""Devices that talk and that nobody knows: their last frames, and the form that makes one a device of the city."""

from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Input, Output, State, callback, ctx, dcc, html, no_update

from citynet import access
from citynet.access import Actor
from situation_center import views
from situation_center.desk import desk, viewer
from situation_center.reference import cells, strangers
from situation_center.reference.strangers import Adoption, Frame, Stranger
from situation_center.screens import register
from situation_center.screens.parts import actions
from situation_center.screens.parts.failures import FAILURES, REFUSALS
from situation_center.screens.parts.marks import empty, panel
from situation_center.wording import count, date_time, say, word

FIELDS = ("name", "lat", "lon", "parent", "address", "tags", "key")


@register("registry_unknown", path="/registry/unknown", action="quarantine.read")
async def registry_unknown(who: Actor, _: Mapping[str, str]) -> html.Div:
    """Left who talks, right who it is."""
    language = who.language
    found = await strangers.listed(desk().db, who)
    back = dcc.Link(say(language, "registry.title"), href="/registry", className="button")
    head = html.Div([html.H1(say(language, "registry.unknown")), back], className="page-head")
    columns = html.Div(
        [
            panel(say(language, "registry.unknown_list"), html.Div(_list(found, language), id="stranger-list")),
            html.Div(empty(say(language, "registry.unknown_choose")), id="stranger-one", className="column"),
        ],
        className="page two-columns",
    )
    return html.Div([head, columns, dcc.Store(id="stranger-id")], className="page registry")


def _list(found: list[Stranger], language: str) -> Any:
    if not found:
        return empty(say(language, "registry.unknown_none"))
    zone = desk().zone
    lines = [
        html.Tr(
            [
                html.Td(html.Button(s.external_id, id={"stranger": s.external_id}, n_clicks=0, className="code")),
                html.Td(
                    [
                        word(language, "protocol", s.protocol),
                        html.Br(),
                        html.Small(count(language, "frame", s.frames), className="muted"),
                    ]
                ),
                html.Td(date_time(language, s.last, zone), className="one-line"),
            ]
        )
        for s in found
    ]
    return html.Div(html.Table(html.Tbody(lines), className="plain"), className="scroll")


@callback(
    Output("stranger-one", "children"),
    Output("stranger-id", "data"),
    Input({"stranger": ALL}, "n_clicks"),
    prevent_initial_call=True,
)
async def _choose(clicks: list[int | None]) -> Any:
    if not any(clicks) or not ctx.triggered_id:
        return no_update, no_update
    who, external_id = viewer(), ctx.triggered_id["stranger"]
    try:
        found = await strangers.frames(desk().db, who, external_id)
        form = [await _form(who)] if access.allowed(who, "registry.write") else []
    except (*REFUSALS, *FAILURES):
        return no_update, no_update
    return [html.H2(external_id), _frames(found, who.language), *form], external_id


async def _form(who: Actor) -> html.Section:
    language = who.language
    names = await views.profile_names(desk().db, who)
    profile = dmc.Select(
        id="adopt-profile", data=names, label=say(language, "registry.profile"), searchable=True, size="sm"
    )
    inputs = [
        dmc.TextInput(id={"adopt": name}, label=say(language, f"registry.adopt_{name}"), value="", size="sm")
        for name in FIELDS
    ]
    note = html.P(say(language, "registry.adopt_help"), className="muted")
    go = html.Button(say(language, "registry.adopt"), id="adopt-go", n_clicks=0, className="primary")
    return panel(
        say(language, "registry.adopt_title"),
        html.Div([html.Div([profile, *inputs], className="fields"), note, go], className="pad"),
    )


def _frames(found: list[Frame], language: str) -> html.Section:
    zone = desk().zone
    parts = [
        html.Div(
            [
                html.Small(f"{date_time(language, f.at, zone)} · {f.subject}"),
                html.Pre(f.payload, className="hex wrapped", tabIndex=0),
            ]
        )
        for f in found
    ]
    return panel(say(language, "registry.last_frames"), html.Div(parts, className="pad"))


@callback(
    Output("toast", "data", allow_duplicate=True),
    Output("stranger-list", "children"),
    Output("stranger-one", "children", allow_duplicate=True),
    Input("adopt-go", "n_clicks"),
    State("stranger-id", "data"),
    State("adopt-profile", "value"),
    State({"adopt": ALL}, "value"),
    State({"adopt": ALL}, "id"),
    prevent_initial_call=True,
)
async def _adopt(clicks: int | None, external_id: str, profile: str | None, values: list[str], ids: list[Any]) -> Any:
    if not clicks:
        return no_update, no_update, no_update
    who, db = viewer(), desk().db
    given = {i["adopt"]: (v or "").strip() for i, v in zip(ids, values, strict=True)}
    try:
        wanted = Adoption(
            external_id,
            profile or "",
            name=given["name"],
            lon=cells.coordinate(given["lon"], 180) if given["lon"] else None,
            lat=cells.coordinate(given["lat"], 90) if given["lat"] else None,
            key=given["key"] or None,
            parent=given["parent"] or None,
            address=given["address"],
            tags=cells.tags(given["tags"]),
        )
        frames = await strangers.adopt(db, who, wanted)
        left = _list(await strangers.listed(db, who), who.language)
    except (*REFUSALS, *FAILURES) as error:
        return actions.refused(error, who.language), no_update, no_update
    told = say(who.language, "registry.adopted", device=external_id, frames=count(who.language, "frame", frames))
    return actions.toast(told), left, empty(told)
