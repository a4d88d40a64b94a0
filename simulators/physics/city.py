"""All kinds of devices of the demo city together, in the order in which they depend on each other."""

import numpy as np

from citynet.model import Proposal
from simulators.physics.air import AirStations
from simulators.physics.heat import HeatMeters
from simulators.physics.kind import Kind
from simulators.physics.lighting import Cabinets, Lamps
from simulators.physics.power import FeederMeters, PowerMeters
from simulators.physics.rhythm import DAY_S
from simulators.physics.vehicles import Trucks
from simulators.physics.waste import Bins, Gateways
from simulators.physics.water import Inlets, Valves, WaterMeters
from simulators.physics.weather import weather
from simulators.world import World

HORIZON_S = 400 * DAY_S


class City:
    """The living city: kinds by class. Registers are tabled for 400 days from start."""

    def __init__(self, world: World, start: float) -> None:
        sky, until = weather(world.seed), start + HORIZON_S
        self.world = world
        self.valves = Valves(world)
        self.water_meters = WaterMeters(world, self.valves, until)
        self.inlets = Inlets(world, self.water_meters, self.valves)
        self.power_meters = PowerMeters(world, sky, until)
        self.feeders = FeederMeters(world, self.power_meters)
        self.heat_meters = HeatMeters(world, sky, until)
        self.lamps = Lamps(world, until)
        self.cabinets = Cabinets(world, self.lamps, sky)
        self.bins = Bins(world, sky)
        self.gateways = Gateways(world, sky)
        self.trucks = Trucks(world)
        self.air = AirStations(world, sky)
        self.kinds: dict[str, Kind] = {
            "valve": self.valves,
            "water_meter": self.water_meters,
            "district_inlet": self.inlets,
            "power_meter": self.power_meters,
            "feeder_meter": self.feeders,
            "heat_meter": self.heat_meters,
            "lamp": self.lamps,
            "cabinet": self.cabinets,
            "gateway": self.gateways,
            "bin": self.bins,
            "vehicle": self.trucks,
            "air_station": self.air,
        }
        self.wire_id = {  # external id -> (class, row)
            p.device.external_id: (cls, i)
            for cls, kind in self.kinds.items()
            for i, p in enumerate(kind.devices)
            if p.device
        }

    def silence(self) -> None:
        """Marks the LoRaWAN devices that no working gateway hears."""
        pairs = zip(self.gateways.devices, self.gateways.up, strict=True)
        up = {gateway.device.external_id for gateway, ok in pairs if ok and gateway.device}
        for kind in (self.lamps, self.bins):
            kind.heard = np.array([_is_heard(p, up) for p in kind.devices])

    def state(self) -> dict[str, dict[str, list[float]]]:
        """Orders, valve positions and register corrections, for the next start."""
        return {cls: state for cls, kind in self.kinds.items() if (state := kind.state())}

    def restore(self, state: dict[str, dict[str, list[float]]]) -> None:
        """Takes back what state() gave."""
        for cls, values in state.items():
            if cls in self.kinds:
                self.kinds[cls].restore(values)


def _is_heard(proposal: Proposal, gateways_up: set[str]) -> bool:
    device = proposal.device
    return device is None or device.protocol != "chirpstack" or bool(gateways_up & set(device.attributes["gateways"]))
