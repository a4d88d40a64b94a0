"""Device profiles: the list, and the editor of one with its versions; every fault is named before anything counts."""

from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, callback, ctx, dcc, html, no_update

from citynet import access
from citynet.access import Actor
from citynet.catalog import catalog
from situation_center.desk import desk, viewer
from situation_center.reference import profiles
from situation_center.screens import register
from situation_center.screens.parts import actions
from situation_center.screens.parts.browser import attrs
from situation_center.screens.parts.failures import FAILURES, REFUSALS, explain
from situation_center.screens.parts.marks import panel
from situation_center.wording import date_time, integer, name_of, say, unit, word

NAME = "[a-z0-9][a-z0-9._-]{0,99}"
EXAMPLE = {"class": "water_meter", "protocol": "native", "map": {"volume": {"quantity": "water_volume"}}}


@register("registry_profiles", path="/registry/profiles", action="registry.read")
async def registry_profiles(who: Actor, _: Mapping[str, str]) -> html.Div:
    """All profiles with their devices."""
    language, zone = who.language, desk().zone
    names = ("profile", "class", "protocol", "devices", "version", "recorded", "actor")
    head = html.Tr([html.Th(say(language, f"registry.{n}"), scope="col") for n in names])
    lines = [
        html.Tr(
            [
                html.Td(dcc.Link(p.name, href=f"/registry/profile/{p.name}")),
                html.Td(word(language, "class", p.cls)),
                html.Td(p.protocol),
                html.Td(integer(language, p.devices), className="num"),
                html.Td(integer(language, p.version), className="num"),
                html.Td(date_time(language, p.recorded, zone)),
                html.Td(name_of(language, p.actor)),
            ]
        )
        for p in await profiles.listed(desk().db, who)
    ]
    ways: list[Any] = [dcc.Link(say(language, "registry.title"), href="/registry", className="button")]
    if access.allowed(who, "registry.write"):
        ways.append(dcc.Link(say(language, "registry.new_profile"), href="/registry/profile", className="button"))
    table = html.Div(
        html.Table([html.Thead(head), html.Tbody(lines)], className="plain"), className="scroll", tabIndex=0
    )
    title = html.Div(
        [html.H1(say(language, "registry.profiles")), html.Div(ways, className="ways")], className="page-head"
    )
    return html.Div([title, panel(say(language, "registry.profiles"), table)], className="page registry")


@register("registry_profile_new", path="/registry/profile", action="registry.write")
async def new(who: Actor, _: Mapping[str, str]) -> html.Div:
    """The editor with an example."""
    return _editor(who, "", 0, text=profiles.shown(EXAMPLE, "example"), past=[])


@register("registry_profile", path=f"/registry/profile/(?P<name>{NAME})", action="registry.read")
async def one(who: Actor, said: Mapping[str, str]) -> html.Div:
    """The editor with the newest version, and all versions below."""
    rows = await profiles.versions(desk().db, who, said["name"])
    text = profiles.shown(rows[0]["body"], said["name"])
    return _editor(who, said["name"], rows[0]["version"], text=text, past=rows)


def _editor(who: Actor, name: str, version: int, *, text: str, past: list[Any]) -> html.Div:
    language = who.language
    may = access.allowed(who, "registry.write")
    label = say(language, "registry.profile_text")
    fields: list[Any] = [
        dmc.TextInput(
            id="profile-name", label=say(language, "registry.profile"), value=name, size="sm", disabled=bool(name)
        ),
        dmc.Textarea(
            id="profile-text",
            label=label,
            value=text,
            autosize=True,
            minRows=16,
            maxRows=32,
            className="code-box",
            readOnly=not may,
        ),
        dmc.TextInput(id="profile-note", label=say(language, "registry.note"), value="", size="sm"),
        html.Div(id="profile-told", role="status", **attrs(aria_live="polite")),
    ]
    if may:
        buttons = [
            html.Button(say(language, "registry.check"), id="profile-check", n_clicks=0),
            html.Button(say(language, "registry.save"), id="profile-save", n_clicks=0, className="primary"),
        ]
        fields.append(html.Div(buttons, className="ways"))
    back = dcc.Link(say(language, "registry.profiles"), href="/registry/profiles", className="button")
    title = name or say(language, "registry.new_profile")
    body = [
        html.Div(
            panel(say(language, "registry.profile_editor"), html.Div(fields, className="pad")), className="column"
        ),
        html.Div([*_past(past, language), _words(language)], className="column"),
    ]
    return html.Div(
        [
            html.Div([html.H1(title), back], className="page-head"),
            html.Div(body, className="page two-columns"),
            dcc.Store(id="profile-base", data=version),
        ],
        className="page registry",
    )


def _past(past: list[Any], language: str) -> list[html.Section]:
    if not past:
        return []
    zone = desk().zone
    lines = [
        html.Li(
            [
                html.Time(date_time(language, v["recorded"], zone)),
                html.Span([html.B(f"v{v['version']} "), name_of(language, v["actor"]), html.Small(f" {v['note']}")]),
            ]
        )
        for v in past
    ]
    return [panel(say(language, "registry.history"), html.Ul(lines, className="lines pad"))]


def _words(language: str) -> html.Section:
    """The quantities that a mapping may name."""
    lines = [
        html.Tr(
            [
                html.Td(name, className="code"),
                html.Td(q.name_ru if language == "ru" else q.name_en),
                html.Td(unit(language, q.unit)),
            ]
        )
        for name, q in sorted(catalog().quantities.items())
    ]
    table = html.Div(html.Table(html.Tbody(lines), className="plain"), className="scroll limited", tabIndex=0)
    return panel(say(language, "registry.quantities"), table)


@callback(
    Output("profile-told", "children"),
    Output("toast", "data", allow_duplicate=True),
    Output("profile-base", "data"),
    Input("profile-check", "n_clicks"),
    Input("profile-save", "n_clicks"),
    State("profile-name", "value"),
    State("profile-text", "value"),
    State("profile-note", "value"),
    State("profile-base", "data"),
    prevent_initial_call=True,
)
async def _save(
    check: int | None, save: int | None, name: str | None, text: str | None, note: str | None, base: int
) -> Any:
    if not (check or save):
        return no_update, no_update, no_update
    who = viewer()
    language = who.language
    try:
        body = profiles.parsed(text or "")
        profiles.checked((name or "").strip(), body)
        if ctx.triggered_id != "profile-save":
            return say(language, "registry.profile_good"), no_update, no_update
        version = await profiles.save(
            desk().db, who, (name or "").strip(), body=body, base=base, note=(note or "").strip()
        )
    except (*REFUSALS, *FAILURES) as error:
        return html.Pre(explain(error, language).replace("; ", "\n"), className="hex"), no_update, no_update
    told = say(language, "registry.profile_saved", version=version)
    return told, actions.toast(told), version
