"""The register of addresses: an address finds its point, a point its addresses; administrators add and move entries."""

from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, callback, dcc, html, no_update

from citynet import access
from citynet.access import Actor
from citynet.errors import BadInput
from situation_center.desk import desk, viewer
from situation_center.reference import addresses, cells
from situation_center.reference.addresses import Address
from situation_center.screens import register
from situation_center.screens.parts import actions
from situation_center.screens.parts.failures import FAILURES, REFUSALS, explain
from situation_center.screens.parts.marks import empty, panel
from situation_center.wording import number, say

ENTRY = ("street", "house", "lat", "lon")


@register("registry_addresses", path="/registry/addresses", action="registry.read")
async def registry_addresses(who: Actor, _: Mapping[str, str]) -> html.Div:
    """Left both ways of looking, right a new entry."""
    language = who.language
    back = dcc.Link(say(language, "registry.title"), href="/registry", className="button")
    head = html.Div([html.H1(say(language, "addresses.title")), back], className="page-head")
    text = dmc.TextInput(id="address-text", label=say(language, "addresses.text"), value="", debounce=300, size="sm")
    point = [
        dmc.TextInput(id=f"address-{n}", label=say(language, f"registry.{n}"), value="", debounce=300, size="sm")
        for n in ("lat", "lon")
    ]
    looking = [
        panel(
            say(language, "addresses.to_point"),
            [html.Div(text, className="pad"), html.Div(empty(say(language, "addresses.hint")), id="address-found")],
        ),
        panel(
            say(language, "addresses.to_address"),
            [
                html.Div(point, className="pad fields"),
                html.Div(empty(say(language, "addresses.near")), id="address-near"),
            ],
        ),
    ]
    right = [_entry(language)] if access.allowed(who, "registry.write") else []
    columns = html.Div(
        [html.Div(looking, className="column"), html.Div(right, className="column")], className="page two-columns"
    )
    return html.Div([head, columns], className="page registry")


def _entry(language: str) -> html.Section:
    fields = [dmc.TextInput(id=f"entry-{n}", label=say(language, f"addresses.{n}"), value="", size="sm") for n in ENTRY]
    save = html.Button(say(language, "registry.save"), id="entry-save", n_clicks=0, className="primary")
    note = html.P(say(language, "addresses.help"), className="muted")
    return panel(
        say(language, "addresses.entry"), html.Div([html.Div(fields, className="fields"), note, save], className="pad")
    )


def _table(found: list[Address], language: str) -> Any:
    if not found:
        return empty(say(language, "registry.nothing"))
    names = ("addresses.address", "addresses.point", "addresses.fit")
    head = html.Tr([html.Th(say(language, n), scope="col") for n in names])
    lines = [
        html.Tr(
            [
                html.Td(f"{a.street}, {a.house}"),
                html.Td(f"{a.lat:.6f}, {a.lon:.6f}", className="code one-line"),
                html.Td(_fit(a, language), className="num"),
            ]
        )
        for a in found
    ]
    return html.Div(
        html.Table([html.Thead(head), html.Tbody(lines)], className="plain"), className="scroll", tabIndex=0
    )


def _fit(found: Address, language: str) -> str:
    if found.metres is not None:
        return f"{number(language, found.metres, 0)} {say(language, 'addresses.m')}"
    return f"{number(language, 100 * (found.likeness or 0), 0)} %"


@callback(Output("address-found", "children"), Input("address-text", "value"), prevent_initial_call=True)
async def _search(text: str | None) -> Any:
    who = viewer()
    if not (text or "").strip():
        return empty(say(who.language, "addresses.hint"))
    try:
        return _table(await addresses.search(desk().db, who, text or ""), who.language)
    except (*REFUSALS, *FAILURES) as error:
        return empty(explain(error, who.language))


@callback(
    Output("address-near", "children"),
    Input("address-lat", "value"),
    Input("address-lon", "value"),
    prevent_initial_call=True,
)
async def _nearest(lat: str | None, lon: str | None) -> Any:
    who = viewer()
    if not (lat and lon):
        return empty(say(who.language, "addresses.near"))
    try:
        at = cells.coordinate(lon, 180)
        return _table(await addresses.nearest(desk().db, who, at, lat=cells.coordinate(lat, 90)), who.language)
    except (*REFUSALS, *FAILURES) as error:
        return empty(explain(error, who.language))


@callback(
    Output("toast", "data", allow_duplicate=True),
    Output("address-text", "value"),
    Input("entry-save", "n_clicks"),
    *[State(f"entry-{name}", "value") for name in ENTRY],
    prevent_initial_call=True,
)
async def _save(clicks: int | None, street: str, house: str, *place: str) -> Any:
    """Write the entry, then look for it."""
    if not clicks:
        return no_update, no_update
    who, (lat, lon) = viewer(), place
    try:
        if not (lat and lon):
            raise BadInput("bad_coordinates", f"{lat} {lon}")
        where = (cells.coordinate(lon, 180), cells.coordinate(lat, 90))
        await addresses.add(desk().db, who, [(street, house, *where)])
    except (*REFUSALS, *FAILURES) as error:
        return actions.refused(error, who.language), no_update
    return actions.toast(say(who.language, "done.saved")), f"{street}, {house}"
