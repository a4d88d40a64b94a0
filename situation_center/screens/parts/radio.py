"""Radio on screens: cells of the tables of the health page, and the panel on the page of an object."""

from typing import Any

from dash import html

from citynet.access import Actor
from citynet.errors import NotFound
from situation_center import views
from situation_center.desk import desk
from situation_center.screens.parts.marks import object_link, panel, passport
from situation_center.views.radio import CounterRow, DeviceRadio, GatewayRow, LinkRow, WeakRow
from situation_center.wording import date_time, integer, number, say

WEAK = ("object", "rssi", "snr", "spreading", "margin", "loss", "heard_by", "told")
GATEWAY = ("gateway", "devices", "alone", "rssi", "snr", "loss", "heard")
COUNTER = ("object", "resets", "replays", "f_cnt", "last")
LINK = ("gateway", "rssi", "snr", "frames")


def _numbers(language: str, *values: tuple[float | None, int]) -> list[html.Td]:
    said = ["—" if value is None else number(language, value, digits) for value, digits in values]
    return [html.Td(one, className="num") for one in said]


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def weak(row: WeakRow, language: str) -> list[html.Td]:
    """After its place: signal, margin, losses."""
    spreading = html.Td(f"SF{row['spreading']}" if row["spreading"] else "—", className="num")
    signal = _numbers(language, (row["rssi"], 0), (row["snr"], 1))
    rest = _numbers(language, (row["margin"], 1), (_percent(row["loss"]), 1), (row["gateways"], 0))
    return [*signal, spreading, *rest, html.Td(date_time(language, row["since"], desk().zone))]


def counter(row: CounterRow, language: str) -> list[html.Td]:
    """After its place: how often, where the counter is."""
    figures = _numbers(language, (row["resets"], 0), (row["replays"], 0), (row["f_cnt"], 0))
    return [*figures, html.Td(date_time(language, row["last"], desk().zone))]


def _gateway_name(row: GatewayRow | LinkRow, language: str) -> html.Td:
    name = row["object_ru"] if language == "ru" else row["object_en"]
    if row["object_id"] is None or not name:
        return html.Td(html.Code(row["gateway"]))
    return html.Td([object_link(row["object_id"], name), html.Br(), html.Small(row["gateway"], className="muted")])


def gateway(row: GatewayRow, language: str) -> html.Tr:
    """A gateway and what it hears."""
    figures = ((row["devices"], 0), (row["alone"], 0), (row["rssi"], 0), (row["snr"], 1), (_percent(row["loss"]), 1))
    heard = html.Td(date_time(language, row["heard"], desk().zone))
    return html.Tr([_gateway_name(row, language), *_numbers(language, *figures), heard])


async def section(who: Actor, object_id: int) -> list[html.Section]:
    """The panel of an object whose device a radio network hears, or nothing."""
    try:
        found = await views.device_radio(desk().db, who, object_id)
    except NotFound:
        return []
    body = [html.Div(passport(_facts(found, who.language)), className="pad"), _links(found, who.language)]
    return [panel(say(who.language, "health.radio"), body)]


def _facts(found: DeviceRadio, language: str) -> list[tuple[str, Any]]:
    zone = desk().zone
    frames, lost = sum(found["frames"]), sum(found["lost"])
    share = number(language, 100 * lost / (frames + lost), 1) if frames + lost else "—"
    counts = {"frames": integer(language, frames), "lost": integer(language, lost)}
    signal = f"{number(language, found['rssi'], 0)} / {number(language, found['snr'], 1)}" if found["links"] else "—"
    rows: list[tuple[str, Any]] = [
        ("last_frame", date_time(language, found["last_heard"], zone)),
        ("signal", signal),
        ("spreading", f"SF{found['spreading']}" if found["spreading"] else "—"),
        ("month", say(language, "health.month_said", **counts, share=share)),
        ("f_cnt", integer(language, found["f_cnt"])),
    ]
    for name, at in (("resets", found["last_reset"]), ("replays", found["last_replay"])):
        if at:
            rows.append((name, f"{found[name]} · {date_time(language, at, zone)}"))  # type: ignore[literal-required]
    return [(say(language, f"health.{name}"), value) for name, value in rows]


def _links(found: DeviceRadio, language: str) -> html.Div:
    looks = {name: "" if name == "gateway" else "num" for name in LINK}
    cells = [html.Th(say(language, f"health.{name}"), scope="col", className=look) for name, look in looks.items()]
    lines = [
        html.Tr(
            [
                _gateway_name(row, language),
                *_numbers(language, (row["rssi"], 0), (row["snr"], 1), (row["frames"], 0)),
            ]
        )
        for row in found["links"]
    ]
    return html.Div(html.Table([html.Thead(html.Tr(cells)), html.Tbody(lines)], className="plain"), className="scroll")
