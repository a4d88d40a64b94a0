"""Tells ingest how the frames of a batch came over the air; ingest folds it by device. Used by the uplink road."""

import msgspec
import numpy as np

from citynet.bus import Bus
from citynet.clock import Clock
from citynet.model import HeardBy, RadioFrame
from gateway.checks import received_us
from gateway.decoding import Draft

FRAMES_A_MESSAGE = 1_000
SUBJECT = "readings.radio"


async def publish(bus: Bus, draft: Draft, *, clock: Clock, key: str) -> None:
    """Hand the receptions of a batch to ingest; key names the batch, so that the same one again is known."""
    frames = _frames(draft, clock)
    for start in range(0, len(frames), FRAMES_A_MESSAGE):
        body = msgspec.msgpack.encode(frames[start : start + FRAMES_A_MESSAGE])
        await bus.publish(SUBJECT, body, msg_id=f"{key}-{start}-{len(frames)}")


def _frames(draft: Draft, clock: Clock) -> list[RadioFrame]:
    came = np.array([draft.frames[position].received_ns for position, _, _ in draft.receptions], np.int64)
    times = received_us(came, clock).tolist()
    return [
        RadioFrame(
            device_id=device_id,
            arrived_ns=arrived,
            time_us=time,
            session=one.session,
            f_cnt=one.f_cnt,
            spreading=one.spreading,
            heard=[HeardBy(view.gateway, view.rssi, view.snr) for view in one.heard],
            frequency=one.frequency,
        )
        for (_, device_id, one), arrived, time in zip(draft.receptions, came.tolist(), times, strict=True)
    ]
