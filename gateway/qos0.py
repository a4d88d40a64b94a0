"""Frames sent at QoS 0: best effort until here, then stored in UPLINKS and treated as any other."""

from dataclasses import dataclass

from citynet.bus import GATEWAY_QOS0, Frame, Puller, held
from citynet.model import PARTITIONS
from citynet.part import Part
from gateway.uplink import FETCH_WAIT_S

# The broker's header with the quality of service; a frame sent at 1 or 2 is in UPLINKS already, this is a copy.
QUALITY = "Nmqtt-Pub"


def partition(token: str) -> int:
    """What the broker's {{partition(8,..)}} gives for a subject token: FNV-1a, 32 bits, modulo."""
    number = 2_166_136_261
    for byte in token.encode():
        number = (number ^ byte) * 16_777_619 & 0xFFFFFFFF
    return number % PARTITIONS


@dataclass
class Qos0Lane:
    """Carries frames from UPLINKS_QOS0 to UPLINKS."""

    part: Part

    async def run(self, puller: Puller) -> None:
        """Follow the stream until the part stops. Raises Unavailable: then frames stay for up to an hour."""
        while not self.part.stopping.is_set():
            frames = await puller.fetch(self.part.settings.batch_frames, FETCH_WAIT_S)
            if frames:
                async with held(puller, frames):
                    await self._carry(frames)
                await puller.ack(frames)

    async def _carry(self, frames: list[Frame]) -> None:
        for frame in frames:
            if (frame.headers or {}).get(QUALITY, "0") != "0":
                continue
            token = frame.subject.split(".")[1]
            subject = f"up.{partition(token)}.{token}.native.up"
            await self.part.bus.publish(subject, frame.data, msg_id=f"{GATEWAY_QOS0.stream}-{frame.seq}")
            self.part.counters["qos0"] += 1
