"""Payload codecs in JavaScript: the profiles with their scripts, and one script to edit, try with bytes and save."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Literal, cast

import dash_mantine_components as dmc
from dash import Input, Output, State, callback, dcc, html, no_update

from citynet import access
from citynet.access import Actor
from citynet.errors import BadInput
from citynet.model import CodecTried, CodecTry
from situation_center import codecs
from situation_center.codecs import CodecSource, ProfileCodec
from situation_center.desk import desk, viewer
from situation_center.screens import register
from situation_center.screens.parts import actions
from situation_center.screens.parts.browser import attrs
from situation_center.screens.parts.failures import FAILURES, REFUSALS, explain
from situation_center.screens.parts.marks import empty, panel
from situation_center.wording import date_time, integer, measured, name_of, number, say, word

ENTRIES = ("uplink", "encodeDownlink", "decodeDownlink")
Entry = Literal["uplink", "encodeDownlink", "decodeDownlink"]


@register("codecs", path="/codecs", action="registry.read")
async def listing(who: Actor, _: Mapping[str, str]) -> html.Div:
    """Profiles, those with a script first."""
    language = who.language
    found = await codecs.profiles(desk().db, who)
    names = ("profile", "version", "recorded", "actor", "note")
    head = html.Tr([html.Th(say(language, f"codecs.{name}"), scope="col") for name in names])
    rows = [_row(one, language) for one in sorted(found, key=lambda one: (one["size"] == 0, one["profile"]))]
    table = html.Table([html.Thead(head), html.Tbody(rows)], className="plain", id="codecs")
    title = html.Div(
        [html.H1(say(language, "codecs.title")), _link(say(language, "registry.title"), "/registry")],
        className="page-head",
    )
    box = html.Div(table, className="scroll", tabIndex=0)
    return html.Div([title, panel(say(language, "codecs.profiles"), box)], className="page registry")


def _link(text: str, href: str) -> dcc.Link:
    return dcc.Link(text, href=href, className="button")


def _row(one: ProfileCodec, language: str) -> html.Tr:
    has = one["size"] > 0
    cells = [
        html.Td(dcc.Link(one["profile"], href=f"/codec/{one['profile']}")),
        html.Td(integer(language, one["version"]) if has else say(language, "codecs.none"), className="num"),
        html.Td(date_time(language, one["recorded"], desk().zone) if one["recorded"] else "—", className="one-line"),
        html.Td(name_of(language, one["actor"]) or "—"),
        html.Td(_note(one, language)),
    ]
    return html.Tr(cells, className="" if has else "muted")


def _note(row: Mapping[str, Any], language: str) -> str:
    return word(language, "codec_note", row["note"])


@register("codec", path="/codec/(?P<profile>[A-Za-z0-9._-]{1,200})", action="registry.read")
async def one_codec(who: Actor, said: Mapping[str, str]) -> html.Div:
    """The newest version of one script beside what it does."""
    language = who.language
    found = await codecs.one(desk().db, who, said["profile"])
    title = html.Div(
        [html.H1(found["profile"]), _link(say(language, "codecs.title"), "/codecs")], className="page-head"
    )
    right = [_trial(language)] if access.allowed(who, "codec.write") else []
    columns = [
        html.Div(_editor(who, found), className="column"),
        html.Div([*right, *_past(found, language)], className="column"),
    ]
    return html.Div(
        [
            title,
            html.Div(columns, className="page two-columns"),
            dcc.Store(id="codec-profile", data=found["profile"]),
            dcc.Store(id="codec-base", data=found["versions"][0]["version"] if found["versions"] else 0),
        ],
        className="page registry",
    )


def _editor(who: Actor, found: CodecSource) -> html.Section:
    language, may = who.language, access.allowed(who, "codec.write")
    text = dmc.Textarea(
        id="codec-source",
        label=say(language, "codecs.source"),
        value=found["source"],
        placeholder="function decodeUplink(input) {\n  return { data: { } };\n}",
        autosize=True,
        minRows=20,
        maxRows=36,
        className="code-box",
        readOnly=not may,
    )
    fields: list[Any] = [text]
    if may:
        fields += [
            dmc.TextInput(id="codec-note", label=say(language, "codecs.note"), value="", size="sm"),
            html.P(say(language, "codecs.help"), className="muted"),
            html.Button(say(language, "codecs.save"), id="codec-save", n_clicks=0, className="primary"),
            html.Div(id="codec-told", role="status", **attrs(aria_live="polite")),
        ]
    return panel(say(language, "codecs.editor"), html.Div(fields, className="pad"))


def _trial(language: str) -> html.Section:
    choices = [{"value": entry, "label": say(language, f"codecs.{entry}")} for entry in ENTRIES]
    fields = [
        dmc.Select(id="codec-entry", label=say(language, "codecs.call"), data=choices, value="uplink", size="sm"),
        html.Div(
            [
                dmc.TextInput(id="codec-bytes", label=say(language, "codecs.bytes"), value="", size="sm"),
                dmc.NumberInput(
                    id="codec-port", label=say(language, "codecs.port"), value=1, min=0, max=255, size="sm"
                ),
            ],
            id="codec-given-bytes",
            className="given",
        ),
        html.Div(
            dmc.TextInput(id="codec-data", label=say(language, "codecs.data"), value="{}", size="sm"),
            id="codec-given-data",
            hidden=True,
        ),
        html.Button(say(language, "codecs.try"), id="codec-try", n_clicks=0),
        html.Div(id="codec-result", role="status", **attrs(aria_live="polite")),
    ]
    return panel(say(language, "codecs.trial"), html.Div(fields, className="pad"))


def _past(found: CodecSource, language: str) -> list[html.Section]:
    if not found["versions"]:
        return []
    zone = desk().zone
    lines = [
        html.Li(
            [
                html.Time(date_time(language, v["recorded"], zone)),
                html.Span(
                    [html.B(f"v{v['version']} "), name_of(language, v["actor"]), html.Small(f" {_note(v, language)}")]
                ),
            ]
        )
        for v in found["versions"]
    ]
    return [panel(say(language, "codecs.versions"), html.Ul(lines, className="lines pad"))]


@callback(
    Output("codec-given-bytes", "hidden"),
    Output("codec-given-data", "hidden"),
    Input("codec-entry", "value"),
    prevent_initial_call=True,
)
async def _given(entry: str | None) -> Any:
    """Only what the chosen function takes."""
    encodes = entry == "encodeDownlink"
    return encodes, not encodes


def payload_of(text: str) -> bytes:
    """Bytes of hexadecimal digits, with or without blanks, or else of base64. Raises BadInput."""
    plain = "".join(text.replace("0x", "").replace(",", " ").split())
    try:
        return bytes.fromhex(plain)
    except ValueError:
        try:
            return base64.b64decode(plain, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadInput("bad_payload", "bytes are hexadecimal or base64") from error


def data_of(text: str) -> dict[str, Any]:
    """The object that encodeDownlink gets. Raises BadInput."""
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise BadInput("bad_data", str(error)) from error
    if not isinstance(found, dict):
        raise BadInput("bad_data", "not an object in JSON")
    return found


@callback(
    Output("codec-result", "children"),
    Input("codec-try", "n_clicks"),
    State("codec-source", "value"),
    State("codec-entry", "value"),
    State("codec-bytes", "value"),
    State("codec-port", "value"),
    State("codec-data", "value"),
    State("codec-profile", "data"),
    prevent_initial_call=True,
)
async def _try(
    clicks: int | None, source: str | None, entry: str | None, given: str | None, port: Any, *more: str | None
) -> Any:
    if not clicks or entry not in ENTRIES:
        return no_update
    who, (data, profile) = viewer(), more
    try:
        asked = CodecTry(
            source=source or "",
            entry=cast(Entry, entry),
            payload=payload_of(given or ""),
            f_port=port if isinstance(port, int) else 0,
            data=data_of(data or ""),
            profile=profile or "",
        )
        return result(await codecs.attempt(desk().db, who, asked), who.language)
    except (*REFUSALS, *FAILURES) as error:
        return empty(explain(error, who.language))


def digits(value: float) -> int:
    """Decimal places that a value needs, at most six."""
    return len(f"{value:.6f}".rstrip("0").partition(".")[2])


def result(told: CodecTried, language: str) -> list[Any]:
    """Values, warnings and errors of a try."""
    if not told.ok:
        return [html.H3(say(language, "codecs.failed")), html.Pre(told.error, className="hex", tabIndex=0)]
    boxes: list[Any] = []
    for name, notes in (("errors", told.errors), ("warnings", told.warnings)):
        if notes:
            boxes += [html.H3(say(language, f"codecs.{name}")), html.Ul([html.Li(note) for note in notes])]
    if told.values or told.refused:
        lines = [(k, number(language, v, digits(v)), told.words.get(k, "")) for k, v in told.values.items()]
        lines += [(key, "—", word(language, "reason", reason)) for key, reason in told.refused.items()]
        rows = [html.Tr([html.Td(k, className="code"), html.Td(v, className="num"), html.Td(w)]) for k, v, w in lines]
        boxes += [html.H3(say(language, "codecs.values")), _scrolled(rows)]
    return [
        *boxes,
        *_measures(told, language),
        html.H3(say(language, "codecs.output")),
        html.Pre(told.output, className="hex", tabIndex=0),
    ]


def _measures(told: CodecTried, language: str) -> list[Any]:
    """What the values measure by their names and units; a unit that was guessed says so."""
    if not told.measures:
        return []
    rows = [
        html.Tr(
            [
                html.Td(one.path, className="code"),
                html.Td(" ".join(filter(None, (one.quantity, one.channel and f"[{one.channel}]"))), className="code"),
                html.Td(measured(language, one.value, one.unit), className="num"),
                html.Td(say(language, "codecs.guessed") if one.how == "guessed" else ""),
            ]
        )
        for one in told.measures
    ]
    return [html.H3(say(language, "codecs.measures")), _scrolled(rows)]


def _scrolled(rows: list[html.Tr]) -> html.Div:
    """A table that scrolls by itself where the screen is narrow."""
    return html.Div(html.Table(html.Tbody(rows), className="plain"), className="scroll", tabIndex=0)


@callback(
    Output("codec-told", "children"),
    Output("toast", "data", allow_duplicate=True),
    Output("codec-base", "data"),
    Input("codec-save", "n_clicks"),
    State("codec-profile", "data"),
    State("codec-source", "value"),
    State("codec-note", "value"),
    State("codec-base", "data"),
    prevent_initial_call=True,
)
async def _save(clicks: int | None, profile: str, source: str | None, note: str | None, base: int) -> Any:
    if not clicks:
        return no_update, no_update, no_update
    who = viewer()
    try:
        version = await codecs.save(desk().db, who, profile, source=source or "", note=(note or "").strip(), base=base)
    except (*REFUSALS, *FAILURES) as error:
        return html.Pre(explain(error, who.language), className="hex"), no_update, no_update
    told = say(who.language, "codecs.saved", version=version)
    return told, actions.toast(told), version
