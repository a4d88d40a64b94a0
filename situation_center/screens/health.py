"""The page of device health: a table for each way in which a device may fail, the worst first."""

from collections.abc import Mapping, Sequence
from typing import Any

from dash import Input, Output, callback, html, no_update

from citynet.access import Actor
from situation_center import views
from situation_center.desk import desk, viewer
from situation_center.screens import register
from situation_center.screens.parts import radio as parts
from situation_center.screens.parts.browser import attrs
from situation_center.screens.parts.card import named
from situation_center.screens.parts.failures import FAILURES, REFUSALS
from situation_center.screens.parts.marks import empty, object_link, panel
from situation_center.views.base import quantity
from situation_center.views.health import BatteryRow, ClockRow, Health, IdentityRow, SilentRow, StuckRow
from situation_center.wording import count, date_time, integer, number, say, word

# The worst of each; the rest is in the API. A browser lays out hundreds of rows for seconds.
SHOWN = 50


@register("health", path="/health", action="registry.read")
async def health(who: Actor, _: Mapping[str, str]) -> html.Div:
    """Silent devices, batteries, clocks, radio."""
    language = who.language
    body = html.Div(
        _tables(await views.health(desk().db, who), language), id="health-tables", className="health-tables"
    )
    head = html.Div(html.H1(say(language, "health.title")), className="page-head")
    return html.Div([head, body], className="page health", **attrs(data_follows="conditions", data_pause="60000"))


def _tables(found: Health, language: str) -> list[html.Section]:
    radio = found["radio"]
    tables = {
        "silent": (("object", "since", "heard", "behind"), [_silent(row, language) for row in found["silent"]]),
        "batteries": (("object", "percent", "days"), [_battery(row, language) for row in found["batteries"]]),
        "clocks": (("object", "said", "told"), [_clock(row, language) for row in found["clocks"]]),
        "stuck": (("object", "quantity", "said", "told"), [_stuck(row, language) for row in found["stuck"]]),
        "weak": (parts.WEAK, [html.Tr([_place(row, language), *parts.weak(row, language)]) for row in radio["weak"]]),
        "gateways": (parts.GATEWAY, [parts.gateway(row, language) for row in radio["gateways"]]),
        "identity": (
            ("object", "reason", "times", "last", "detail"),
            [_identity(row, language) for row in found["identity"]],
        ),
        "counters": (
            parts.COUNTER,
            [html.Tr([_place(row, language), *parts.counter(row, language)]) for row in radio["counters"]],
        ),
    }
    return [
        panel(f"{say(language, f'health.{kind}')} · {integer(language, len(lines))}", _table(columns, lines, language))
        for kind, (columns, lines) in tables.items()
    ]


def _table(columns: Sequence[str], lines: list[html.Tr], language: str) -> Any:
    if not lines:
        return empty(say(language, "health.nothing"))
    head = html.Tr([html.Th(say(language, f"health.{c}"), scope="col") for c in columns])
    return html.Div(html.Table([html.Thead(head), html.Tbody(lines[:SHOWN])], className="plain"), className="scroll")


def _place(row: Any, language: str) -> html.Td:
    kind = html.Small(word(language, "class", row["class_"]), className="muted")
    return html.Td([object_link(row["object_id"], named(row, "object", language)), html.Br(), kind])


def _silent(row: SilentRow, language: str) -> html.Tr:
    zone = desk().zone
    behind = count(language, "object", row["behind"]) if row["behind"] else "—"
    times = [html.Td(date_time(language, row["since"], zone)), html.Td(date_time(language, row["heard"], zone))]
    return html.Tr([_place(row, language), *times, html.Td(behind)])


def _battery(row: BatteryRow, language: str) -> html.Tr:
    days = "—" if row["days"] is None else number(language, row["days"], 0)
    return html.Tr(
        [
            _place(row, language),
            html.Td(number(language, row["percent"]), className="num"),
            html.Td(days, className="num"),
        ]
    )


def _clock(row: ClockRow, language: str) -> html.Tr:
    why = row["why_ru"] if language == "ru" else row["why_en"]
    return html.Tr([_place(row, language), html.Td(why), html.Td(date_time(language, row["opened"], desk().zone))])


def _stuck(row: StuckRow, language: str) -> html.Tr:
    title = quantity(row["quantity"] or "")
    name, why = (title.name_ru, row["why_ru"]) if language == "ru" else (title.name_en, row["why_en"])
    since = date_time(language, row["opened"], desk().zone)
    return html.Tr([_place(row, language), *map(html.Td, (name, why, since))])


def _identity(row: IdentityRow, language: str) -> html.Tr:
    name = row["object_ru"] if language == "ru" else row["object_en"]
    known = row["object_id"] is not None and name
    place = [object_link(row["object_id"], name), html.Br()] if row["object_id"] is not None and name else []
    who = html.Small(row["external_id"] or "—", className="muted") if known else html.Code(row["external_id"] or "—")
    cells = [word(language, "reason", row["reason"]), integer(language, row["times"])]
    last = date_time(language, row["last"], desk().zone)
    return html.Tr([html.Td([*place, who]), *map(html.Td, [*cells, last, row["detail"]])])


@callback(Output("health-tables", "children"), Input("page-refresh", "data"), prevent_initial_call=True)
async def _refresh(_: int | None) -> Any:
    who = viewer()
    try:
        return _tables(await views.health(desk().db, who), who.language)
    except (*REFUSALS, *FAILURES):
        return no_update
