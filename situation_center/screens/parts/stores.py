"""What waits before each stage, how full the disks are and how long data is kept: panels of the pipeline page."""

from collections.abc import Mapping
from typing import Any

from dash import html

from situation_center.desk import desk
from situation_center.screens.parts.marks import empty
from situation_center.views.rows import Pipeline
from situation_center.wording import date_time, integer, number, say, word

DISKS = ("database", "broker")


def _table(head: list[str], rows: list[list[Any]]) -> html.Div:
    top = html.Tr([html.Th(text, scope="col") for text in head])
    body = [html.Tr([html.Td(row[0]), *(html.Td(cell, className="num") for cell in row[1:])]) for row in rows]
    return html.Div(html.Table([html.Thead(top), html.Tbody(body)], className="plain"), className="scroll")


def waiting(found: Pipeline, language: str) -> Any:
    """Messages before each stage, and hours before the roll-up."""
    if found["lags"] is None:
        return empty(say(language, "pipeline.no_broker"))
    rows = [[word(language, "durable", name), integer(language, lag)] for name, lag in found["lags"].items()]
    rows.append([say(language, "pipeline.backlog"), integer(language, found["backlog"])])
    return _table([say(language, "pipeline.stage_of"), say(language, "pipeline.messages")], rows)


def kept(found: Pipeline, gauges: Mapping[str, float], language: str) -> Any:
    """Classes of data with their days, how far back they reach and their room; below, the disks."""
    zone, settings = desk().zone, desk().settings
    rows = [
        [
            word(language, "class_of_data", row["kind"]),
            _days(row["days"], language),
            date_time(language, row["oldest"], zone) if row["oldest"] else "—",
            number(language, row["bytes"] / 1e6, 0),
        ]
        for row in found["kept"]
    ]
    if "archive_bytes" in gauges:
        back = number(language, gauges["archive_days"], 1)
        reach = say(language, "pipeline.days_back", days=back)
        size = number(language, gauges["archive_bytes"] / 1e6, 0)
        rows.append([word(language, "class_of_data", "frames"), _days(settings.archive_days, language), reach, size])
    names = ("data", "kept_for", "reaches_back", "megabytes")
    table = _table([say(language, f"pipeline.{name}") for name in names], rows)
    return [table if rows else empty(say(language, "pipeline.not_looked")), *_disks(gauges, language)]


def _days(days: int, language: str) -> str:
    return integer(language, days) if days else say(language, "pipeline.for_ever")


def _disks(gauges: Mapping[str, float], language: str) -> list[Any]:
    return [html.P(_disk(gauges, name, language), className="pad") for name in DISKS]


def _disk(gauges: Mapping[str, float], name: str, language: str) -> list[Any]:
    title = say(language, f"pipeline.disk_{name}")
    used, free = gauges.get(f"disk_{name}_used"), gauges.get(f"disk_{name}_free_bytes")
    if used is None or free is None:
        return [f"{title}: ", html.Span(say(language, "pipeline.not_watched"), className="muted")]
    bad = used >= desk().settings.disk_alarm_percent
    words = say(language, "pipeline.disk_of", used=number(language, used, 0), free=number(language, free / 1e9, 1))
    stopped = name == "database" and gauges.get("taking") == 0
    return [
        f"{title}: ",
        html.B(words) if bad else words,
        *([html.B(f" {say(language, 'pipeline.stopped')}")] if stopped else []),
    ]
