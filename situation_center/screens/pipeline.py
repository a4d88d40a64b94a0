"""The pipeline page: is every part alive, how much comes in, what waits, what was refused and why, byte by byte."""

from collections.abc import Mapping
from typing import Any

import dash_ag_grid as dag
from dash import ALL, Input, Output, callback, ctx, dcc, html, no_update

from citynet import access
from citynet.access import Actor
from situation_center import quarantine, views
from situation_center.desk import desk, viewer
from situation_center.screens import register
from situation_center.screens.parts import actions, stores
from situation_center.screens.parts.browser import attrs
from situation_center.screens.parts.failures import FAILURES, REFUSALS, explain
from situation_center.screens.parts.frames import hex_lines
from situation_center.screens.parts.marks import empty, panel
from situation_center.screens.parts.tables import choosing_grid
from situation_center.views.rows import PartRow, Pipeline, QuarantineRow
from situation_center.wording import count, date_time, integer, number, say, word

DEAD_AFTER_S = 5


@register("pipeline", path="/pipeline", action="pipeline.read")
async def pipeline(who: Actor, _: Mapping[str, str]) -> html.Div:
    """Parts above, quarantine below."""
    found = await views.pipeline(desk().db, who, desk().hub)
    language = who.language
    boxes = [
        html.Div(
            [
                html.H1(say(language, "pipeline.title")),
                dcc.Link(say(language, "health.title"), href="/health", className="button"),
            ],
            className="page-head",
        ),
        html.Dl(_figures(found, language), className="kpis wide", id="pipeline-figures"),
        panel(
            say(language, "pipeline.parts"),
            html.Div(_parts(found["parts"], language), id="pipeline-parts"),
            className="wide",
        ),
    ]
    below = [
        panel(say(language, f"pipeline.{name}"), html.Div(body, id=f"pipeline-{name}"))
        for name, body in _stores(found, language).items()
    ]
    return html.Div(
        [*boxes, *_quarantine(found, who), *below],
        className="page pipeline",
        **attrs(data_follows="beat", data_pause="2000"),
    )


def _gauges(found: Pipeline) -> dict[str, float]:
    return {name: value for part in found["parts"] for name, value in part["gauges"].items()}


def _stores(found: Pipeline, language: str) -> dict[str, Any]:
    return {"waiting": stores.waiting(found, language), "kept": stores.kept(found, _gauges(found), language)}


def _figures(found: Pipeline, language: str) -> list[html.Div]:
    rates = {name: rate for part in found["parts"] for name, rate in part["rates"].items()}
    gauges = _gauges(found)
    pairs = [
        ("received", _rate(rates, ("uplinks_in", "uplinks", "frames"), language)),
        ("stored", _rate(rates, ("readings_stored", "readings", "stored"), language)),
        ("events", _rate(rates, ("events", "events_out"), language)),
        ("pending", integer(language, sum(found["lags"].values())) if found["lags"] is not None else "—"),
        ("rejected", integer(language, sum(found["reasons"].values()))),
        ("archive", _archive(gauges, language)),
        ("disk", _disk(gauges, language)),
    ]
    return [
        html.Div([html.Dt(say(language, f"pipeline.{name}")), html.Dd(value)], className="kpi") for name, value in pairs
    ]


def _archive(gauges: Mapping[str, float], language: str) -> Any:
    """How far back raw frames are kept, and the room they take."""
    if "archive_bytes" not in gauges:
        return "—"
    settings = desk().settings
    used, most = (number(language, value / 1e6, 0) for value in (gauges["archive_bytes"], settings.archive_max_bytes))
    about = say(language, "pipeline.archive_of", days=settings.archive_days, used=used, most=most)
    return [number(language, gauges["archive_days"], 1), html.Small(f" {about}")]


def _disk(gauges: Mapping[str, float], language: str) -> Any:
    """The fullest disk that is watched."""
    used = [value for name, value in gauges.items() if name.startswith("disk_") and name.endswith("_used")]
    return [number(language, max(used), 0), html.Small(" %")] if used else "—"


def _rate(rates: Mapping[str, float], names: tuple[str, ...], language: str) -> Any:
    value = next((rates[name] for name in names if name in rates), None)
    return [number(language, value), html.Small(f" / {say(language, 'span.s')}")] if value is not None else "—"


def _parts(parts: list[PartRow], language: str) -> Any:
    if not parts:
        return empty(say(language, "pipeline.no_parts"))
    names = ("part", "role", "seen", "rate", "counters", "gauge")
    head = html.Tr([html.Th(say(language, f"pipeline.{name}"), scope="col") for name in names])
    body = [_part(part, language) for part in sorted(parts, key=lambda p: p["part"])]
    return html.Div(html.Table([html.Thead(head), html.Tbody(body)], className="plain"), className="scroll")


def _part(part: PartRow, language: str) -> html.Tr:
    dead = part["age_s"] > DEAD_AFTER_S
    role = "dead" if dead else "active" if part["active"] else "standby"
    mark = html.I(className="dot warn" if dead else "dot on" if part["active"] else "dot", **attrs(aria_hidden="true"))
    name = [html.B(part["part"]), html.Small(f" {word(language, 'parts', part['part'])}", className="muted")]
    rates = {k: v for k, v in part["rates"].items() if v}
    return html.Tr(
        [
            html.Td(name),
            html.Td([mark, say(language, f"pipeline.{role}")]),
            html.Td(f"{number(language, part['age_s'], 0)} {say(language, 'span.s')}", className="num"),
            html.Td(
                _pairs({k: f"{number(language, v)}/{say(language, 'span.s')}" for k, v in rates.items()}, language)
            ),
            html.Td(_pairs({k: integer(language, v) for k, v in part["counters"].items()}, language)),
            html.Td(_pairs({k: _gauge(k, v, language) for k, v in part["gauges"].items()}, language)),
        ]
    )


def _gauge(name: str, value: float, language: str) -> str:
    """Bytes are told in megabytes, as their words say."""
    return number(language, value / 1e6, 0) if name.endswith("_bytes") else number(language, value)


def _pairs(values: Mapping[str, str], language: str) -> Any:
    if not values:
        return "—"
    return html.Div(
        [html.Span([f"{word(language, 'counter', k)} ", html.B(v)]) for k, v in values.items()], className="facts"
    )


def _quarantine(found: Pipeline, who: Actor) -> list[Any]:
    language = who.language
    title = say(language, "pipeline.quarantine")
    if not access.allowed(who, "quarantine.read"):
        return [panel(title, empty(say(language, "pipeline.no_right")), className="wide")]
    reasons = html.Div(_reasons(found["reasons"], language), id="pipeline-reasons", className="pad")
    chosen = html.Div(empty(say(language, "pipeline.choose")), id="quarantine-bytes")
    right = html.Div(
        [panel(say(language, "pipeline.by_reason"), reasons), panel(say(language, "pipeline.bytes"), chosen)],
        className="column",
    )
    return [panel(title, _grid(found["quarantine"], language), className="table-panel"), right]


def _reasons(reasons: Mapping[str, int], language: str) -> Any:
    if not reasons:
        return html.P(say(language, "pipeline.quarantine_empty"), className="muted")
    lines = [(word(language, "reason", name), n) for name, n in sorted(reasons.items(), key=lambda pair: -pair[1])]
    return html.Table(
        [html.Tr([html.Td(name), html.Td(integer(language, n), className="num")]) for name, n in lines],
        className="plain",
    )


def _rows(rows: list[QuarantineRow], language: str) -> list[dict[str, Any]]:
    zone = desk().zone
    return [
        {
            "id": str(row["quarantine_id"]),
            "at": date_time(language, row["at"], zone),
            "stage": word(language, "stage", row["stage"]),
            "reason": word(language, "reason", row["reason"]),
            "device": row["external_id"],
            "detail": row["detail"],
            "subject": row["subject"],
            "size": row["size"],
            "again": date_time(language, row["replayed"], zone) if row["replayed"] else "",
            "replayable": row["replayable"],
        }
        for row in rows
    ]


def _grid(rows: list[QuarantineRow], language: str) -> dag.AgGrid:
    widths = {"at": 120, "stage": 90, "reason": 170, "device": 130, "detail": 220, "size": 80, "again": 120}
    columns = [
        {"field": name, "headerName": say(language, f"pipeline.{name}"), "width": width}
        for name, width in widths.items()
    ]
    columns[4] |= {"flex": 1}
    return choosing_grid("quarantine", _rows(rows, language), columns, empty=say(language, "pipeline.quarantine_empty"))


@callback(Output("quarantine-bytes", "children"), Input("quarantine", "selectedRows"), prevent_initial_call=True)
async def _bytes(rows: list[dict[str, Any]] | None) -> Any:
    who = viewer()
    language = who.language
    if not rows:
        return empty(say(language, "pipeline.choose"))
    row = rows[0]
    try:
        data = await views.quarantined_bytes(desk().db, who, int(row["id"]))
    except (*REFUSALS, *FAILURES) as error:
        return empty(explain(error, language))
    names = ("subject", "device", "reason", "detail")
    facts = [cell for n in names for cell in (html.Dt(say(language, f"pipeline.{n}")), html.Dd(row[n] or "—"))]
    size = [html.Dt(say(language, "pipeline.size")), html.Dd(count(language, "byte", row["size"]))]
    text = html.Pre(hex_lines(data), className="hex", tabIndex=0)
    return [html.Div([html.Dl([*facts, *size], className="passport"), *_buttons(row, who)], className="pad"), text]


def _buttons(row: Mapping[str, Any], who: Actor) -> list[Any]:
    """Send this frame, or all of its device, up again."""
    if not row["replayable"] or not access.allowed(who, "quarantine.replay"):
        return []
    names = {"row": row["id"]} | ({"device": row["device"]} if row["device"] else {})
    return [
        html.Button(say(who.language, f"pipeline.replay_{kind}"), id={"replay": f"{kind}/{what}"}, n_clicks=0)
        for kind, what in names.items()
    ]


@callback(Output("toast", "data", allow_duplicate=True), Input({"replay": ALL}, "n_clicks"), prevent_initial_call=True)
async def _replay(clicks: list[int | None]) -> Any:
    if not any(clicks) or not ctx.triggered_id:
        return no_update
    who = viewer()
    kind, _, what = ctx.triggered_id["replay"].partition("/")
    try:
        if kind == "device":
            frames = await quarantine.replay_by_person(desk().db, who, external_id=what)
        else:
            frames = await quarantine.replay_by_person(desk().db, who, ids=[int(what)])
    except (*REFUSALS, *FAILURES) as error:
        return actions.refused(error, who.language)
    return actions.toast(say(who.language, "pipeline.replay_asked", n=integer(who.language, frames)))


@callback(
    Output("pipeline-figures", "children"),
    Output("pipeline-parts", "children"),
    Output("pipeline-waiting", "children"),
    Output("pipeline-kept", "children"),
    Input("page-refresh", "data"),
    prevent_initial_call=True,
)
async def _refresh(_: int) -> Any:
    who = viewer()
    try:
        found = await views.pipeline(desk().db, who, desk().hub)
    except (*REFUSALS, *FAILURES):
        return no_update
    language = who.language
    return _figures(found, language), _parts(found["parts"], language), *_stores(found, language).values()


@callback(
    Output("pipeline-reasons", "children"),
    Output("quarantine", "rowData"),
    Input("page-refresh", "data"),
    prevent_initial_call=True,
)
async def _refresh_quarantine(_: int) -> Any:
    who = viewer()
    try:
        found = await views.pipeline(desk().db, who, desk().hub)
    except (*REFUSALS, *FAILURES):
        return no_update
    return _reasons(found["reasons"], who.language), _rows(found["quarantine"], who.language)
