"""The frame around every page: header, stores, push, dialogs, and the callback that shows the page of an address."""

import json
from datetime import UTC, datetime
from typing import Any

import dash_mantine_components as dmc
import structlog
from dash import ClientsideFunction, Input, Output, callback, clientside_callback, dcc, html, no_update

from citynet import access
from citynet.access import Actor
from citynet.catalog import catalog
from citynet.errors import Forbidden, NotFound
from situation_center import auth
from situation_center.desk import desk, viewer
from situation_center.screens import find
from situation_center.screens.parts import actions, dialogs, feed
from situation_center.screens.parts.browser import attrs, in_browser
from situation_center.screens.parts.failures import FAILURES, Logged
from situation_center.screens.parts.marks import browser_words
from situation_center.wording import say, zone_name

# Mantine's dark shades, from text to the deepest ground, in the greys of screens.css.
DARK = ["dfe5ea", "c3ccd3", "9aa5af", "7d8993", "3f4952", "2b333a", "1b2025", "14181b", "0f1215", "0b0e10"]
log = structlog.get_logger()
STORES = (
    "selection",
    "shown",
    "map-layers",
    "action",
    "pressed",
    "toast",
    "dialog",
    "card-refresh",
    "page-refresh",
    "chosen",
)


def layout() -> Any:
    """The shell for whoever asks; Dash calls it once a page load."""
    with Logged():
        return shell(viewer())


def shell(who: Actor) -> Any:
    """Header, the empty page, stores, windows."""
    language = who.language
    stores = [dcc.Store(id=name) for name in (*STORES, "resync", "all-rows", "reload", "sink", feed.STORE)]
    words = json.dumps(browser_words(language), ensure_ascii=False)
    frame = html.Div(
        [
            html.A(say(language, "shell.skip"), href="#page", className="skip"),
            _header(who),
            html.Main(id="page", tabIndex=-1),
            _toast(language),
            _session_ended(language),
            dialogs.window(language),
            html.Div(id="words", hidden=True, **attrs(data_words=words)),
            dcc.Location(id="url", refresh="callback-nav"),
            *stores,
        ],
        id="shell",
    )
    theme = {
        "fontFamily": "inherit",
        "defaultRadius": 3,
        "primaryColor": "gray",
        "colors": {"dark": [f"#{grey}" for grey in DARK]},
    }
    return dmc.MantineProvider(frame, forceColorScheme=who.theme, theme=theme)


def pages(who: Actor) -> list[tuple[str, str]]:
    """(address, title) of the pages that the viewer may open."""
    language = who.language
    found = [("/", say(language, "shell.main"))]
    for service in catalog().services.values():
        if access.allowed(who, "screen.open", {"service": service.name}):
            ru, en = service.menu_ru or service.title_ru, service.menu_en or service.title_en
            title = ru if language == "ru" else en
            found.append((f"/service/{service.name}", title))
    if access.allowed(who, "command.read"):
        found.append(("/commands", say(language, "orders.title")))
    if access.allowed(who, "registry.read"):
        found.append(("/registry", say(language, "registry.title")))
        found.append(("/health", say(language, "health.menu")))
    if access.allowed(who, "pipeline.read"):
        found.append(("/pipeline", say(language, "shell.pipeline")))
    return found


def _header(who: Actor) -> html.Header:
    language = who.language
    links = [dcc.Link(title, href=path) for path, title in pages(who)]
    brand = dcc.Link(say(language, "shell.product"), href="/", className="brand")
    nav = html.Nav(links, id="nav", **attrs(aria_label=say(language, "shell.menu")))
    return html.Header([brand, nav, html.Div(_header_right(who), className="header-right")], className="header")


def _header_right(who: Actor) -> list[Any]:
    language = who.language
    zone = attrs(data_city_zone=desk().settings.timezone)
    clock = html.Div(
        [
            html.Small(**attrs(data_clock="date"), className="date"),
            html.B(id="city-clock", **attrs(data_clock="time"), **zone),
            html.Small(zone_name(datetime.now(UTC), desk().zone)),
            html.Small(id="city-speed", hidden=True),
        ],
        className="clock",
        title=say(language, "shell.city_time"),
    )
    states = [html.Span(say(language, f"shell.{s}"), className=f"is-{s}") for s in ("live", "lost")]
    other = "en" if language == "ru" else "ru"
    theme = say(language, "shell.light" if who.theme == "dark" else "shell.dark")
    title = say(language, "shell.language")
    return [
        clock,
        html.Div(states, className="light", title=say(language, "shell.connection"), role="status"),
        html.Button(other.upper(), id="switch-language", className="small", title=title, lang=other),
        html.Button(theme, id="switch-theme", className="small", title=say(language, "shell.theme")),
        dcc.Link(
            [who.login, html.Small(say(language, f"role.{who.role}"))],
            href="/account",
            className="person",
            title=say(language, "account.title"),
        ),
        html.Form(
            html.Button(say(language, "shell.sign_out"), type="submit", className="small"),
            action="/signin/out",
            method="POST",
        ),
    ]


def _toast(language: str) -> html.Div:
    undo = html.Button(say(language, "card.undo"), id="toast-undo", hidden=True)
    return html.Div([html.Span(id="toast-text"), undo], id="toast-bar", role="status", hidden=True)


def _session_ended(language: str) -> html.Div:
    link = html.A(say(language, "signin.enter"), href=f"/signin?lang={language}", className="button")
    box = html.Div([html.H2(say(language, "signin.ended")), link])
    return html.Div(box, id="session-ended", hidden=True, role="alertdialog", **attrs(aria_modal="true"))


def problem(language: str, name: str) -> html.Div:
    """A whole page that says what is wrong: not_found, forbidden or failed."""
    link = dcc.Link(say(language, "shell.to_main"), href="/", className="button")
    words = [html.H1(say(language, f"shell.{name}")), html.P(say(language, f"shell.{name}_help"))]
    attributes = attrs(data_follows="beat", data_pause="5000") if name == "failed" else {}
    return html.Div([*words, html.P(link)], className="empty", **attributes)


async def page(who: Actor, path: str) -> Any:
    """The page of an address, or a page that says why it is not shown."""
    found = find(path)
    if found is None:
        return problem(who.language, "not_found")
    screen, said = found
    try:
        access.require(who, screen.action)
        return await screen.build(who, said)
    except NotFound:
        return problem(who.language, "not_found")
    except Forbidden:
        return problem(who.language, "forbidden")
    except FAILURES as error:
        log.warning("page not shown", path=path, error=str(error))
        return problem(who.language, "failed")


@callback(Output("page", "children"), Input("url", "pathname"))
async def _show(path: str | None) -> Any:
    return await page(viewer(), path or "/")


@callback(
    Output("reload", "data"),
    Output("toast", "data", allow_duplicate=True),
    Input("switch-language", "n_clicks"),
    Input("switch-theme", "n_clicks"),
    prevent_initial_call=True,
)
async def _switch(language: int | None, theme: int | None) -> Any:
    """The other language or theme, kept in the account."""
    who = viewer()
    wanted = {"language": "en" if who.language == "ru" else "ru"} if language else {}
    wanted |= {"theme": "light" if who.theme == "dark" else "dark"} if theme else {}
    try:
        await auth.set_preferences(desk().db, who, **wanted)
    except FAILURES as error:
        return no_update, actions.refused(error, who.language)
    return (language or 0) + (theme or 0), no_update


in_browser("follow", Input(feed.STORE, "data"))
in_browser("takeAll", Input("all-rows", "data"))
in_browser("showToast", Input("toast", "data"))
in_browser("reload", Input("reload", "data"))
in_browser("markPage", Input("url", "pathname"))
clientside_callback(
    ClientsideFunction("screens", "selectionChanged"), Output("shown", "data"), Input("selection", "data")
)
