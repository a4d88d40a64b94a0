"""Consumption by the hour or day as bars: what a register says, for the object page."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import plotly.graph_objects as go

from situation_center.screens.parts.charts import COLOURS, frame, say_empty
from situation_center.views.rows import Period, SeriesRow
from situation_center.views.series import By
from situation_center.wording import say, unit, word


def consumption(
    series: SeriesRow, periods: Sequence[Period], *, by: By, theme: str, language: str, zone: ZoneInfo
) -> go.Figure:
    """What a register counted in each hour or local day; hatched where it was not read at both ends."""
    name, colour = series["title_ru" if language == "ru" else "title_en"], COLOURS[theme]
    told = say(language, f"object.consumption_{by}", name=name, unit=unit(language, series["unit"]))
    figure = go.Figure(layout=frame(theme, language, title=told))
    counted = [row for row in periods if row["used"] is not None]
    starts = [row["start"] for row in counted]
    times = [start.astimezone(zone) if isinstance(start, datetime) else start for start in starts]
    notes = [", ".join(word(language, "used", mark) for mark in row["marks"]) for row in counted]
    bars = go.Bar(
        x=[f"{time:%Y-%m-%dT%H:%M}" for time in times],
        y=[row["used"] for row in counted],
        customdata=notes,
        hovertemplate="%{y:.6~g} %{customdata}<extra></extra>",
        marker={
            "color": colour["edge"],
            "pattern": {"shape": ["/" if note else "" for note in notes], "fgcolor": colour["line"], "size": 5},
        },
    )
    figure.add_trace(bars)
    figure.update_layout(bargap=0.15)
    if by == "day":
        figure.update_xaxes(tickformat="%d.%m" if language == "ru" else "%d %b")
    if not counted:
        say_empty(figure, language)
    return figure
