"""Synchronises the registry with a network server from time to time; runs inside the gateway."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from citynet.errors import CitynetError
from citynet.part import Part
from gateway.codecs.pool import Pool
from gateway.sync import handover, maps
from gateway.sync.network import Network

log = structlog.get_logger()
MAPS_EVERY_S = 15.0  # how soon after its first uplink a new kind of device is understood
OVERLAP = timedelta(minutes=5)  # clocks of two machines


@dataclass
class Follower:
    """Looks at what was touched since the last time, and at new kinds of devices until they are heard."""

    part: Part
    pool: Pool
    network: Network
    every_s: int
    since: datetime | None = None
    unmapped: dict[str, list[str]] = field(default_factory=dict)

    async def run(self) -> None:
        """Work until the part stops; a network server that is away is asked again later."""
        while not self.part.stopping.is_set():
            await self._guarded()
            for _ in range(max(1, round(self.every_s / MAPS_EVERY_S))):
                if await self._stopped(min(self.every_s, MAPS_EVERY_S)):
                    return
                if self.unmapped:
                    await self._map()

    async def _stopped(self, wait_s: float) -> bool:
        await self.part.pause(wait_s)
        return self.part.stopping.is_set()

    async def _guarded(self) -> None:
        source = self.network.source
        try:
            await self._once()
            self.part.counters[f"{source}_synchronised"] += 1
        except CitynetError as error:
            self.part.counters[f"{source}_not_synchronised"] += 1
            log.warning("not synchronised", network=self.network.title, error=str(error))

    async def _once(self) -> None:
        began = datetime.now(UTC)
        found = await self.network.look(self.part.db, self.part.settings, since=self.since)
        changed = await handover.propose(self.part.bus, found)
        self.since, self.unmapped = began - OVERLAP, self.unmapped | found.unmapped
        read = found.report()["read"]
        log.info("synchronised", network=self.network.title, changed=changed, doubts=len(found.doubts), **read)
        await self._map()

    async def _map(self) -> None:
        """Propose maps for the kinds of devices that were heard by now."""
        part = self.part
        try:
            ears = maps.Ears(self.network, part.bus, self.pool, part.settings)
            found = await maps.propose(part.db, ears, self.unmapped)
            await handover.propose(part.bus, found)
        except CitynetError as error:
            log.warning("no map was proposed", error=str(error))
            return
        done = {*found.profiles, *found.kept}
        self.unmapped = {name: devices for name, devices in self.unmapped.items() if name not in done}
        part.counters["maps_proposed"] += len(found.profiles)
