"""Takes an item back from ChirpStack's queue of a device. Used by road.py; decision 0032 says what is proof."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from chirpstack_api import common

from gateway.chirpstack.client import Client
from gateway.chirpstack.connection import Uncertain
from gateway.wire import Told

CALL_S = 5.0
# After an uplink a downlink may be on its way for so long: the longest delay of the first window, and the second.
QUIET = timedelta(seconds=17)


async def recall(client: Client, dev_eui: str, item: str) -> Told | None:
    """What became of it; None where a later look may know more. Raises Refused, Uncertain.

    The API empties a whole queue and nothing less, and of an item that is thrown away while it is on its way to a
    gateway ChirpStack tells nothing any more.
    """
    before = await client.device(dev_eui, timeout_s=CALL_S)
    if before.class_enabled != common.DeviceClass.CLASS_A:
        return Told("kept", "class")
    queued = await client.queue(dev_eui, timeout_s=CALL_S)
    reason = _why_not(queued, item)
    if reason:
        return Told("kept", reason)
    if _spoke_just_now(before):
        return None
    with suppress(Uncertain):  # it may have been done: the queue tells
        await client.flush_device(dev_eui, timeout_s=CALL_S)
    left = await client.queue(dev_eui, timeout_s=CALL_S)
    after = await client.device(dev_eui, timeout_s=CALL_S)
    if any(one.id == item for one in left):
        return None
    return Told("withdrawn", "flushed") if after.last_seen_at == before.last_seen_at else Told("kept", "spoke")


def _why_not(queued: list[Any], item: str) -> str:
    ours = next((one for one in queued if one.id == item), None)
    if ours is None:
        return "gone"
    if ours.is_pending or ours.f_cnt_down:
        return "radiated"
    return "others" if len(queued) > 1 else ""


def _spoke_just_now(device: Any) -> bool:
    return bool(device.HasField("last_seen_at") and datetime.now(UTC) - device.last_seen_at.ToDatetime(UTC) < QUIET)
