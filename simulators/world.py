"""The demo city of a seed: objects with their devices, parents first. Same seed, same city, byte for byte."""

from dataclasses import dataclass

import msgspec

from citynet.model import Proposal
from simulators import basemap, layout, networks, streetside


@dataclass(frozen=True, slots=True)
class World:
    """The objects of the city; devices by class in their fixed order."""

    seed: int
    objects: list[Proposal]
    devices: dict[str, list[Proposal]]

    def encode(self) -> bytes:
        """All proposals as JSON."""
        return msgspec.json.encode(self.objects)


def build(seed: int) -> World:
    """Draws the city. A few tens of milliseconds; pure."""
    plan = layout.build(seed)
    radio = streetside.gateways(plan)
    objects = [
        *basemap.objects(plan, seed),
        *radio,
        *networks.water(plan, seed),
        *networks.power(plan, seed),
        *networks.heat(plan, seed),
        *streetside.lighting(plan, radio),
        *streetside.waste(plan, seed, radio),
        *streetside.trucks(),
        *streetside.air(plan, seed),
    ]
    devices: dict[str, list[Proposal]] = {}
    for proposal in objects:
        if proposal.device:
            devices.setdefault(proposal.cls, []).append(proposal)
    return World(seed, objects, devices)
