"""Import into the registry: send a file, see what it would do and what is wrong with it, then take it in."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from dash import Input, Output, State, callback, dcc, html, no_update

from citynet.access import Actor
from situation_center.desk import desk, viewer
from situation_center.reference import jobs
from situation_center.reference.columns import COLUMNS, Reject
from situation_center.reference.jobs import Job
from situation_center.screens import register
from situation_center.screens.parts import actions
from situation_center.screens.parts.browser import attrs, in_browser
from situation_center.screens.parts.failures import FAILURES, REFUSALS
from situation_center.screens.parts.marks import figures, panel, passport
from situation_center.wording import date_time, integer, name_of, say, word

SHOWN = 200
UNDER_WAY = ("checking", "applying")
UUID_PATH = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@register("registry_import", path="/registry/import", action="registry.write")
async def registry_import(who: Actor, _: Mapping[str, str]) -> html.Div:
    """The form, what a file looks like, and the newest imports."""
    language = who.language
    label = say(language, "registry.file")
    form = html.Form(
        [
            html.Label([label, html.Div(id="upload-box")]),
            html.Button(say(language, "registry.check"), type="submit", className="primary"),
        ],
        action="/api/v1/registry/imports",
        method="POST",
        encType="multipart/form-data",
        className="pad upload",
    )
    about = [html.P(say(language, f"registry.{n}"), className="muted") for n in ("import_help", "import_columns")]
    columns = html.P([html.Code(c) for c in COLUMNS], className="codes")
    found = await jobs.newest(desk().db, who)
    return html.Div(
        [
            _head(language, say(language, "registry.import_title")),
            panel(say(language, "registry.file"), [form, html.Div([*about, columns], className="pad")]),
            panel(say(language, "registry.imports"), _jobs(found, language)),
        ],
        className="page registry-import",
    )


def _head(language: str, title: str) -> html.Div:
    back = dcc.Link(say(language, "registry.title"), href="/registry", className="button")
    return html.Div([html.H1(title), back], className="page-head")


def _jobs(found: list[Job], language: str) -> Any:
    if not found:
        return html.P(say(language, "registry.no_imports"), className="pad muted")
    zone = desk().zone
    lines = [
        html.Tr(
            [
                html.Td(dcc.Link(job.file_name, href=f"/registry/import/{job.import_id}")),
                html.Td(date_time(language, job.at, zone)),
                html.Td(say(language, f"import_state.{job.state}")),
                html.Td(name_of(language, job.actor)),
            ]
        )
        for job in found
    ]
    return html.Div(html.Table(html.Tbody(lines), className="plain"), className="scroll")


@register("registry_import_one", path=f"/registry/import/(?P<import_id>{UUID_PATH})", action="registry.write")
async def one(who: Actor, said: Mapping[str, str]) -> html.Div:
    """What was found in one file, line by line, and the button that takes it in."""
    import_id = UUID(said["import_id"])
    job = await jobs.one(desk().db, who, import_id)
    return html.Div(
        [
            _head(who.language, job.file_name),
            html.Div(await _state(who, job), id="import-state", className="column"),
            dcc.Store(id="import-id", data=str(import_id)),
        ],
        className="page registry-import",
        **attrs(data_follows="beat", data_pause="1000"),
    )


async def _state(who: Actor, job: Job) -> list[Any]:
    language = who.language
    body: list[Any] = [html.P(html.B(say(language, f"import_state.{job.state}")), role="status")]
    if job.state in UNDER_WAY:
        body.append(html.P(say(language, "registry.progress", n=integer(language, job.progress))))
    if "error" in job.summary:
        body.append(html.P(job.summary["error"], className="muted"))
    outcome = jobs.outcome_of(job)
    if outcome:
        names = ("rows", "new", "changed", "same", "placed", "rejected")
        numbers = {name: integer(language, getattr(outcome, name)) for name in names}
        written = word(language, "separator", outcome.separator or "none")
        body += [
            figures([(say(language, f"registry.{name}"), number) for name, number in numbers.items()]),
            passport(
                [(say(language, "registry.encoding"), outcome.encoding), (say(language, "registry.separator"), written)]
            ),
        ]
    body.append(_buttons(job, language))
    found = [panel(say(language, "registry.result"), html.Div(body, className="pad"))]
    if outcome and outcome.rejected:
        faults = await jobs.report(desk().db, who, job.import_id, limit=SHOWN)
        found += [_reasons(outcome.reasons, language), _faults(faults, language)]
    return found


def _buttons(job: Job, language: str) -> html.Div:
    take = html.Button(
        say(language, "registry.apply"),
        id="import-apply",
        n_clicks=0,
        className="primary",
        disabled=job.state != "checked",
    )
    parts: list[Any] = [take]
    if job.summary.get("rejected"):
        link = f"/api/v1/registry/imports/{job.import_id}/report"
        parts.append(html.A(say(language, "registry.download_report"), href=link, className="button"))
    parts.append(dcc.Link(say(language, "registry.other_file"), href="/registry/import", className="button"))
    return html.Div(parts, className="ways")


def _reasons(reasons: Mapping[str, int], language: str) -> html.Section:
    lines = [
        html.Tr([html.Td(word(language, "import_reason", name)), html.Td(integer(language, n), className="num")])
        for name, n in reasons.items()
    ]
    return panel(say(language, "registry.by_reason"), html.Table(html.Tbody(lines), className="plain"))


def _faults(faults: list[Reject], language: str) -> html.Section:
    names = ("line", "column", "meaning", "value")
    head = html.Tr([html.Th(say(language, f"registry.report_{n}"), scope="col") for n in names])
    lines = [
        html.Tr(
            [
                html.Td(integer(language, f.line), className="num"),
                html.Td(f.name or "—", className="code"),
                html.Td(word(language, "import_reason", f.reason)),
                html.Td(f.value, className="code"),
            ]
        )
        for f in faults
    ]
    table = html.Div(html.Table([html.Thead(head), html.Tbody(lines)], className="plain"), className="scroll")
    return panel(say(language, "registry.faults", n=SHOWN), table)


# Dash has no input of files: the browser puts one into the form.
in_browser("fileInput", Input("upload-box", "id"))


@callback(
    Output("import-state", "children"),
    Input("page-refresh", "data"),
    State("import-id", "data"),
    State("import-apply", "disabled"),
    prevent_initial_call=True,
)
async def _follow(_: int, import_id: str, __: bool) -> Any:
    who = viewer()
    try:
        return await _state(who, await jobs.one(desk().db, who, UUID(import_id)))
    except (*REFUSALS, *FAILURES):
        return no_update


@callback(
    Output("toast", "data", allow_duplicate=True),
    Output("import-state", "children", allow_duplicate=True),
    Input("import-apply", "n_clicks"),
    State("import-id", "data"),
    prevent_initial_call=True,
)
async def _apply(clicks: int | None, import_id: str) -> Any:
    if not clicks:
        return no_update, no_update
    who = viewer()
    try:
        await jobs.apply(desk().db, who, UUID(import_id))
        return no_update, await _state(who, await jobs.one(desk().db, who, UUID(import_id)))
    except (*REFUSALS, *FAILURES) as error:
        return actions.refused(error, who.language), no_update
