"""Both directions between one outside broker and ours, whether they live, and the figures of all links."""

import time
from collections import Counter

from citynet.part import Part
from citynet.settings import Settings
from gateway.bridge.carrier import Carrier
from gateway.bridge.ends import Plan
from gateway.bridge.session import Session

# A message that waits longer although both brokers are there will not be answered on this connection any more.
STUCK_S = 60.0


class Link:
    """Both directions between one outside broker and ours."""

    def __init__(self, plan: Plan, settings: Settings, counts: dict[str, Counter[str]]) -> None:
        self.plan, self.counts, self._settings = plan, counts, settings
        self.outside, self.inside = Session(plan.name, plan.outside), Session(plan.name, plan.inside)
        limit = settings.payload_bytes
        self.up = Carrier(self.outside, self.inside, plan.up, payload_max=limit, counts=counts["up"])
        self.down = Carrier(self.inside, self.outside, plan.down, payload_max=limit, counts=counts["down"])

    def start(self) -> None:
        """Connect both ends."""
        for session in (self.outside, self.inside):
            session.start()

    def stop(self) -> None:
        """Disconnect both ends; what was not acknowledged comes again."""
        for session in (self.outside, self.inside):
            session.stop()

    @property
    def connected(self) -> bool:
        """Whether both ends are connected and subscribed."""
        return self.outside.ready.is_set() and self.inside.ready.is_set()

    def ill(self) -> str:
        """Why this link must be built anew; empty when it lives. Judged by its threads and the age of messages."""
        if not (self.outside.alive() and self.inside.alive()):
            return "a thread has ended"
        if self.connected and max(self.up.oldest_s, self.down.oldest_s) > STUCK_S:
            return "a message waits without end"
        if self.connected and time.monotonic() - self.up.last > self.plan.quiet_s:
            return f"silent for {self.plan.quiet_s} s"
        return ""

    def again(self) -> "Link":
        """A new link in place of this one, with its counts."""
        self.stop()
        fresh = Link(self.plan, self._settings, self.counts)
        fresh.start()
        return fresh


def measure(part: Part, links: list[Link]) -> None:
    for way in ("up", "down"):
        total: Counter[str] = sum((link.counts[way] for link in links), Counter())
        for word, count in total.items():
            part.counters[f"{word}_{way}"] = count
        carriers: list[Carrier] = [getattr(link, way) for link in links]
        part.gauges[f"waiting_{way}"] = sum(carrier.waiting for carrier in carriers)
        part.gauges[f"silent_{way}_s"] = round(time.monotonic() - max(carrier.last for carrier in carriers))
    for side in ("outside", "inside"):
        part.gauges[f"connected_{side}"] = float(all(getattr(link, side).ready.is_set() for link in links))
    for link in links:
        part.gauges[f"connected_{link.plan.name}"] = float(link.connected)
        part.gauges[f"failures_{link.plan.name}"] = link.outside.failures + link.inside.failures
        part.counters[f"carried_{link.plan.name}"] = link.counts["up"]["carried"] + link.counts["down"]["carried"]
