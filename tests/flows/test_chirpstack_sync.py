"""Gateways, profiles and devices of a ChirpStack become objects of the registry; a second look changes nothing."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
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
from gateway.chirpstack import sync
from gateway.chirpstack.connection import Refused
from gateway.sync import handover
from situation_center import registry_write
from tests.flows.test_center_worker import working
from tests.support.chirpstack_server import APPLICATION_A, APPLICATION_B, TENANT, TOKEN, Server, Store
from tests.support.gateway import Mqtt, mqtt, running, until

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
        id=METERS,
        name="Water Meter / X1",
        payload_codec_script=SCRIPT,
        uplink_interval=900,
        region=common.Region.RU864,
        supports_class_c=True,
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
    found = await sync.look(database, settings)
    return {**found.report(), "applied": await handover.propose(bus, found)}


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
        assert (made.interval_s, made.map, made.radio_class, made.region) == (900, {}, "C", "RU864")
        assert known.codecs["chirpstack-water-meter-x1"] == registry.Script(1, SCRIPT)
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
            "codec/chirpstack-water-meter-x1",
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
        assert (report["applied"], report["read"]["devices"], len(report["changes"])) == (0, {"new": 250}, 255)
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
    async def refused(error: type[Exception], words: str, **update: Any) -> None:
        with pytest.raises(error, match=words):
            await sync.look(center_db, there.model_copy(update=update))

    await refused(ConfigError, "CITYNET_CHIRPSTACK_TENANT", chirpstack_tenant="")
    await refused(ConfigError, "CITYNET_CHIRPSTACK_URL", chirpstack_url="chirpstack:8080")
    await refused(ConfigError, "CITYNET_CHIRPSTACK_TOKEN", chirpstack_token=SecretStr(""))
    await refused(Refused, "UNAUTHENTICATED", chirpstack_token=SecretStr("wrong"))
    await server.stop()
    await refused(Unavailable, "did not answer")


async def test_a_new_kind_of_device_is_read_without_anybody_s_work(
    there: Settings, admin_bus: NatsBus, center_db: Database, server: Server
) -> None:
    """Its codec becomes a version, its first uplink shows what it measures, the next one is a reading."""
    meter, told = eui(1000), {"temperature": "input.bytes[0] / 2", "battery": "input.bytes[1]"}
    data = ", ".join(f"{key}: {value}" for key, value in told.items())
    server.store.profiles[
        METERS
    ].payload_codec_script = f"function decodeUplink(input) {{ return {{data: {{{data}}}}}; }}"
    topic = f"application/{APPLICATION_B}/device/{meter}/event/up"

    def say(field: Mqtt, count: int) -> None:
        data = base64.b64encode(bytes([40 + count, 90])).decode()
        body = {"deviceInfo": {"devEui": meter}, "fPort": 2, "fCnt": count, "data": data}
        field.client.publish(topic, json.dumps(body), qos=1).wait_for_publish(10)

    often = there.model_copy(update={"chirpstack_sync_s": 1})
    async with working(there), running(often) as part:
        with mqtt(there, "lorawan") as field:
            await until(lambda: part.counters["chirpstack_synchronised"] >= 1, 20)
            say(field, 1)
            await until(lambda: part.counters["maps_proposed"] >= 1, 20)
            name = "chirpstack-water-meter-x1"
            made = (await registry.load(center_db)).profiles[name][1]
            assert {key: place.quantity for key, place in made.map.items()} == {
                "temperature": "air_temperature",
                "battery": "battery_level",
            }

            async def mapped() -> bool:
                say(field, int(part.counters["uplinks"]) + 1)
                return part.counters["readings_live"] >= 2

            await until(mapped, 20)
            assert part.counters["registry_changes"] >= 1
    known = await registry.load(center_db)
    quantities = {one.quantity for one in known.series.values() if one.object_id == known.devices[meter].point_id}
    assert quantities == {"air_temperature", "battery_level"}


async def test_a_script_that_a_person_wrote_stays(
    there: Settings, admin_bus: NatsBus, center_db: Database, server: Server
) -> None:
    name, ours = "chirpstack-water-meter-x1", "function decodeUplink() { return {data: {}}; } // ours"
    async with working(there):
        await until(lambda: answered(admin_bus))
        await once(there, center_db, admin_bus)
        await center_db.rows("INSERT INTO codec VALUES (%s, 2, %s, '', 'person:7') RETURNING 1", [name, ours])
        server.store.profiles[METERS].payload_codec_script = SCRIPT + "// newer"
        assert (await once(there, center_db, admin_bus))["changes"] == []
    assert (await registry.load(center_db)).codecs[name] == registry.Script(2, ours)


async def test_only_what_chirpstack_has_touched_is_compared(
    there: Settings, admin_bus: NatsBus, center_db: Database, server: Server
) -> None:
    since = datetime(2026, 3, 2, tzinfo=UTC)
    touched = server.store.devices[APPLICATION_A]
    for number, device in enumerate(touched):
        device.updated_at.FromDatetime(since - timedelta(days=1) if number else since)
    found = await sync.look(center_db, there, since=since)
    assert found.counts["devices"] == {"new": 21, "same": 229}  # those of the other application say no time
