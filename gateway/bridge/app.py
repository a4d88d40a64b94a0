"""`citynet run bridge`: builds a link for each outside broker, judges whether it lives, and builds it anew if not."""

import asyncio
import queue
import time
from collections import Counter

import structlog

from citynet.bus import Frame
from citynet.model import Quarantined
from citynet.part import Part
from gateway import quarantine
from gateway.bridge.carrier import Carrier, Unfit
from gateway.bridge.config import plans
from gateway.bridge.link import Link, measure

log = structlog.get_logger()
LOOK_S = 0.2


async def run(part: Part) -> None:
    """Carry until the part stops. Raises ConfigError when no broker is named or the file does not fit."""
    links = [Link(plan, part.settings, {"up": Counter(), "down": Counter()}) for plan in plans(part.settings)]
    for link in links:
        link.start()
    try:
        while not part.stopping.is_set():
            for place, link in enumerate(links):
                await _set_aside(part, link.up)
                await _set_aside(part, link.down)
                if why := link.ill():
                    log.warning("bridge is built anew", bridge=link.plan.name, why=why)
                    part.counters["bridge_restarts"] += 1
                    links[place] = await asyncio.to_thread(link.again)
            measure(part, links)
            await asyncio.sleep(LOOK_S)
    finally:
        await asyncio.gather(*(asyncio.to_thread(link.stop) for link in links))


async def _set_aside(part: Part, carrier: Carrier) -> None:
    """What our broker would refuse goes to quarantine with its bytes, and only then counts as taken."""
    while True:
        try:
            unfit = carrier.unfit.get_nowait()
        except queue.Empty:
            return
        await quarantine.publish(part.bus, [_notice(unfit)])
        carrier.set_aside(unfit)


def _notice(unfit: Unfit) -> Quarantined:
    frame = Frame(unfit.topic, unfit.payload, time.time_ns(), 0)
    return quarantine.notice(frame, unfit.reason, stream="bridge", external_id="")
