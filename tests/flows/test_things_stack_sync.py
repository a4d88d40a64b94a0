"""Devices of The Things Stack become objects of the registry, with their kinds and codecs; once is enough."""

import asyncio
import base64
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from citynet import registry
from citynet.bus import NatsBus
from citynet.catalog import catalog
from citynet.db import Database
from citynet.errors import ConfigError, Unavailable
from citynet.model import DeviceSpec, Proposal, ProposalRequest
from citynet.settings import Settings
from gateway import sync_cli
from gateway.sync import handover
from gateway.things_stack import client as api
from gateway.things_stack import sync
from situation_center import registry_write
from tests.flows.test_center_worker import working
from tests.flows.test_chirpstack_sync import answered, now
from tests.support.gateway import Mqtt, mqtt, running, until
from tests.support.things_stack import GATEWAY_KEY, KEY, Cluster, serving

APPLICATION = "city-bins@ttn"
METER, OWN = "things-stack-acme-aqua-1-2", "function decodeUplink(i) { return {data: {own: i.bytes[0]}}; }"
VERSION = {"brand_id": "acme", "model_id": "aqua", "hardware_version": "1.0", "firmware_version": "1.2"}
SCRIPT = "function decodeUplink(i) { return {data: {temperature: i.bytes[0] / 2, battery: i.bytes[1]}}; }"
REPOSITORY = {"up_formatter": "FORMATTER_REPOSITORY", "down_formatter": "FORMATTER_REPOSITORY"}


def device(name: str, **more: Any) -> dict[str, Any]:
    ids = {"device_id": name, "dev_eui": f"70B3D57E{zlib.crc32(name.encode()):08X}"}
    return {"ids": ids, "updated_at": "2026-03-01T10:00:00.123456789Z", **more}


def stocked() -> Cluster:
    """230 meters of one model, two whose formatter is their own, a bin of a profile of ours, one on another server."""
    meter = {"version_ids": {**VERSION, "band_id": "RU_864_870"}, "formatters": REPOSITORY, "supports_class_c": True}
    cluster = Cluster(codecs={"aqua": SCRIPT}, default={"up_formatter": "FORMATTER_CAYENNELPP"})
    cluster.devices = [device(f"meter-{number}", **meter) for number in range(230)]
    cluster.devices[1] |= {"name": "Cellar", "description": "Mira 1", "attributes": {"floor": "-1"}}
    cluster.devices[1]["locations"] = {"user": {"latitude": 44.72, "longitude": 37.77, "source": "SOURCE_REGISTRY"}}
    own = {"up_formatter": "FORMATTER_JAVASCRIPT", "up_formatter_parameter": OWN}
    cluster.devices += [device(name, **meter | {"formatters": own}) for name in ("own-1", "own-2")]
    cluster.devices.append(device("bin-1", attributes={"citynet-profile": "bin-lora"}))
    cluster.devices.append(device("plain-1", attributes={"citynet-class": "bin"}))
    cluster.devices.append(device("far-1", application_server_address="nam1.example.org"))
    at = {"latitude": 44.7, "longitude": 37.8, "altitude": 30}
    roof = {"ids": {"gateway_id": "roof-1", "eui": "58A0CBFFFE800001"}, "name": "Roof", "antennas": [{"location": at}]}
    cluster.gateways = [roof, {"ids": {"gateway_id": "roof-2"}}]
    return cluster


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with serving(stocked()) as made:
        yield made


@pytest.fixture
def there(city: Settings, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(api, "PAUSE_S", 0.01)
    return told(city, cluster)


def told(city: Settings, cluster: Cluster, **more: str) -> Settings:
    words = {APPLICATION: {"url": cluster.url, "key": KEY, "gateway_key": GATEWAY_KEY, **more}}
    return city.model_copy(update={"things_stack_api": SecretStr(msgspec.json.encode(words).decode())})


async def once(settings: Settings, database: Database, bus: NatsBus) -> dict[str, Any]:
    found = await sync.look(database, settings)
    return {**found.report(), "applied": await handover.propose(bus, found)}


async def test_all_of_an_application(
    there: Settings, admin_bus: NatsBus, center_db: Database, cluster: Cluster
) -> None:
    cluster.answers = [200, 429, 503]  # a cluster that limits and stumbles is asked again
    async with working(there):
        await until(lambda: answered(admin_bus))
        first = await once(there, center_db, admin_bus)
        assert first["read"] == {"gateways": {"new": 2}, "profiles": {"new": 3, "kept": 1}, "devices": {"new": 235}}
        assert not any("far-1" in path for path in cluster.reads)  # nor would the key be shown to its server
        assert first["doubts"] == [
            "things_stack/device/far-1: its application server is nam1.example.org: its formatter is unknown"
        ]
        known, objects = await now(center_db)
        made = known.profiles[METER][1]
        assert (made.protocol, made.radio_class, made.region, made.map) == ("things_stack", "C", "RU864", {})
        assert known.codecs[METER] == registry.Script(1, SCRIPT)
        own = known.devices["own-1"].profile
        assert (own.startswith(f"{METER}-"), known.devices["own-2"].profile) == (True, own)
        assert known.codecs[own].source == OWN
        cellar = known.devices["meter-1"]
        place = objects["things_stack/device/meter-1"]
        assert (cellar.protocol, cellar.profile) == ("things_stack", METER)
        told = {name: cellar.attributes[name] for name in ("application_id", "manufacturer", "firmware", "labels")}
        assert told == {
            "application_id": APPLICATION,
            "manufacturer": "acme",
            "firmware": "1.2",
            "labels": {"floor": "-1"},
        }
        assert (place.name_ru, place.lon, place.attributes) == ("Cellar", 37.77, {"description": "Mira 1"})
        bin_ = known.devices["bin-1"]
        assert (bin_.protocol, bin_.profile) == ("things_stack", "bin-lora")
        assert objects["things_stack/device/plain-1"].class_ == "bin"
        roof = objects["things_stack/gateway/58a0cbfffe800001"]
        assert (roof.class_, roof.name_ru, roof.lat) == ("gateway", "Roof", 44.7)
        second = await once(there, center_db, admin_bus)
        assert (second["applied"], second["changes"]) == (0, [])

        cluster.devices[0]["name"] = "Renamed"
        cluster.codecs["aqua"] = SCRIPT + "// newer"
        third = await once(there, center_db, admin_bus)
        assert third["changes"] == [f"codec/{METER}", "things_stack/device/meter-0"]


async def test_what_people_wrote_stays(
    there: Settings, admin_bus: NatsBus, center_db: Database, cluster: Cluster
) -> None:
    del cluster.devices[3:]
    await registry_write.seed_catalog(center_db, catalog())
    spec = DeviceSpec(external_id="meter-0", protocol="things_stack", profile="water-meter-lora")
    theirs = Proposal(key="meters/7", cls="water_meter", name_ru="Счётчик 7", name_en="Meter 7", device=spec)
    await registry_write.apply(center_db, ProposalRequest("test", [theirs]), catalog())
    async with working(there):
        await until(lambda: answered(admin_bus))
        report = await once(there, center_db, admin_bus)
        assert (report["read"]["devices"], report["kept"]) == (
            {"kept": 1, "new": 2},
            ["things_stack/device/meter-0"],
        )
        ours = "function decodeUplink() { return {data: {}}; } // ours"
        await center_db.rows("INSERT INTO codec VALUES (%s, 2, %s, '', 'person:7') RETURNING 1", [METER, ours])
        cluster.codecs["aqua"] = SCRIPT + "// newer"
        assert (await once(there, center_db, admin_bus))["changes"] == []
    known, _ = await now(center_db)
    assert known.codecs[METER] == registry.Script(2, ours)
    assert known.objects[known.devices["meter-0"].point_id or 0].key == "meters/7"


async def test_the_command(
    there: Settings, admin_bus: NatsBus, center_db: Database, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    del cluster.devices[3:]
    for name in ("home", "database_url", "nats_port"):
        monkeypatch.setenv(f"CITYNET_{name.upper()}", str(getattr(there, name)))
    monkeypatch.setenv("CITYNET_THINGS_STACK_API", there.things_stack_api.get_secret_value())

    async def run(*arguments: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, sync_cli.app, ["things-stack", *arguments])

    async with working(there):
        await until(lambda: answered(admin_bus))
        dry = await run("--dry-run")
        assert dry.exit_code == 0, dry.output
        assert {"new: things_stack/device/meter-2", f"new: profile/{METER}"} <= set(dry.stdout.splitlines())
        assert not (await registry.load(center_db)).devices
        report = json.loads((await run("--json")).stdout)
        assert (report["applied"] > 0, len((await registry.load(center_db)).devices)) == (True, 3)


async def test_a_new_kind_of_device_is_read_without_anybody_s_work(
    there: Settings, admin_bus: NatsBus, center_db: Database, cluster: Cluster
) -> None:
    """The gateway looks from time to time; the first uplink shows what a kind of device measures, the next is read."""
    del cluster.devices[2:]
    cluster.answers = [403]
    topic = f"v3/{APPLICATION}/devices/meter-1/up"

    def say(field: Mqtt, count: int) -> None:
        data = base64.b64encode(bytes([40 + count, 90])).decode()
        ids = {"device_id": "meter-1", "application_ids": {"application_id": "city-bins"}}
        body = {"end_device_ids": ids, "uplink_message": {"f_port": 2, "f_cnt": count, "frm_payload": data}}
        field.client.publish(topic, json.dumps(body), qos=1).wait_for_publish(10)

    often = there.model_copy(update={"things_stack_sync_s": 1})
    async with working(there), running(often) as part:
        with mqtt(there, "lorawan") as field:
            await until(lambda: part.counters["things_stack_not_synchronised"] >= 1)
            await until(lambda: part.counters["things_stack_synchronised"] >= 2, 20)
            say(field, 1)
            await until(lambda: part.counters["maps_proposed"] >= 1, 20)

            async def mapped() -> bool:
                say(field, int(part.counters["uplinks"]) + 1)
                return part.counters["readings_live"] >= 2

            await until(mapped, 20)
    known = await registry.load(center_db)
    quantities = {one.quantity for one in known.series.values() if one.object_id == known.devices["meter-1"].point_id}
    assert quantities == {"air_temperature", "battery_level"}


async def test_a_name_that_two_applications_use_is_one_device(
    city: Settings, there: Settings, center_db: Database, cluster: Cluster
) -> None:
    del cluster.devices[1:]
    words = {name: {"url": cluster.url, "key": KEY} for name in (APPLICATION, "city-bins@other")}
    both = city.model_copy(update={"things_stack_api": SecretStr(msgspec.json.encode(words).decode())})
    found = await sync.look(center_db, both)
    assert [one.device.attributes["application_id"] for one in found.objects if one.device] == [APPLICATION]
    assert found.doubts == [
        "things_stack/device/meter-0: left out of city-bins@other: another application has a device of this name"
    ]


async def test_what_is_missing_is_said(city: Settings, there: Settings, center_db: Database, cluster: Cluster) -> None:
    del cluster.devices[1:]
    with pytest.raises(ConfigError, match="CITYNET_THINGS_STACK_API"):
        await sync.look(center_db, city)
    with pytest.raises(ConfigError, match=r"HTTP 403 error:pkg/test:no_application_rights \(no rights"):
        await sync.look(center_db, told(city, cluster, key="wrong"))
    cluster.answers = [503] * 10
    with pytest.raises(Unavailable, match="does not answer"):
        await sync.look(center_db, there)
