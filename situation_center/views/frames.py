"""The last raw frames of the device of an object: bytes, what they say, why they were set aside; by the gateway."""

from datetime import datetime
from typing import Any, cast

import msgspec
from typing_extensions import TypedDict

from citynet.access import Actor, require
from citynet.errors import NotFound, Unavailable
from citynet.model import FramesAsked, FramesTold, RawFrame
from situation_center.store import Center
from situation_center.views.base import SQL, scope
from situation_center.views.objects import object_card

ASK_S = 15.0


class FrameValue(TypedDict):
    """A value of a frame by the codecs of now."""

    series_id: int
    object_id: int
    quantity: str
    unit: str
    value: float
    time: datetime
    quality: int


class FrameRow(TypedDict):
    """A frame. payload in base 16, its first bytes; size = all of them; by_radio: they went over the air.

    set_aside: reason and detail in the quarantine when it came; refused: why it cannot be used now.
    """

    time: datetime
    stream: str
    seq: int
    protocol: str
    kind: str
    f_port: int | None
    f_cnt: int | None
    by_radio: bool
    payload: str
    size: int
    values: list[FrameValue]
    more: int
    set_aside: list[tuple[str, str]]
    refused: list[tuple[str, str]]
    counted: str


class LastFrames(TypedDict):
    """The newest frame first. whole = false: not all stored frames could be looked at in time."""

    external_id: str
    whole: bool
    frames: list[FrameRow]


async def last_frames(db: Center, actor: Actor, object_id: int, *, limit: int = 20) -> LastFrames:
    """Needs quarantine.read. Raises NotFound for an object without a device, Unavailable while no gateway answers."""
    require(actor, "quarantine.read")
    await object_card(db, actor, object_id)  # the same rights
    row = await db.row(SQL["device_name"], {"id": object_id})
    if row is None:
        raise NotFound("it has no device")
    name = row["external_id"]
    asked = msgspec.json.encode(FramesAsked(external_id=name, limit=limit))
    told = msgspec.json.decode(await db.bus.request("rpc.uplinks.frames", asked, timeout_s=ASK_S), type=FramesTold)
    if not told.ok:
        raise Unavailable(f"the gateway refused: {told.error}")
    series = await _series(db, actor, told.frames)
    aside = await _set_aside(db, name, told.frames)
    frames = [_row(frame, series, aside.get((frame.stream, frame.seq), [])) for frame in told.frames]
    return LastFrames(external_id=name, whole=told.whole, frames=frames)


async def _series(db: Center, actor: Actor, frames: list[RawFrame]) -> dict[int, dict[str, Any]]:
    """Series that the viewer may know."""
    ids = sorted({value.series_id for frame in frames for value in frame.values})
    rows = await db.rows(SQL["series_known"], {"ids": ids, **scope(actor)})
    return {row["series_id"]: row for row in rows}


async def _set_aside(db: Center, name: str, frames: list[RawFrame]) -> dict[tuple[str, int], list[tuple[str, str]]]:
    given = {"streams": [one.stream for one in frames], "seqs": [one.seq for one in frames], "external_id": name}
    found: dict[tuple[str, int], list[tuple[str, str]]] = {}
    for row in await db.rows(SQL["frame_reasons"], given):
        found.setdefault((row["stream"], row["stream_seq"]), []).append((row["reason"], row["detail"]))
    return found


def _row(frame: RawFrame, series: dict[int, dict[str, Any]], aside: list[tuple[str, str]]) -> FrameRow:
    values = [
        FrameValue(
            series_id=one.series_id,
            object_id=known["object_id"],
            quantity=known["quantity"],
            unit=known["unit"],
            value=one.value,
            time=datetime.fromtimestamp(one.time_us / 1e6, frame.time.tzinfo),
            quality=one.quality,
        )
        for one in frame.values
        if (known := series.get(one.series_id))
    ]
    names = ("time", "stream", "seq", "protocol", "kind", "f_port", "f_cnt", "by_radio", "size", "more", "counted")
    said = {"payload": frame.payload.hex(" "), "values": values, "set_aside": aside, "refused": frame.refused}
    return cast(FrameRow, {name: getattr(frame, name) for name in names} | said)
