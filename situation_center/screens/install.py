"""The page behind the QR code on a device: what was heard of it, where it hangs, and the button that accepts it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import dash_mantine_components as dmc
from dash import Input, Output, State, callback, dcc, html, no_update

from citynet.access import Actor
from citynet.errors import BadInput, Conflict
from situation_center.desk import desk, viewer
from situation_center.reference import cells, install
from situation_center.reference.install import Install
from situation_center.screens import register
from situation_center.screens.parts import actions
from situation_center.screens.parts.browser import attrs, in_browser
from situation_center.screens.parts.card import named
from situation_center.screens.parts.failures import FAILURES, REFUSALS
from situation_center.screens.parts.marks import panel, passport
from situation_center.wording import date_time, measured, say


@register("install", path="/install/(?P<external_id>[^/]{1,300})", action=install.RIGHT)
async def page(who: Actor, said: Mapping[str, str]) -> html.Div:
    """One column, large targets: it is used with one hand on a ladder."""
    language, external_id = who.language, unquote(said["external_id"])
    now = await install.state(desk().db, who, external_id)
    coordinates = [
        dmc.TextInput(id=f"install-{name}", label=say(language, f"registry.{name}"), value=_degrees(value), size="md")
        for name, value in (("lat", now.lat), ("lon", now.lon))
    ]
    form = [
        html.Button(say(language, "install.locate"), id="install-locate", n_clicks=0),
        html.P(id="install-located", className="muted", role="status"),
        html.Div(coordinates, className="pair"),
        dmc.TextInput(id="install-note", label=say(language, "registry.note"), value="", size="md"),
        html.Button(say(language, "install.accept"), id="install-accept", n_clicks=0, className="primary"),
    ]
    return html.Div(
        [
            html.Div([html.H1(named(vars(now), "name", language)), html.Code(external_id)], className="page-head"),
            panel(say(language, "install.heard"), html.Div(_heard(now, language), id="install-heard", className="pad")),
            panel(say(language, "install.place"), html.Div(form, className="pad")),
            dcc.Store(id="install-id", data=external_id),
        ],
        className="page install",
        **attrs(data_follows="beat newest", data_pause="2000"),
    )


def _degrees(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _heard(now: Install, language: str) -> list[Any]:
    zone = desk().zone
    mark = "✓" if now.first else "…"
    words = say(language, "install.yes" if now.first else "install.not_yet")
    facts = [
        (say(language, "registry.life_cycle"), say(language, f"life_cycle.{now.life_cycle}")),
        (say(language, "registry.profile"), now.profile),
        (say(language, "install.first"), date_time(language, now.first, zone) if now.first else None),
        (say(language, "install.last"), date_time(language, now.last, zone) if now.last else None),
        ("RSSI", measured(language, now.rssi, "dB[mW]") if now.rssi is not None else None),
        ("SNR", measured(language, now.snr, "dB") if now.snr is not None else None),
        (say(language, "registry.address"), now.address or None),
    ]
    return [html.P(html.B(f"{mark} {words}"), role="status"), passport([f for f in facts if f[1]])]


@callback(
    Output("install-heard", "children"),
    Input("page-refresh", "data"),
    State("install-id", "data"),
    prevent_initial_call=True,
)
async def _refresh(_: int, external_id: str) -> Any:
    who = viewer()
    try:
        return _heard(await install.state(desk().db, who, external_id), who.language)
    except (*REFUSALS, *FAILURES):
        return no_update


@callback(
    Output("toast", "data", allow_duplicate=True),
    Output("install-heard", "children", allow_duplicate=True),
    Input("install-accept", "n_clicks"),
    State("install-lon", "value"),
    State("install-lat", "value"),
    State("install-note", "value"),
    State("install-id", "data"),
    prevent_initial_call=True,
)
async def _accept(clicks: int | None, lon: str, lat: str, note: str, external_id: str) -> Any:
    if not clicks:
        return no_update, no_update
    who, db = viewer(), desk().db
    try:
        if bool(lon) != bool(lat):
            raise BadInput("bad_coordinates", f"{lat} {lon}")
        place = (cells.coordinate(lon, 180), cells.coordinate(lat, 90)) if lon else None
        await install.accept(db, who, external_id, place=place, note=note or "")
        now = await install.state(db, who, external_id)
    except Conflict:
        return actions.toast(say(who.language, "install.not_yet"), kind="error"), no_update
    except (*REFUSALS, *FAILURES) as error:
        return actions.refused(error, who.language), no_update
    return actions.toast(say(who.language, "install.accepted")), _heard(now, who.language)


in_browser("locate", Input("install-locate", "n_clicks"))
