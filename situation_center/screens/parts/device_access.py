"""On the page of an object, for administrators: what its device proves itself with; issue, change, revoke."""

from datetime import datetime
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Input, Output, State, callback, ctx, dcc, html, no_update

from citynet import access
from citynet.access import Actor
from citynet.errors import CitynetError
from situation_center import credentials
from situation_center.desk import desk, viewer
from situation_center.screens.parts import actions
from situation_center.screens.parts.browser import attrs
from situation_center.screens.parts.failures import FAILURES, REFUSALS, explain
from situation_center.screens.parts.marks import panel
from situation_center.wording import date_time, say

SHOWN = 8


async def section(who: Actor, object_id: int) -> list[Any]:
    """The panel, or nothing for people without the right and for objects without a device."""
    if not access.allowed(who, credentials.RIGHT):
        return []
    db = desk().db
    names = (await credentials.devices_of(db, object_id))[:1]
    rows = await credentials.listed(db, names[0]) if names else []
    if names and not rows and not await credentials.native(db, object_id):
        title = say(who.language, "access.title", name=names[0])
        return [panel(title, html.P(say(who.language, "access.network"), className="pad muted"))]
    return [_panel(who, name, rows) for name in names]


def _panel(who: Actor, name: str, rows: list[dict[str, Any]]) -> html.Section:
    language = who.language

    def button(what: str, look: str = "") -> html.Button:
        return html.Button(say(language, f"access.{what}"), id=f"access-{what}", n_clicks=0, className=look)

    sure = dcc.ConfirmDialog(id="access-sure", message=say(language, "access.sure", name=name))
    fields = [
        dmc.TextInput(id=f"access-{field}", label=say(language, f"access.{field}"), value="", size="xs")
        for field in ("subject", "fingerprint")
    ]
    certificate = html.Details(
        [html.Summary(say(language, "access.by_certificate")), *fields, button("certify")], className="access-form"
    )
    tools = [button("issue", "primary"), button("change"), button("revoke", "danger")]
    body = [
        html.Div(tools, className="access-tools"),
        html.P(say(language, "access.help"), className="muted"),
        html.Div(id="access-token", role="status"),
        certificate,
        sure,
        dcc.Store(id="access-device", data=name),
    ]
    table = html.Div(_table(rows, language), id="access-rows")
    return panel(say(language, "access.title", name=name), [table, html.Div(body, className="pad")])


def _table(rows: list[dict[str, Any]], language: str) -> Any:
    if not rows:
        return html.P(say(language, "access.none"), className="muted pad")
    names = ("kind", "state", "term", "by")
    head = html.Tr([*(html.Th(say(language, f"access.{name}"), scope="col") for name in names), html.Th()])
    lines = [html.Tr([*map(html.Td, _cells(row, language)), _end_one(row, language)]) for row in rows[:SHOWN]]
    return html.Div(html.Table([html.Thead(head), html.Tbody(lines)], className="plain"), className="scroll")


def _end_one(row: dict[str, Any], language: str) -> html.Td:
    """A button that ends this one, while there is anything to end."""
    if row["state"] not in ("valid", "ahead"):
        return html.Td()
    words = say(language, "access.revoke_one")
    look = attrs(aria_label=words)
    return html.Td(html.Button("×", id={"access-row": row["uid"]}, n_clicks=0, title=words, className="small", **look))


def _cells(row: dict[str, Any], language: str) -> list[str]:
    def moment(at: datetime) -> str:
        return date_time(language, at, desk().zone)

    kind = say(language, f"access.{row['kind']}")
    state = say(language, f"access.state_{row['state']}")
    end = row["revoked"] or row["valid_to"]
    term = moment(row["valid_from"]) + (f" – {moment(end)}" if end else "")
    return [f"{kind} {row['subject']}".strip(), state, term, row["created_by"].removeprefix("person:")]


@callback(Output("access-sure", "displayed"), Input("access-revoke", "n_clicks"), prevent_initial_call=True)
def _ask(clicks: int | None) -> bool:
    return bool(clicks)


@callback(
    Output("access-rows", "children"),
    Output("access-token", "children"),
    Output("toast", "data", allow_duplicate=True),
    Input("access-issue", "n_clicks"),
    Input("access-change", "n_clicks"),
    Input("access-sure", "submit_n_clicks"),
    Input("access-certify", "n_clicks"),
    Input({"access-row": ALL}, "n_clicks"),
    State("access-device", "data"),
    State("access-subject", "value"),
    State("access-fingerprint", "value"),
    prevent_initial_call=True,
)
async def _act(
    issue: int | None, change: int | None, sure: int | None, certify: int | None, one: list[int], *given: str
) -> Any:
    name, *certificate = given
    if not (issue or change or sure or certify or any(one)) or not ctx.triggered[0]["value"]:
        return no_update, no_update, no_update
    who, db = viewer(), desk().db
    try:
        await credentials.of_actor(db, who, name)
        if isinstance(ctx.triggered_id, dict):
            await credentials.revoke(db, name, by=who.name, uid=str(ctx.triggered_id["access-row"]))
            shown = say(who.language, "access.revoked")
        else:
            shown = await _do(str(ctx.triggered_id), name, who, certificate=certificate)
        return _table(await credentials.listed(db, name), who.language), shown, no_update
    except (CitynetError, *REFUSALS, *FAILURES) as error:
        return no_update, "", actions.toast(explain(error, who.language), kind="error")


async def _do(what: str, name: str, who: Actor, *, certificate: list[str]) -> Any:
    """Do it; what is to be seen of it: a token this once, else a word."""
    db = desk().db
    if what == "access-sure":
        await credentials.revoke(db, name, by=who.name)
        return say(who.language, "access.revoked")
    if what == "access-certify":
        subject, fingerprint = (text.strip() for text in certificate)
        await credentials.issue_certificate(db, name, by=who.name, subject=subject, sha256=fingerprint)
        return say(who.language, "access.certified")
    grace = credentials.GRACE_DEFAULT if what == "access-change" else None
    token = await credentials.issue_token(db, name, by=who.name, grace=grace)
    copy = dcc.Clipboard(content=token, title=say(who.language, "access.copy"), className="access-copy")
    return [html.P(say(who.language, "access.once")), html.Div([html.Code(token), copy], className="access-token")]
