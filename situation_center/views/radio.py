"""How radio networks hear devices: weak ones, gateways, counters, one device; as the viewer may know it."""

from datetime import datetime
from typing import Any, cast

from typing_extensions import TypedDict

from citynet.access import Actor, require
from citynet.errors import NotFound
from situation_center.store import Center
from situation_center.views.base import SQL, scope
from situation_center.views.objects import object_card


class Place(TypedDict):
    """An object by its names."""

    object_id: int
    object_ru: str
    object_en: str
    class_: str


class WeakRow(Place):
    """A device heard badly: RSSI in dBm and SNR in dB by its best gateway, mean margin in dB, share of frames lost."""

    rssi: float | None
    snr: float | None
    spreading: int
    margin: float | None
    loss: float | None
    frames: int
    gateways: int
    since: datetime


class CounterRow(Place):
    """A device whose frame counter went back."""

    resets: int
    replays: int
    f_cnt: int
    last: datetime


class GatewayRow(TypedDict):
    """A gateway: devices that it hears, alone = those that no other one hears. object_id: None = not registered."""

    gateway: str
    object_id: int | None
    object_ru: str | None
    object_en: str | None
    class_: str
    devices: int
    alone: int
    rssi: float
    snr: float
    heard: datetime
    loss: float | None


class LinkRow(TypedDict):
    """A gateway that hears a device."""

    gateway: str
    object_id: int | None
    object_ru: str | None
    object_en: str | None
    last_heard: datetime
    frames: int
    rssi: float
    snr: float


class DeviceRadio(TypedDict):
    """One device: frames and lost are of the last 30 days, the newest day last."""

    last_heard: datetime
    f_cnt: int
    spreading: int
    rssi: float | None
    snr: float | None
    frames: list[int]
    lost: list[int]
    resets: int
    replays: int
    last_reset: datetime | None
    last_replay: datetime | None
    links: list[LinkRow]


class Radio(TypedDict):
    """The tables of the health page."""

    weak: list[WeakRow]
    counters: list[CounterRow]
    gateways: list[GatewayRow]


async def radio(db: Center, actor: Actor, *, limit: int) -> Radio:
    """The worst first. Raises Forbidden."""
    require(actor, "registry.read")
    given = scope(actor) | {"limit": limit}
    return Radio(
        weak=[cast(WeakRow, row) for row in await db.rows(SQL["radio_weak"], given)],
        counters=[cast(CounterRow, row) for row in await db.rows(SQL["radio_counters"], given)],
        gateways=[cast(GatewayRow, row) for row in await db.rows(SQL["radio_gateways"], given)],
    )


async def device_radio(db: Center, actor: Actor, object_id: int) -> DeviceRadio:
    """How the device of an object is heard. Raises Forbidden, and NotFound where it was never heard by radio."""
    await object_card(db, actor, object_id)  # the same rights
    row = await db.row(SQL["radio_of_object"], {"id": object_id})
    if row is None:
        raise NotFound("no radio network has heard it")
    links = await db.rows(SQL["radio_links"], {"id": row["device_id"]})
    return cast(DeviceRadio, _in_order(row) | {"links": links})


def _in_order(row: dict[str, Any]) -> dict[str, Any]:
    """Rings of days as lists that end with the day that was heard last."""
    start = row["day"] + 1
    turn = start % len(row["frames"])
    return row | {name: row[name][turn:] + row[name][:turn] for name in ("frames", "lost")}
