"""Duplicates: pairs that look like one thing, the form that merges two, and every merge that was made, with undo."""

from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Input, Output, State, callback, ctx, dcc, html, no_update

from citynet import access
from citynet.access import Actor
from citynet.db import Row
from situation_center.desk import desk, viewer
from situation_center.reference import merges
from situation_center.screens import register
from situation_center.screens.parts import actions
from situation_center.screens.parts.card import named
from situation_center.screens.parts.failures import FAILURES, REFUSALS, explain
from situation_center.screens.parts.marks import empty, panel
from situation_center.wording import date_time, name_of, number, say, word


@register("registry_merges", path="/registry/merges", action="registry.read")
async def registry_merges(who: Actor, _: Mapping[str, str]) -> html.Div:
    """Left who may be one, right the merge; below what was merged."""
    language = who.language
    back = dcc.Link(say(language, "registry.title"), href="/registry", className="button")
    head = html.Div([html.H1(say(language, "merges.title")), back], className="page-head")
    may = access.allowed(who, "registry.write")
    looking = panel(say(language, "merges.candidates"), empty(say(language, "merges.looking")))
    columns = html.Div(
        [
            html.Div(looking, id="merge-pairs", className="column"),
            html.Div(
                [*([_form(language)] if may else []), html.Div(await _made(who), id="merge-made")], className="column"
            ),
        ],
        className="page two-columns",
    )
    return html.Div([head, columns], className="page registry")


async def _pairs(who: Actor) -> html.Section:
    language = who.language
    found = await merges.candidates(desk().db, who)
    body: Any = html.Div([_pair(row, who) for row in found], className="pairs") if found else None
    return panel(say(language, "merges.candidates"), body or empty(say(language, "merges.none")))


def _pair(row: Row, who: Actor) -> html.Div:
    """Two objects under one another; the one with the newer number goes into the older, unless somebody swaps them."""
    language = who.language
    lines = [
        html.Div(
            [
                dcc.Link(named(row, f"{side}_name", language), href=f"/registry/object/{row[f'{side}_id']}"),
                html.Small([" ", html.Code(row[f"{side}_key"])], className="muted"),
                html.Small(f" · {row[f'{side}_device']}" if row[f"{side}_device"] else "", className="muted"),
            ]
        )
        for side in ("into", "gone")
    ]
    facts = [word(language, "class", row["class"])]
    if row["metres"] is not None:
        facts.append(say(language, "merges.apart", m=number(language, row["metres"], 0)))
    if row["address"]:
        facts.append(row["address"])
    chosen = f"{row['gone_key']}\n{row['into_key']}"
    button = html.Button(say(language, "merges.take"), id={"pair": chosen}, n_clicks=0, className="small")
    may = access.allowed(who, "registry.write")
    return html.Div(
        [*lines, html.Small(" · ".join(facts), className="muted"), *([button] if may else [])], className="pair-of"
    )


def _form(language: str) -> html.Section:
    fields = [
        dmc.TextInput(id=f"merge-{n}", label=say(language, f"merges.{n}"), value="", size="sm")
        for n in ("gone", "into", "note")
    ]
    buttons = [
        html.Button(say(language, "merges.swap"), id="merge-swap", n_clicks=0),
        html.Button(say(language, "merges.go"), id="merge-go", n_clicks=0, className="primary"),
    ]
    note = html.P(say(language, "merges.help"), className="muted")
    return panel(
        say(language, "merges.form"), html.Div([*fields, note, html.Div(buttons, className="ways")], className="pad")
    )


async def _made(who: Actor) -> html.Section:
    language, zone = who.language, desk().zone
    may = access.allowed(who, "registry.write")
    lines = []
    for m in await merges.newest(desk().db, who):
        undone = say(language, "merges.undone", who=name_of(language, m["undone_by"])) if m["undone"] else ""
        undo = html.Button(say(language, "merges.undo"), id={"unmerge": m["merge_id"]}, n_clicks=0, className="small")
        said: list[Any] = [
            html.Code(m["key"]),
            " → ",
            html.Code(m["into_key"]),
            html.Small(f" {m['note']} {undone}", className="muted"),
        ]
        lines.append(
            html.Tr(
                [
                    html.Td(date_time(language, m["at"], zone), className="one-line"),
                    html.Td(said),
                    html.Td(name_of(language, m["actor"])),
                    html.Td(undo if may and not m["undone"] else ""),
                ],
                className="muted" if m["undone"] else "",
            )
        )
    table = html.Div(html.Table(html.Tbody(lines), className="plain merges"), className="scroll", tabIndex=0)
    return panel(say(language, "merges.made"), table if lines else empty(say(language, "merges.no_made")))


@callback(Output("merge-pairs", "children"), Input("merge-pairs", "id"))
async def _look(_: str) -> Any:
    """After the page has opened: all objects are compared, which takes seconds in a large city."""
    who = viewer()
    try:
        return await _pairs(who)
    except (*REFUSALS, *FAILURES) as error:
        return empty(explain(error, who.language))


@callback(
    Output("merge-gone", "value"),
    Output("merge-into", "value"),
    Input({"pair": ALL}, "n_clicks"),
    Input("merge-swap", "n_clicks"),
    State("merge-gone", "value"),
    State("merge-into", "value"),
    prevent_initial_call=True,
)
async def _take(clicks: list[int | None], swap: int | None, gone: str, into: str) -> Any:
    """Into the form, or the two fields the other way round."""
    if ctx.triggered_id == "merge-swap":
        return (into, gone) if swap else (no_update, no_update)
    if not any(clicks) or not ctx.triggered_id:
        return no_update, no_update
    first, _, second = ctx.triggered_id["pair"].partition("\n")
    return first, second


@callback(
    Output("toast", "data", allow_duplicate=True),
    Output("merge-pairs", "children", allow_duplicate=True),
    Output("merge-made", "children"),
    Input("merge-go", "n_clicks"),
    Input({"unmerge": ALL}, "n_clicks"),
    State("merge-gone", "value"),
    State("merge-into", "value"),
    State("merge-note", "value"),
    prevent_initial_call=True,
)
async def _act(go: int | None, undo: list[int | None], gone: str, into: str, note: str) -> Any:
    """Merge, or take a merge back; then show what is left."""
    if not ctx.triggered_id or not (go or any(undo)):
        return no_update, no_update, no_update
    who, db = viewer(), desk().db
    try:
        if ctx.triggered_id == "merge-go":
            await merges.merge(db, who, gone.strip(), into=into.strip(), note=note or "")
            told = say(who.language, "merges.done")
        else:
            await merges.undo(db, who, ctx.triggered_id["unmerge"])
            told = say(who.language, "merges.taken_back")
        return actions.toast(told), await _pairs(who), await _made(who)
    except (*REFUSALS, *FAILURES) as error:
        return actions.refused(error, who.language), no_update, no_update
