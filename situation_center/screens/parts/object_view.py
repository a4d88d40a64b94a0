"""An object of the city: passport, newest values, what it can be told to do. For the card and the object page."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dash import dcc, html

from citynet.access import Actor
from citynet.catalog import catalog
from citynet.model import Quality
from situation_center import views
from situation_center.desk import desk
from situation_center.screens.parts import bars, card, charts
from situation_center.screens.parts.browser import attrs
from situation_center.screens.parts.card import named
from situation_center.screens.parts.marks import passport, priority_mark, severity_word
from situation_center.views.rows import ObjectCard, QueueRow, SeriesRow
from situation_center.views.series import By
from situation_center.wording import clock_time, date_time, measured, say, word

RANGES = {"6h": timedelta(hours=6), "24h": timedelta(hours=24), "7d": timedelta(days=7), "28d": timedelta(days=28)}


def facts(found: ObjectCard, language: str) -> list[tuple[str, Any]]:
    """Rows of the passport that are known."""
    service = catalog().services.get(found["service"] or "")
    title = service and (service.title_ru if language == "ru" else service.title_en)
    parent = found["parent_id"] and html.A(named(found, "parent", language), href=f"/object/{found['parent_id']}")
    place = f"{found['lat']:.5f}, {found['lon']:.5f}" if found["lat"] is not None and found["lon"] is not None else None
    rows = [
        ("class", word(language, "class", found["class_"])),
        ("service", title),
        ("org", named(found, "org", language) or None),
        ("parent", parent),
        ("key", found["key"]),
        ("place", place),
    ]
    return [(say(language, f"object.{name}"), value) for name, value in rows if value]


def measures(series: list[SeriesRow]) -> list[SeriesRow]:
    """Without places: those are on the map."""
    known = catalog().quantities
    return [row for row in series if row["quantity"] not in known or known[row["quantity"]].kind != "position"]


def quality_words(quality: int | None, language: str) -> str:
    """The quality bits in words; "measured" when none is set."""
    bits = [bit for bit in Quality if bit & (quality or 0)]
    return ", ".join(word(language, "quality", str(bit.name).lower()) for bit in bits) or say(language, "object.good")


def values(series: list[SeriesRow], language: str, zone: ZoneInfo) -> Any:
    """The newest value of every series."""
    series = measures(series)
    if not series:
        return html.P(say(language, "object.no_values"), className="muted")
    looks = {"quantity": "", "value": "num", "time": "num", "quality": ""}
    head = html.Tr([html.Th(say(language, f"object.{c}"), scope="col", className=look) for c, look in looks.items()])
    rows = [
        html.Tr(
            [
                html.Td(named(row, "title", language)),
                html.Td(html.B(measured(language, row["value"], row["unit"])), className="num"),
                html.Td(clock_time(row["time"], zone), className="num"),
                html.Td(quality_words(row["quality"], language), className="muted"),
            ]
        )
        for row in series
    ]
    return html.Div(html.Table([html.Thead(head), html.Tbody(rows)], className="plain"), className="scroll")


def incidents(rows: list[QueueRow], language: str, zone: ZoneInfo) -> Any:
    """Open incidents of the object or service."""
    if not rows:
        return html.P(say(language, "service.no_incidents"), className="muted")
    lines = [
        html.Li(
            [
                priority_mark(row["priority"]),
                html.Span(
                    [
                        html.B(named(row, "title", language)),
                        f" · {named(row, 'place', language)} ",
                        _state(row, language, zone),
                    ]
                ),
            ]
        )
        for row in rows
    ]
    return html.Ul(lines, className="lines")


def _state(row: QueueRow, language: str, zone: ZoneInfo) -> html.Small:
    return html.Small(f"{say(language, 'state.' + row['state'])}, {date_time(language, row['opened'], zone)}")


def summary(found: ObjectCard, who: Actor, zone: ZoneInfo) -> tuple[html.Div, html.Div]:
    """The card of an object that has no incident: the same place as the card of an incident."""
    language = who.language
    ids = " ".join(row["command_id"] for row in found["commands"])
    top = [
        html.Div(severity_word(language, found["state"]), className="head-line"),
        html.H2(named(found, "name", language)),
    ]
    more = dcc.Link(say(language, "service.open_object"), href=f"/object/{found['object_id']}", className="button")
    upper = [
        html.Section(top, className="headline"),
        html.Section(passport(facts(found, language))),
        html.Section([html.H2(say(language, "object.values"), className="label"), _short(found["series"], language)]),
    ]
    orders = card.commands(found["possible"], found["commands"], who=who, zone=zone, id_="card-commands")
    lower = [part for part in (orders, html.Section(more)) if part is not None]
    return html.Div(upper, className="card", **attrs(data_commands=ids)), html.Div(lower, className="card")


def _short(series: list[SeriesRow], language: str) -> Any:
    if not series:
        return html.P(say(language, "object.no_values"), className="muted")
    shown = [(named(r, "title", language), html.B(measured(language, r["value"], r["unit"]))) for r in measures(series)]
    return passport(shown)


async def plot(who: Actor, series: SeriesRow, length: timedelta) -> Any:
    """The newest stretch of a series, with its usual range; what a register says is consumption, by hour or day."""
    place = desk()
    until = (await views.strip(place.db, who))["now"]
    look: Any = {"theme": who.theme, "language": who.language, "zone": place.zone}
    known = catalog().quantities.get(series["quantity"])
    if known and known.kind == "cumulative" and length >= RANGES["24h"]:
        by: By = "hour" if length == RANGES["24h"] else "day"
        first, last = ((moment.astimezone(place.zone)).date() for moment in (until - length, until))
        end = last + timedelta(days=1)
        found = await views.periods(place.db, who, series["series_id"], by=by, since=first, until=end)
        since = first if by == "day" else until - length
        return bars.consumption(series, [row for row in found if row["start"] >= since], by=by, **look)
    points = await views.points(place.db, who, series["series_id"], since=until - length, until=until)
    return charts.one(series, points, **look)
