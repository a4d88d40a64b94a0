"""Synchronises the registry with ChirpStack from time to time; runs inside the gateway."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from citynet.errors import ConfigError, Unavailable
from citynet.part import Part
from gateway.chirpstack import handover, maps, sync
from gateway.chirpstack.client import Client
from gateway.chirpstack.connection import Refused
from gateway.codecs.pool import Pool

log = structlog.get_logger()
MAPS_EVERY_S = 15.0  # how soon after its first uplink a new kind of device is understood
OVERLAP = timedelta(minutes=5)  # clocks of two machines


@dataclass
class Follower:
    """Looks at what ChirpStack has touched since the last time, and at new kinds of devices until they are heard."""

    part: Part
    pool: Pool
    since: datetime | None = None
    unmapped: dict[str, list[str]] = field(default_factory=dict)

    async def run(self) -> None:
        """Work until the part stops; a ChirpStack that is away is asked again later."""
        every_s = self.part.settings.chirpstack_sync_s
        while not self.part.stopping.is_set():
            await self._guarded()
            for _ in range(max(1, round(every_s / MAPS_EVERY_S))):
                if await self._stopped(min(every_s, MAPS_EVERY_S)):
                    return
                if self.unmapped:
                    await self._map()

    async def _stopped(self, wait_s: float) -> bool:
        await self.part.pause(wait_s)
        return self.part.stopping.is_set()

    async def _guarded(self) -> None:
        try:
            await self._once()
            self.part.counters["chirpstack_synchronised"] += 1
        except (ConfigError, Refused, Unavailable) as error:
            self.part.counters["chirpstack_not_synchronised"] += 1
            log.warning("not synchronised with ChirpStack", error=str(error))

    async def _once(self) -> None:
        client, began = Client(self.part.settings), datetime.now(UTC)
        try:
            found = await sync.read(client, self.part.db, self.part.settings, since=self.since)
        finally:
            await client.close()
        changed = await handover.propose(self.part.bus, found)
        self.since, self.unmapped = began - OVERLAP, found.unmapped
        log.info("synchronised with ChirpStack", changed=changed, **found.report()["read"])
        await self._map()

    async def _map(self) -> None:
        """Propose maps for the kinds of devices that were heard by now."""
        part = self.part
        try:
            found = await maps.propose(part.db, part.bus, self.pool, unmapped=self.unmapped, settings=part.settings)
            await handover.propose(part.bus, found)
        except (ConfigError, Unavailable) as error:
            log.warning("no map was proposed", error=str(error))
            return
        self.unmapped = {name: devices for name, devices in self.unmapped.items() if name not in found.profiles}
        part.counters["maps_proposed"] += len(found.profiles)
