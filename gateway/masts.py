"""Gateways that a radio network names with its uplinks: registered when first heard, a sign of life while they hear.

A gateway that hears nothing more falls silent like any device: by the interval learned for it, as one event.
"""

from collections import Counter
from dataclasses import dataclass, field

import msgspec
import structlog

from citynet.errors import Unavailable
from citynet.model import DeviceSpec, Proposal, ProposalRequest, Reply
from citynet.part import Part
from gateway.decoding import Draft
from gateway.directory import Directory
from gateway.qos0 import partition
from gateway.wire import Heard, subject_token

log = structlog.get_logger()
PROFILE = "lora-gateway-heard"
CITY_S, WALL_S_MIN = 60.0, 0.5
ASK_S = 10.0
MASTS_MAX = 5_000  # of a network shared with half a continent only so many
PROPOSED_AT_ONCE = 100
# The Things Stack gives this name to whatever came through Packet Broker without an EUI.
NOBODY = "packetbroker"


@dataclass
class Masts:
    """Frames that each gateway has heard since its last sign of life, and where the network says that it stands."""

    part: Part
    directory: Directory
    heard: Counter[str] = field(default_factory=Counter)
    places: dict[str, Heard] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

    def note(self, draft: Draft) -> None:
        """Take in who heard the frames of a batch."""
        for _, _, reception in draft.receptions:
            for view in reception.heard:
                if view.gateway in self.places or len(self.places) < MASTS_MAX:
                    self.heard[view.gateway] += 1
                    if view.lon is not None or view.gateway not in self.places:
                        self.places[view.gateway] = view

    async def run(self) -> None:
        """Once a city minute until the part stops."""
        while not self.part.stopping.is_set():
            await self.part.pause(max(WALL_S_MIN, CITY_S / self.part.clock.speed))
            if not self.part.stopping.is_set():
                await self.tell()

    async def tell(self) -> None:
        """A sign of life of each gateway that heard something; those that nobody knows are proposed."""
        heard, self.heard = self.heard, Counter()
        usable = {name: count for name, count in heard.items() if _is_name(name) and name not in self.refused}
        await self.directory.meet(usable)
        strangers = [name for name in usable if self.directory.route(name) is None]
        if strangers and self.part.settings.learn_gateways:
            await self._propose(strangers[:PROPOSED_AT_ONCE])
        for name, count in usable.items():
            route = self.directory.route(name)
            if route is not None and route.device.profile == PROFILE:
                token = subject_token(name)
                body = msgspec.json.encode({"values": {"frames": count}})
                await self.part.bus.publish(f"up.{partition(token)}.{token}.native.up", body)
        self.part.gauges["radio_gateways"] = len(self.places)

    async def _propose(self, names: list[str]) -> None:
        request = ProposalRequest("radio", [_proposal(self.places[name]) for name in names])
        try:
            answer = await self.part.bus.request("rpc.registry.propose", msgspec.json.encode(request), timeout_s=ASK_S)
        except Unavailable:
            return  # the worker is away: they are heard again
        reply = msgspec.json.decode(answer, type=Reply)
        if reply.ok:
            log.info("radio gateways registered", gateways=names)
            return
        log.warning("radio gateways refused", gateways=names, error=reply.error)
        self.refused.update(names)


def _is_name(name: str) -> bool:
    return name != NOBODY and not any(c in "/*>+#. \t\r\n\0" for c in name)


def _proposal(view: Heard) -> Proposal:
    name = view.gateway
    spec = DeviceSpec(external_id=name, protocol="native", profile=PROFILE)
    return Proposal(
        key=f"gateway/{name}",
        cls="gateway",
        name_ru=f"Шлюз LoRaWAN {name}",
        name_en=f"LoRaWAN gateway {name}",
        lon=view.lon,
        lat=view.lat,
        device=spec,
    )
