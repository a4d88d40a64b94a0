"""The live map on a page: its options, and the callbacks that mount it and take its selection."""

from typing import Any

from dash import Input, State, dcc, html

from citynet import access
from citynet.access import Actor
from citynet.catalog import catalog
from situation_center.screens.parts.browser import attrs, in_browser
from situation_center.wording import say


def options(who: Actor) -> dict[str, Any]:
    """What the map bundle is mounted with: all services in wire order, the heat maps of those the viewer may see."""
    services = list(catalog().services.values())
    seen = [s for s in services if access.allowed(who, "screen.open", {"service": s.name})]
    titles = [{"name": s.name, "title_ru": s.title_ru, "title_en": s.title_en} for s in services]
    heats = [{"quantity": h.quantity, "title_ru": h.title_ru, "title_en": h.title_en} for s in seen for h in s.heat]
    command = access.allowed(who, "command.request")
    return {"services": titles, "heats": heats, "theme": who.theme, "language": who.language, "command": command}


def layout(
    who: Actor, *, services: list[str] | None = None, heat: str | None = None, track: int | None = None
) -> html.Div:
    """The map; services and heat are switched on at first, track is an object whose way is drawn."""
    given = options(who) | ({"track": track, "command": False} if track else {})
    if services:
        given["heats"] = [h for h in given["heats"] if h["quantity"] == heat] or given["heats"]
    chosen = {"services": services, "heat": heat}
    title = say(who.language, "service.map")
    canvas = html.Div(html.Div(id="city-map"), className="map", role="region", **attrs(aria_label=title))
    return html.Div(
        [canvas, dcc.Store(id="map-options", data=given), dcc.Store(id="map-choice", data=chosen)], className="map"
    )


in_browser("mountMap", Input("city-map", "id"), State("map-options", "data"), namespace="citynet")
in_browser("chooseLayers", Input("map-choice", "data"))
