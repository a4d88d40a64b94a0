"""The top strip of the main screen: what the room needs to know at a glance. Its numbers are kept by the push."""

from typing import Any

from dash import html

from situation_center.screens.parts.marks import PRIORITY_LOOK, symbol
from situation_center.screens.parts.rows import FLOOD, RATE_LIMIT, strip_data
from situation_center.views.rows import Strip
from situation_center.wording import say

GAUGE_MAX = FLOOD + 2


def _value(id_: str, data: dict[str, Any]) -> dict[str, Any]:
    """Properties of an element that shows an entry of strip_data."""
    entry = data[id_]
    fields = entry if isinstance(entry, dict) else {"text": entry}
    marks = {f"data-{name}": value for name, value in fields.items() if name not in ("text", "share") and value}
    return {"id": id_, "children": fields.get("text", "")} | marks


def _tile(label: str, *body: Any, title: str = "") -> html.Div:
    return html.Div([html.Dt(label), html.Dd(list(body))], className="tile", title=title)


def _gauge(data: dict[str, Any]) -> html.Div:
    mark = data["strip-gauge"]
    ticks = [html.Span(style={"left": f"{100 * n / GAUGE_MAX:.1f}%"}) for n in (1, RATE_LIMIT, FLOOD)]
    width = f"{100 * float(mark['share']):.0f}%"
    level = {"data-level": mark["level"]} if mark["level"] else {}
    return html.Div([html.I(style={"width": width}), *ticks], id="strip-gauge", className="gauge", **level)


def _waiting(data: dict[str, Any]) -> list[html.Span]:
    def tally(priority: int) -> html.Span:
        word = html.Span(f"P{priority}", className="visually-hidden")
        number = html.Span(**_value(f"strip-new-{priority}", data))
        return html.Span([symbol(PRIORITY_LOOK[priority]), word, number], className="tally")

    return [tally(priority) for priority in PRIORITY_LOOK]


def layout(strip: Strip, language: str) -> html.Dl:
    """The strip as it is now."""
    data = strip_data(strip, language)

    def word(name: str) -> str:
        return say(language, f"strip.{name}")

    return html.Dl(
        [
            _tile(word("stage"), html.Span(**_value("strip-stage", data))),
            _tile(word("rate"), html.Span(**_value("strip-rate", data)), _gauge(data), title=word("rate_help")),
            _tile(word("waiting"), *_waiting(data)),
            _tile(word("oldest"), html.Span(**_value("strip-oldest", data))),
            _tile(word("open"), html.Span(**_value("strip-open", data))),
            _tile(word("lag"), html.Span(**_value("strip-lag", data))),
            _tile(word("sign_in"), html.Span(**_value("strip-sign-in", data)), title=word("sign_in_help")),
            _tile(
                word("silent"), html.Span(**_value("strip-silent", data)), html.Small(**_value("strip-devices", data))
            ),
        ],
        className="strip",
    )
