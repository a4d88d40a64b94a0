"""Gateways, profiles and devices of a ChirpStack become objects of the registry; a second look changes nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from chirpstack_api import api, common
from grpc import StatusCode
from pydantic import SecretStr
from typer.testing import CliRunner

from citynet import registry
from citynet.bus import NatsBus
from citynet.catalog import catalog
from citynet.db import Database
from citynet.errors import ConfigError, Unavailable
from citynet.model import DeviceSpec, Proposal, ProposalRequest
from citynet.registry import Registry
from citynet.settings import Settings
from gateway import sync_cli
from gateway.chirpstack import handover, sync
from gateway.chirpstack.client import Client
from gateway.chirpstack.connection import Refused
from situation_center import registry_write
from tests.flows.test_center_worker import working
from tests.support.chirpstack_server import APPLICATION_A, APPLICATION_B, TENANT, TOKEN, Server, Store
from tests.support.gateway import running, until

BINS, METERS = "profile-bins", "profile-meters"
SCRIPT = "function decodeUplink(input) { return {data: {}}; }"


def eui(number: int) -> str:
    return f"{number:016x}"


def stocked() -> Store:
    """Two applications, 230 bins and 20 meters of a profile that we do not know, three gateways."""
    store = Store()
    for number in range(3):
        gateway = api.GatewayListItem(tenant_id=TENANT, gateway_id=eui(0xA000 + number), name=f"Roof {number}")
        if number:
            gateway.location.CopyFrom(common.Location(latitude=44.7 + number / 100, longitude=37.8, altitude=30))
        store.gateways.append(gateway)
    store.gateways.append(api.GatewayListItem(tenant_id="another", gateway_id=eui(0xFFFF), name="Not ours"))
    store.applications = [api.ApplicationListItem(id=one, name=one) for one in (APPLICATION_A, APPLICATION_B)]
    store.profiles[BINS] = api.DeviceProfile(id=BINS, name="Bins", tags={"citynet_profile": "bin-lora"})
    store.profiles[METERS] = api.DeviceProfile(
        id=METERS, name="Water Meter / X1", payload_codec_script=SCRIPT, uplink_interval=900
    )
    for number in range(230):
        device = api.DeviceListItem(dev_eui=eui(number + 1), name=f"Bin {number}", device_profile_id=BINS)
        device.tags.update({"lon": "37.77", "lat": "44.72"} if number % 2 else {})
        store.devices[APPLICATION_A].append(device)
    for number in range(20):
        device = api.DeviceListItem(dev_eui=eui(number + 1000), device_profile_id=METERS, description="Cellar")
        store.devices[APPLICATION_B].append(device)
    return store


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server(stocked())
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def there(city: Settings, server: Server) -> Settings:
    words = {"chirpstack_url": server.url, "chirpstack_token": SecretStr(TOKEN), "chirpstack_tenant": TENANT}
    return city.model_copy(update=words)


async def once(settings: Settings, database: Database, bus: NatsBus) -> dict[str, Any]:
    """One synchronisation; what it read and how many objects it changed."""
    client = Client(settings)
    try:
        found = await sync.read(client, await registry.load(database), settings)
        return {**found.report(), "applied": await handover.propose(bus, found)}
    finally:
        await client.close()


async def now(database: Database) -> tuple[Registry, dict[str, registry.CityObject]]:
    known = await registry.load(database)
    return known, {one.key: one for one in known.objects.values()}


async def test_all_of_a_tenant(there: Settings, admin_bus: NatsBus, center_db: Database, server: Server) -> None:
    async with working(there):
        await until(lambda: answered(admin_bus))
        first = await once(there, center_db, admin_bus)
        assert first["read"] == {
            "gateways": {"new": 3},
            "profiles": {"kept": 1, "new": 1},
            "devices": {"new": 250},
        }
        known, objects = await now(center_db)
        roof = objects[f"chirpstack/gateway/{eui(0xA001)}"]
        assert (roof.class_, roof.name_ru, roof.lon, roof.lat) == ("gateway", "Roof 1", 37.8, 44.71)
        assert objects[f"chirpstack/gateway/{eui(0xA000)}"].lon is None
        bin_ = known.devices[eui(2)]
        assert (bin_.protocol, bin_.profile, bin_.attributes["application_id"]) == (
            "chirpstack",
            "bin-lora",
            APPLICATION_A,
        )
        assert objects[f"chirpstack/device/{eui(2)}"].class_ == "bin"
        assert {s.quantity for s in known.series.values() if s.object_id == bin_.point_id} >= {"bin_fill"}
        made = known.profiles["chirpstack-water-meter-x1"][1]
        assert (made.codec_script, made.interval_s, made.map) == (SCRIPT, 900, {})
        assert known.devices[eui(1000)].profile == "chirpstack-water-meter-x1"
        second = await once(there, center_db, admin_bus)
        assert (second["applied"], second["changes"]) == (0, [])

        server.store.devices[APPLICATION_A][0].name = "Renamed"
        server.store.profiles[METERS].payload_codec_script = "function decodeUplink() { return {data: {x: 1}}; }"
        server.store.devices[APPLICATION_A].append(
            api.DeviceListItem(dev_eui=eui(900), name="Another", device_profile_id=BINS)
        )
        third = await once(there, center_db, admin_bus)
        assert third["changes"] == [
            "profile/chirpstack-water-meter-x1",
            f"chirpstack/device/{eui(1)}",
            f"chirpstack/device/{eui(900)}",
        ]


async def answered(bus: NatsBus) -> bool:
    """Whether the worker takes proposals."""
    try:
        await bus.request("rpc.registry.propose", b'{"source": "test", "objects": []}', timeout_s=0.5)
    except Unavailable:
        return False
    return True


async def test_what_people_wrote_stays(
    there: Settings, admin_bus: NatsBus, center_db: Database, server: Server
) -> None:
    one_application = there.model_copy(update={"chirpstack_applications": APPLICATION_A})
    del server.store.devices[APPLICATION_A][3:]
    await registry_write.seed_catalog(center_db, catalog())
    theirs = Proposal(
        key="bins/7",
        cls="bin",
        name_ru="Бак 7",
        name_en="Bin 7",
        device=DeviceSpec(external_id=eui(1), protocol="chirpstack", profile="bin-lora"),
    )
    roof = Proposal(
        key="roof/1", cls="gateway", name_ru="Крыша", name_en="Roof", attributes={"gateway_id": eui(0xA001)}
    )
    await registry_write.apply(center_db, ProposalRequest("test", [theirs, roof]), catalog())
    async with working(there):
        await until(lambda: answered(admin_bus))
        report = await once(one_application, center_db, admin_bus)
        assert report["read"]["devices"] == {"kept": 1, "new": 2}
        assert report["read"]["gateways"] == {"new": 2, "kept": 1}
        assert report["kept"] == [f"chirpstack/gateway/{eui(0xA001)}", f"chirpstack/device/{eui(1)}"]
        person = Proposal(
            key=f"chirpstack/device/{eui(3)}",
            cls="bin",
            name_ru="Bin 2",
            name_en="Bin 2",
            service="waste",
            parent="roof/1",
            lon=37.5,
            lat=44.5,
            attributes={"volume": 1.1},
            device=DeviceSpec(
                external_id=eui(3),
                protocol="chirpstack",
                profile="bin-lora",
                attributes={"application_id": APPLICATION_A, "downlink": "grpc"},
            ),
        )
        await registry_write.apply(center_db, ProposalRequest("person", [person]), catalog())
        assert (await once(one_application, center_db, admin_bus))["applied"] == 0
        server.store.devices[APPLICATION_A][2].name = "Renamed"
        await once(one_application, center_db, admin_bus)
    known, objects = await now(center_db)
    renamed = objects[f"chirpstack/device/{eui(3)}"]
    assert (renamed.name_ru, renamed.service, renamed.lon) == ("Renamed", "waste", 37.5)
    assert (renamed.attributes, renamed.parent_id) == ({"volume": 1.1}, objects["roof/1"].object_id)
    assert known.devices[eui(3)].attributes["downlink"] == "grpc"
    assert known.objects[known.devices[eui(1)].point_id or 0].key == "bins/7"


async def test_the_command(
    there: Settings, admin_bus: NatsBus, center_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("home", "database_url", "nats_port", "chirpstack_url", "chirpstack_tenant")
    for name in words:
        monkeypatch.setenv(f"CITYNET_{name.upper()}", str(getattr(there, name)))
    (there.home / "secrets" / "chirpstack_token").write_text(TOKEN + "\n")

    async def run(*arguments: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, sync_cli.app, ["chirpstack", *arguments])

    async with working(there):
        await until(lambda: answered(admin_bus))
        dry = await run("--dry-run", "--json")
        assert dry.exit_code == 0, dry.output
        report = json.loads(dry.stdout)
        assert (report["applied"], report["read"]["devices"], len(report["changes"])) == (0, {"new": 250}, 254)
        assert not (await registry.load(center_db)).devices
        done = await run()
        assert "devices: 250 new" in done.stdout
        assert len((await registry.load(center_db)).devices) == 250


async def test_the_gateway_looks_from_time_to_time(
    there: Settings, admin_bus: NatsBus, center_db: Database, server: Server
) -> None:
    """A ChirpStack that refuses or is away costs nothing but a line in the log."""
    server.store.fault = lambda name: (StatusCode.UNAVAILABLE, False) if len(server.store.calls) < 3 else None
    often = there.model_copy(update={"chirpstack_sync_s": 1})
    async with working(there), running(often) as part:
        await until(lambda: part.counters["chirpstack_not_synchronised"] >= 1)
        await until(lambda: part.counters["chirpstack_synchronised"] >= 1, 20)
    assert len((await registry.load(center_db)).devices) == 250


async def test_what_is_missing_is_said(there: Settings, center_db: Database, server: Server) -> None:
    known = await registry.load(center_db)

    async def attempt(settings: Settings) -> None:
        client = Client(settings)
        try:
            await sync.read(client, known, settings)
        finally:
            await client.close()

    async def refused(error: type[Exception], words: str, **update: Any) -> None:
        with pytest.raises(error, match=words):
            await attempt(there.model_copy(update=update))

    await refused(ConfigError, "CITYNET_CHIRPSTACK_TENANT", chirpstack_tenant="")
    await refused(ConfigError, "CITYNET_CHIRPSTACK_URL", chirpstack_url="chirpstack:8080")
    await refused(ConfigError, "CITYNET_CHIRPSTACK_TOKEN", chirpstack_token=SecretStr(""))
    await refused(Refused, "UNAUTHENTICATED", chirpstack_token=SecretStr("wrong"))
    await server.stop()
    await refused(Unavailable, "did not answer")
