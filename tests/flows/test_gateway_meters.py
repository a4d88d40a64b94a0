"""Telegrams of meters from a concentrator on MQTT to readings, on a real broker and database; keys stay put."""

from pathlib import Path

import msgspec
import pyarrow as pa

from citynet.bus import INGEST_DEAD, INGEST_LIVE, NatsBus
from citynet.catalog import catalog
from citynet.db import Database
from citynet.model import DeviceSpec, Proposal, ProposalRequest, Quarantined, unpack_readings
from citynet.settings import Settings
from gateway.devices.dlms import LIST_1
from gateway.devices.wmbus import OMS_GAS, OMS_KEY
from situation_center import registry_write
from tests.support.gateway import collect, mqtt, rows, running, series_of

WATER, STRANGER, POWER = "oms-12345678", "oms-87654321", "han-7359"
METERS = {
    WATER: ("water-meter-oms", "water_meter", {"key": "secret:oms-12345678"}),
    STRANGER: ("water-meter-oms", "water_meter", {"key": "00" * 16}),
    POWER: ("power-meter-dlms", "power_meter", {}),
}


async def plant(database: Database) -> None:
    await registry_write.seed_catalog(database, catalog())
    meters = [
        Proposal(
            key=f"{class_}/{name}",
            cls=class_,
            name_ru=name,
            name_en=name,
            device=DeviceSpec(external_id=name, protocol="native", profile=profile, attributes=attributes),
        )
        for name, (profile, class_, attributes) in METERS.items()
    ]
    await registry_write.apply(database, ProposalRequest("test", meters), catalog())


def secret(city: Settings, name: str, text: str) -> Path:
    place = city.home / "secrets" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


async def test_telegrams_become_readings(city: Settings, admin_bus: NatsBus, center_db: Database) -> None:
    await plant(center_db)
    secret(city, WATER, OMS_KEY["key"])
    water, power = await series_of(center_db, WATER), await series_of(center_db, POWER)
    async with running(city):
        with mqtt(city, "fleet") as concentrator:
            concentrator.publish(f"devices/{WATER}/up", {"raw": OMS_GAS})
            concentrator.publish(f"devices/{STRANGER}/up", {"raw": OMS_GAS})
            concentrator.publish(f"devices/{POWER}/up", {"raw": LIST_1})
        [dead] = await collect(admin_bus, INGEST_DEAD, 1)
        frames = await collect(admin_bus, INGEST_LIVE, 3, weight=rows)
    notice = msgspec.json.decode(dead.data, type=Quarantined)
    assert (notice.external_id, notice.reason) == (STRANGER, "wrong_key")
    assert METERS[STRANGER][2]["key"].encode() not in dead.data
    table = pa.Table.from_batches([unpack_readings(frame.data) for frame in frames])
    found = dict(zip(table["series_id"].to_pylist(), table["value"].to_pylist(), strict=True))
    told = {water["water_volume"]: 28_504.27, water["battery_low"]: 0.0, power["power_active"]: 0.512}
    assert found == told
