"""A fleet for measurements: air stations written to the registry of a running city, and their series."""

import asyncio
from collections.abc import Sequence

from citynet import db
from citynet.catalog import catalog
from citynet.model import DeviceSpec, Proposal, ProposalRequest
from citynet.settings import Settings
from situation_center import registry_write

PROFILE = "air-station"
KEYS = ("pm25", "pm10", "no2", "temperature", "humidity")
OBJECTS = 500  # objects in one proposal


def names(count: int) -> list[str]:
    """External ids of the fleet."""
    return [f"load-{number:05d}" for number in range(count)]


def plant(settings: Settings, devices: Sequence[str]) -> dict[str, list[int]]:
    """Register devices; gives the series of each for KEYS, in their order."""
    return asyncio.run(_plant(settings, devices))


async def _plant(settings: Settings, devices: Sequence[str]) -> dict[str, list[int]]:
    center = await db.Database(db.dsn(settings, "center")).open()
    try:
        await registry_write.seed_catalog(center, catalog())
        for start in range(0, len(devices), OBJECTS):
            proposals = [_proposal(device) for device in devices[start : start + OBJECTS]]
            await registry_write.apply(center, ProposalRequest("bench", proposals), catalog())
        return await _series(center, devices)
    finally:
        await center.close()


def _proposal(device: str) -> Proposal:
    spec = DeviceSpec(external_id=device, protocol="native", profile=PROFILE)
    return Proposal(
        key=f"bench/{device}", cls="air_station", name_ru=device, name_en=device, lon=37.77, lat=44.72, device=spec
    )


async def _series(center: db.Database, devices: Sequence[str]) -> dict[str, list[int]]:
    rows = await center.rows(
        "SELECT d.attributes->>'external_id' AS device, s.quantity, s.channel, s.series_id FROM series s"
        " JOIN device_point p ON p.object_id = s.object_id JOIN object_now d ON d.object_id = p.device_id"
    )
    known = {(row["device"], row["quantity"], row["channel"]): int(row["series_id"]) for row in rows}
    places = [catalog().profiles[PROFILE].map[key] for key in KEYS]
    return {device: [known[device, place.quantity, place.channel] for place in places] for device in devices}
