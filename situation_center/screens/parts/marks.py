"""Small pieces of every screen: severity symbols, labelled figures, empty states, links."""

from typing import Any

from dash import dcc, html

from situation_center.screens.parts.browser import attrs
from situation_center.wording import say, texts

SEVERITIES = ("critical", "high", "medium", "low", "unknown", "normal")
PRIORITY_LOOK = {1: "critical", 2: "high", 3: "medium", 4: "low"}


def symbol(severity: str) -> html.I:
    """The shape of a severity; the word beside it carries the meaning."""
    return html.I(className=f"sev sev-{severity}", **attrs(aria_hidden="true"))


def severity_word(language: str, severity: str) -> html.Span:
    """Shape and word."""
    return html.Span([symbol(severity), say(language, f"severity_short.{severity}")], className="prio")


def priority_mark(priority: int) -> html.Span:
    """Shape, colour and P1..P4."""
    return html.Span([symbol(PRIORITY_LOOK[priority]), html.B(f"P{priority}")], className="prio")


def figures(pairs: list[tuple[str, str]]) -> html.Dl:
    """Small labelled numbers in boxes."""
    return html.Dl([html.Div([html.Dt(label), html.Dd(value)]) for label, value in pairs], className="figures")


def passport(pairs: list[tuple[str, Any]]) -> html.Dl:
    """Name and value in two columns."""
    return html.Dl([cell for label, value in pairs for cell in (html.Dt(label), html.Dd(value))], className="passport")


def empty(text: str, more: str = "") -> html.Div:
    """What to say where there is nothing."""
    return html.Div([html.P(text), html.P(more, className="muted")] if more else html.P(text), className="empty")


def panel(title: str, body: Any, *, tools: Any = None, className: str = "") -> html.Section:
    """A titled surface."""
    head = html.Header([html.H2(title), *([html.Div(tools, className="grow")] if tools is not None else [])])
    return html.Section([head, *(body if isinstance(body, list) else [body])], className=f"panel {className}".strip())


def object_link(object_id: int, name: str) -> dcc.Link:
    """To the card of an object, without loading the page again."""
    return dcc.Link(name, href=f"/object/{object_id}", className="quiet")


def browser_words(language: str) -> dict[str, Any]:
    """The words that cells of the grids need in the browser."""
    table = texts(language)
    words = {name: table[name] for name in ("state", "severity", "severity_short", "deadline")}
    queue, error = table["queue"], table["error"]
    return words | {"unassigned": queue["unassigned"], "count": queue["count"], "choose": error["choose"]}
