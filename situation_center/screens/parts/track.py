"""The way of a moving object on its page: the live map with the line of the last 24 hours, and figures of it."""

from datetime import datetime
from typing import Any

from dash import html

from citynet.access import Actor
from situation_center import views
from situation_center.desk import desk
from situation_center.screens.parts import citymap
from situation_center.screens.parts.browser import attrs
from situation_center.screens.parts.marks import panel, passport
from situation_center.views.rows import ObjectCard, SeriesRow
from situation_center.views.tracks import PLACE, Track
from situation_center.wording import clock_time, date_time, integer, measured, milliseconds, say


async def section(who: Actor, found: ObjectCard) -> list[Any]:
    """The panel of an object that moves; for the others only the place where last_heard() may write nothing."""
    heard = html.Div(last_heard(found, who.language), id="track-heard", className="pad")
    if not _place(found):
        return [heard]
    now = (await views.strip(desk().db, who))["now"]
    way = await views.track(desk().db, who, found["object_id"], until=now)
    body: list[Any] = [heard]
    if way.fixes:
        facts = html.Div(_figures(way, now, who.language), className="pad")
        body += [facts, html.Div(citymap.layout(who, track=found["object_id"]), className="track-map")]
    return [panel(say(who.language, "object.track"), body)]


def _place(found: ObjectCard) -> dict[str, SeriesRow]:
    """The series of latitude and longitude; empty for what does not move and for whoever may not read."""
    series = {row["quantity"]: row for row in reversed(found["series"]) if row["quantity"] in PLACE}
    return series if len(series) == len(PLACE) else {}


def last_heard(found: ObjectCard, language: str) -> Any:
    """Where the object last said that it is, and how old that is: counted on in the browser."""
    series = _place(found)
    if not series:
        return None
    lat, lon = series["latitude"], series["longitude"]
    if lat["value"] is None or lon["value"] is None or lat["time"] is None or lat["time"] != lon["time"]:
        return html.P(say(language, "object.track_none"), className="muted")
    place = f"{lat['value']:.5f}, {lon['value']:.5f} · {date_time(language, lat['time'], desk().zone)}"
    age = html.Span(key=str(lat["time"]), **attrs(data_since=str(milliseconds(lat["time"]))))
    return passport([(say(language, "object.track_last"), place), (say(language, "object.track_age"), age)])


def _figures(way: Track, now: datetime, language: str) -> Any:
    until = clock_time(now, desk().zone)
    pairs = [(say(language, "object.track_length", time=until), measured(language, way.metres / 1000, "km"))]
    if way.doubtful:
        pairs.append((say(language, "object.track_doubtful"), integer(language, way.doubtful)))
    return passport(pairs)
