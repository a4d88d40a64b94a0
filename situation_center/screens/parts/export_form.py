"""The dialog that exports readings of an object, a place with all in it, or the city; assets/export.js fetches it.

Buttons of pages open it, dialogs.py shows it."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Input, Output, State, callback, ctx, html, no_update

from citynet.access import Actor
from situation_center import query, views
from situation_center.desk import desk
from situation_center.screens.parts.browser import attrs, in_browser
from situation_center.screens.parts.card import named
from situation_center.views.base import quantity
from situation_center.wording import say, texts

STEPS, FORMATS = ("raw", "hour", "day", "month"), ("csv", "xlsx", "parquet")
EARLIER = timedelta(days=7)
CITY = 0


def opener(language: str, object_id: int = CITY, *, label: str = "export.open") -> html.Button:
    """A button that opens the dialog for an object; without one for the city."""
    return html.Button(say(language, label), id={"export": object_id}, n_clicks=0)


async def form(who: Actor, dialog: Mapping[str, Any]) -> html.Div:
    """What, from when until when, in which steps and format; then how far it is."""
    language, place, object_id = who.language, desk(), int(dialog["object_id"])
    name = say(language, "export.city")
    if object_id:
        name = named(await views.object_card(place.db, who, object_id), "name", language)
    found = await query.quantities(place.db, who, place=object_id or None)
    kinds = sorted(((q, named(quantity(q).model_dump(), "name", language)) for q in found), key=lambda one: one[1])
    now = (await views.strip(place.db, who))["now"].astimezone(place.zone).date()
    return html.Div(
        [
            html.P([html.B(name), f" · {say(language, 'export.with_all')}"]),
            dmc.Select(
                id="export-quantity",
                label=say(language, "object.quantity"),
                data=[
                    {"value": "", "label": say(language, "export.all")},
                    *({"value": q, "label": t} for q, t in kinds),
                ],
                value="",
                allowDeselect=False,
                searchable=True,
                comboboxProps={"withinPortal": False},
            ),
            html.Div(
                [_day("since", (now - EARLIER).isoformat(), language), _day("until", now.isoformat(), language)],
                className="fields",
            ),
            _choice("step", STEPS, language),
            _choice("format", FORMATS, language),
            dmc.Checkbox(id="export-original", label=say(language, "export.original"), checked=False),
            html.Div(_progress(language), id="export-progress", hidden=True),
            html.Footer(
                [
                    html.Button(say(language, "export.close"), id="dialog-cancel", n_clicks=0),
                    html.Button(say(language, "export.go"), id="export-go", n_clicks=0, className="primary"),
                ]
            ),
        ],
        className="dialog-form",
        id="export-form",
        **attrs(data_object=str(object_id), data_zone=place.settings.timezone),
    )


def _day(name: str, value: str, language: str) -> Any:
    label = say(language, f"export.{name}")
    return dmc.TextInput(id=f"export-{name}", label=label, value=value, attributes={"input": {"type": "date"}})


def _choice(name: str, values: tuple[str, ...], language: str) -> html.Div:
    data = [{"value": value, "label": say(language, f"export.{value}")} for value in values]
    label = say(language, f"export.{name}")
    control = dmc.SegmentedControl(
        id=f"export-{name}", data=data, value=values[0], size="xs", fullWidth=True, **attrs(aria_label=label)
    )
    return html.Div([html.Span(label, className="label"), control])


def _progress(language: str) -> list[Any]:
    told = {name: texts(language)["export"][name] for name in ("so_far", "about", "done", "failed")}
    words = attrs(data_words=json.dumps(told, ensure_ascii=False))
    bar = html.Progress(id="export-bar", max="100", **attrs(aria_label=say(language, "export.progress")))
    return [bar, html.Span(id="export-told", role="status", **words)]


@callback(
    Output("dialog", "data", allow_duplicate=True),
    Input({"export": ALL}, "n_clicks"),
    prevent_initial_call=True,
)
def _open(clicks: list[int | None]) -> Any:
    if not any(clicks) or not ctx.triggered_id:
        return no_update
    return {"name": "export", "object_id": ctx.triggered_id["export"], "at": sum(n or 0 for n in clicks)}


in_browser(
    "start",
    Input("export-go", "n_clicks"),
    State("export-quantity", "value"),
    State("export-step", "value"),
    State("export-format", "value"),
    State("export-original", "checked"),
    namespace="exporting",
)
