"""Raw frames on screens: bytes with their offsets, and the panel of last frames on the page of an object."""

from datetime import datetime
from typing import Any

from dash import Input, Output, State, callback, html

from citynet import access
from citynet.access import Actor
from citynet.errors import NotFound
from situation_center import views
from situation_center.desk import desk, viewer
from situation_center.screens.parts.failures import FAILURES, REFUSALS, explain
from situation_center.screens.parts.marks import panel
from situation_center.views.base import quantity
from situation_center.views.frames import FrameRow, LastFrames
from situation_center.wording import count, date_time, measured, say, word

HEX_BYTES = 16
COLUMNS = ("time", "road", "port", "counter", "bytes", "said")
FIRST_BYTES = 12


def hex_lines(data: bytes) -> str:
    """Offset, 16 bytes, and what of them is printable."""
    lines = []
    for start in range(0, len(data), HEX_BYTES):
        row = data[start : start + HEX_BYTES]
        printable = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        lines.append(f"{start:06x}  {row.hex(' '):<47}  {printable}")
    return "\n".join(lines)


def section(who: Actor) -> list[html.Section]:
    """The panel for those who may see refused frames too; the gateway is asked once the page is there."""
    if not access.allowed(who, "quarantine.read"):
        return []
    again = html.Button(say(who.language, "frames.again"), id="frames-again", n_clicks=0)
    wait = html.P(say(who.language, "frames.wait"), className="muted pad")
    body = html.Div(wait, id="object-frames", role="status")
    return [panel(say(who.language, "frames.title"), body, tools=again, className="wide")]


def _table(found: LastFrames, language: str) -> list[Any]:
    missing = [] if found["whole"] else [html.P(say(language, "frames.part"), className="muted pad")]
    if not found["frames"]:
        return [*missing, html.P(say(language, "frames.none"), className="muted pad")]
    looks = {name: "num" if name in ("port", "counter") else "" for name in COLUMNS}
    cells = [html.Th(say(language, f"frames.{name}"), scope="col", className=look) for name, look in looks.items()]
    rows = [_row(frame, language) for frame in found["frames"]]
    table = html.Table([html.Thead(html.Tr(cells)), html.Tbody(rows)], className="plain frames")
    return [html.Div(table, className="scroll"), *missing]


def _row(frame: FrameRow, language: str) -> html.Tr:
    numbers = ["—" if frame[name] is None else str(frame[name]) for name in ("f_port", "f_cnt")]
    road: list[Any] = [
        word(language, "road", frame["protocol"]),
        html.Br(),
        html.Small(_kind(frame, language), className="muted"),
    ]
    return html.Tr(
        [
            html.Td(_moment(frame["time"], language)),
            html.Td(road),
            *(html.Td(one, className="num") for one in numbers),
            html.Td(_bytes(frame, language)),
            html.Td(_said(frame, language)),
        ]
    )


def _moment(time: datetime, language: str) -> str:
    return f"{date_time(language, time, desk().zone)}:{time:%S}"


def _kind(frame: FrameRow, language: str) -> str:
    return say(language, "frames.history") if frame["stream"] == "HISTORY" else frame["kind"]


def _bytes(frame: FrameRow, language: str) -> Any:
    """The first ones; all that came with the answer when it is opened."""
    data = bytes.fromhex(frame["payload"])
    head = [
        html.Code(data[:FIRST_BYTES].hex(" ") + (" …" if frame["size"] > FIRST_BYTES else "")),
        html.Small(f" {count(language, 'byte', frame['size'])}", className="muted"),
    ]
    if frame["size"] <= FIRST_BYTES:
        return head
    cut = [html.Small(say(language, "frames.cut", n=len(data)), className="muted")] if frame["size"] > len(data) else []
    return html.Details([html.Summary(head), html.Pre(hex_lines(data), className="hex", tabIndex=0), *cut])


def _said(frame: FrameRow, language: str) -> list[Any]:
    """Values, and why there are none or fewer."""
    lines: list[Any] = []
    for one in frame["values"]:
        title = quantity(one["quantity"], one["unit"])
        name = title.name_ru if language == "ru" else title.name_en
        lines.append(html.Div([f"{name} ", html.B(measured(language, one["value"], one["unit"]))]))
    if frame["more"]:
        lines.append(html.Div(say(language, "frames.more", n=frame["more"]), className="muted"))
    if frame["counted"]:
        lines.append(html.Div(word(language, "frame_note", frame["counted"]), className="muted"))
    told = [("aside", pair) for pair in frame["set_aside"]]
    told += [("refused", pair) for pair in frame["refused"] if pair[0] not in {why for why, _ in frame["set_aside"]}]
    for kind, (reason, detail) in told:
        text = say(language, f"frames.{kind}", reason=word(language, "reason", reason))
        lines.append(html.Div([html.I(className="dot warn"), text, html.Small(f" {detail}", className="muted")]))
    return lines or ["—"]


@callback(Output("object-frames", "children"), Input("frames-again", "n_clicks"), State("object-id", "data"))
async def _show(_: int | None, object_id: int) -> Any:
    who = viewer()
    try:
        return _table(await views.last_frames(desk().db, who, object_id), who.language)
    except NotFound:
        return html.P(say(who.language, "frames.no_device"), className="muted pad")
    except (*REFUSALS, *FAILURES) as error:
        return html.P(explain(error, who.language), className="muted pad")
