"""Plots in the style of the house: grey lines, no decoration, the usual range as a band; nothing from outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import plotly.graph_objects as go
from dash import dcc, html

from situation_center.screens.parts.browser import attrs
from situation_center.views.rows import Points, SeriesRow
from situation_center.wording import say, unit

COLOURS = {
    "dark": {
        "text": "#9aa5af",
        "line": "#dfe5ea",
        "grid": "#2b333a",
        "band": "rgba(154,165,175,0.20)",
        "edge": "#5d6872",
    },
    "light": {
        "text": "#55606a",
        "line": "#1d2429",
        "grid": "#dfe3e6",
        "band": "rgba(85,96,106,0.16)",
        "edge": "#8b969f",
    },
}
# Several series side by side: told apart by lightness and dash, colours stay for what is not normal.
TONES = {
    "dark": ["#eef2f5", "#aab4bd", "#7d8993", "#c8b9a6", "#8fb0bf", "#b9a9c4"],
    "light": ["#1d2429", "#5d6872", "#8b969f", "#7a5f3c", "#2f6073", "#5f4a70"],
}
DASHES = ["solid", "dash", "dot"]
ABNORMAL = {"critical": "#d55e00", "high": "#e69f00", "medium": "#c9bc1f", "low": "#56b4e9"}
CONFIG: Any = {"displayModeBar": False, "responsive": True, "displaylogo": False, "scrollZoom": False}


def local(times: Sequence[datetime], zone: ZoneInfo) -> list[str]:
    """Wall times of the city without an offset: Plotly has no zones."""
    return [t.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] for t in times]


def frame(theme: str, language: str, *, title: str = "", legend: bool = False) -> dict[str, Any]:
    """Layout of every plot."""
    colour = COLOURS[theme]
    axis = {"gridcolor": colour["grid"], "zeroline": False, "linecolor": colour["grid"], "automargin": True}
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "'Noto Sans', 'DejaVu Sans', sans-serif", "size": 12, "color": colour["text"]},
        "margin": {"l": 8, "r": 10, "t": 22 if title else 8, "b": 8},
        "xaxis": axis | {"showgrid": False, "tickformat": "%H:%M\n%d.%m" if language == "ru" else "%H:%M\n%d %b"},
        "yaxis": axis | {"nticks": 5, "rangemode": "normal"},
        "showlegend": legend,
        "legend": {"orientation": "h", "y": -0.24, "x": 0, "yanchor": "top", "itemwidth": 30},
        "hovermode": "x unified" if not legend else "closest",
        "hoverlabel": {"bgcolor": "#232a30" if theme == "dark" else "#ffffff", "font": {"color": colour["line"]}},
        "uirevision": "keep",
        "separators": ", " if language == "ru" else ".,",
        "annotations": [_title(title, colour["text"])] if title else [],
        "dragmode": "zoom",
    }


def _title(text: str, colour: str) -> dict[str, Any]:
    return {
        "text": text,
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": 1,
        "yanchor": "bottom",
        "xanchor": "left",
        "font": {"size": 12, "color": colour},
    }


def _line(points: Points, name: str, *, look: dict[str, Any], zone: ZoneInfo) -> go.Scattergl:
    return go.Scatter(
        x=local(points["time"], zone),
        y=points["value"],
        name=name,
        mode="lines" if len(points["time"]) > 1 else "markers",
        line={"width": 1.6, "shape": "linear"} | look,
        hovertemplate="%{y:.4~g}",
    )


def one(
    series: SeriesRow, points: Points, *, theme: str, language: str, zone: ZoneInfo, opened: datetime | None = None
) -> go.Figure:
    """One series with its usual range; opened marks when the condition began."""
    title = f"{series['title_ru' if language == 'ru' else 'title_en']}, {unit(language, series['unit'])}"
    figure = go.Figure(layout=frame(theme, language, title=title))
    colour = COLOURS[theme]
    low, high = series["low"], series["high"]
    if low is not None and high is not None:
        band = {"fillcolor": colour["band"], "line_width": 0, "layer": "below"}
        figure.add_hrect(y0=low, y1=high, **band)
        figure.add_hline(y=high, line={"color": colour["edge"], "width": 1, "dash": "dot"})
    if opened is not None:
        figure.add_vline(x=local([opened], zone)[0], line={"color": "#e69f00", "width": 1.5, "dash": "dash"})
    figure.add_trace(_line(points, "", look={"color": colour["line"]}, zone=zone))
    if not points["time"]:
        say_empty(figure, language)
    return figure


def say_empty(figure: go.Figure, language: str) -> None:
    """Where there is nothing to draw."""
    text = say(language, "service.no_data")
    figure.add_annotation(text=text, showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5)


def many(
    series: list[SeriesRow],
    points: list[Points],
    *,
    states: Mapping[int, str],
    theme: str,
    language: str,
    zone: ZoneInfo,
) -> go.Figure:
    """Several series of one quantity: grey, but in the colour of its severity where the object is not normal."""
    figure = go.Figure(layout=frame(theme, language, legend=True))
    tones = TONES[theme]
    for i, (row, values) in enumerate(zip(series, points, strict=True)):
        look: dict[str, Any] = {
            "color": tones[i % len(tones)],
            "dash": DASHES[i // len(tones) % len(DASHES)],
            "width": 1.1,
        }
        state = states.get(row["object_id"], "normal")
        if state in ABNORMAL:
            look = {"color": ABNORMAL[state], "width": 2.4}
        figure.add_trace(_line(values, row["object_ru" if language == "ru" else "object_en"], look=look, zone=zone))
    return figure


def graph(figure: go.Figure | None, label: str, *, tall: bool = False, **more: Any) -> html.Figure:
    """A plot with a name for those who do not see it."""
    given = {"figure": figure} if figure is not None else {}
    style = {"height": "300px" if tall else "180px"}
    plot = dcc.Graph(config=CONFIG, style=style, responsive=True, **given, **more)
    return html.Figure(plot, role="img", className="plot", **attrs(aria_label=label))
