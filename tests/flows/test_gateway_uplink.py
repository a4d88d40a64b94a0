"""MQTT in, READINGS out, on a real broker and database: nothing lost, nothing doubled, bad frames set aside."""

import threading
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from citynet import bus, embedded
from citynet.bus import GATEWAY_UPLINKS, INGEST_DEAD, INGEST_HISTORY, INGEST_LIVE, NatsBus
from citynet.catalog import Catalog, catalog
from citynet.clock import wall_clock
from citynet.db import Database
from citynet.model import DeviceSpec, Proposal, ProposalRequest, Quarantined, unpack_readings
from citynet.part import close_part
from citynet.settings import Settings
from gateway.directory import open_directory
from gateway.qos0 import partition
from gateway.uplink import Lane
from situation_center import registry_write
from tests.conftest import make_part
from tests.support import gateway as field
from tests.support.gateway import (
    APPLICATION,
    BIN,
    LAMP,
    TTS_APPLICATION,
    TTS_BIN,
    collect,
    mqtt,
    rows,
    running,
    series_of,
    until,
)


@pytest.fixture
async def planted(center_db: Database) -> Database:
    await field.plant(center_db)
    return center_db


def table(frames: list[bus.Frame]) -> pa.Table:
    return pa.Table.from_batches([unpack_readings(frame.data) for frame in frames])


def pairs(frames: list[bus.Frame]) -> list[tuple[int, float]]:
    columns = table(frames)
    return list(zip(columns["series_id"].to_pylist(), columns["value"].to_pylist(), strict=True))


async def test_native_and_chirpstack_become_readings(city: Settings, admin_bus: NatsBus, planted: Database) -> None:
    lamp, bin_ = await series_of(planted, LAMP), await series_of(planted, BIN)
    async with running(city):
        with mqtt(city, "fleet") as device, mqtt(city, "lorawan") as network:
            device.publish(f"devices/{LAMP}/up", {"values": {"level": 60, "power": 70.5}})
            event = {"deviceInfo": {"devEui": BIN}, "fPort": 10, "fCnt": 1, "data": "ZQDZA2I="}
            network.publish(f"application/{APPLICATION}/device/{BIN}/event/up", event)
        frames = await collect(admin_bus, INGEST_LIVE, 6, weight=rows)
    assert sorted(pairs(frames)) == sorted(
        [
            (lamp["lamp_level"], 60.0),
            (lamp["lamp_power"], 70.5),
            (bin_["bin_fill"], 50.5),
            (bin_["bin_temperature"], 21.7),
            (bin_["bin_tilt"], 3.0),
            (bin_["battery_level"], 98.0),
        ]
    )
    assert {frame.subject for frame in frames} == {f"readings.live.{partition(d)}" for d in (LAMP, BIN)}


async def test_senml_and_the_things_stack_become_readings(
    city: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    lamp, bin_ = await series_of(planted, LAMP), await series_of(planted, TTS_BIN)
    async with running(city):
        with mqtt(city, "fleet") as device, mqtt(city, "lorawan") as network:
            pack = [{"bn": f"{LAMP}:", "n": "level", "u": "%", "v": 60}, {"n": "power", "u": "W", "v": 70.5}]
            device.publish(f"devices/{LAMP}/up", pack)
            uplink = {"f_port": 10, "frm_payload": "ZQDZA2I="}
            network.publish(f"v3/{TTS_APPLICATION}/devices/{TTS_BIN}/up", {"uplink_message": uplink})
        frames = await collect(admin_bus, INGEST_LIVE, 6, weight=rows)
    assert sorted(pairs(frames)) == sorted(
        [
            (lamp["lamp_level"], 60.0),
            (lamp["lamp_power"], 70.5),
            (bin_["bin_fill"], 50.5),
            (bin_["bin_temperature"], 21.7),
            (bin_["bin_tilt"], 3.0),
            (bin_["battery_level"], 98.0),
        ]
    )


async def test_a_copy_that_straddles_a_restart_is_no_second_reading(
    city: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    with mqtt(city, "lorawan") as network:
        for moment, f_cnt in (("00:00", 1), ("00:04", 1), ("00:08", 1), ("01:00", 2)):
            event = {"deviceInfo": {"devEui": BIN}, "fPort": 10, "fCnt": f_cnt, "data": "ZQDZA2I="}
            event["time"] = f"2026-03-02T12:{moment}Z"
            async with running(city) as part:  # each frame meets another gateway
                network.publish(f"application/{APPLICATION}/device/{BIN}/event/up", event)
                await until(lambda part=part: part.counters["uplinks"] == 1)  # type: ignore[misc]
                await until(lambda: acknowledged(admin_bus))
                copies = part.counters["repeats"]
            assert copies == (moment in ("00:04", "00:08"))
    frames = await collect(admin_bus, INGEST_HISTORY, 8, weight=rows)
    assert len(set(table(frames)["time"].to_pylist())) == 2


async def acknowledged(admin: NatsBus) -> bool:
    """The gateway's durable of the bin has nothing open."""
    return await admin.pending(GATEWAY_UPLINKS[partition(BIN)]) == 0


async def test_history_old_frames_and_quality_of_service_0(
    city: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    old, new = "2026-01-01T00:00:00Z", wall_clock().now().isoformat()
    async with running(city):
        with mqtt(city, "fleet") as device:
            device.publish(f"devices/{LAMP}/history", [{"time": old, "values": {"level": n}} for n in (1, 1)])
            device.publish(f"devices/{LAMP}/up", [{"time": t, "values": {"power": 5}} for t in (old, new)])
            device.publish(f"devices/{LAMP}/up", {"time": new, "values": {"energy": 7}}, qos=0)
            live = await collect(admin_bus, INGEST_LIVE, 2, weight=rows)
        history = await collect(admin_bus, INGEST_HISTORY, 2, weight=rows)
    assert sorted(value for _, value in pairs(live)) == [5.0, 7.0]
    assert sorted(value for _, value in pairs(history)) == [1.0, 5.0]


async def test_bad_frames_are_quarantined_with_their_bytes(
    city: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    async with running(city) as part:
        with mqtt(city, "fleet") as device:
            device.publish("devices/nobody/up", b'{"values": {"level": 1}}')
            device.publish(f"devices/{LAMP}/up", b"\x00\xff")
            device.publish(f"devices/{LAMP}/up", b'{"values": {"level": NaN, "power": 3}}')
            live = await collect(admin_bus, INGEST_LIVE, 1)
        dead = await collect(admin_bus, INGEST_DEAD, 3)
        await until(lambda: part.counters["quarantined"] == 3)
    assert [value for _, value in pairs(live)] == [3.0]
    notices = [msgspec.json.decode(frame.data, type=Quarantined) for frame in dead]
    found = {(one.reason, one.external_id, one.payload) for one in notices}
    assert found == {
        ("unknown_device", "nobody", b'{"values": {"level": 1}}'),
        ("not_utf8", LAMP, b"\x00\xff"),
        ("not_finite", LAMP, b'{"values": {"level": NaN, "power": 3}}'),
    }


async def test_a_device_that_speaks_right_after_its_registration(
    city: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    async with running(city) as part:
        for number in range(3):
            name = f"new-{number}"
            spec = DeviceSpec(external_id=name, protocol="native", profile="lamp")
            proposal = Proposal(key=f"lamp/{name}", cls="lamp", name_ru=name, name_en=name, device=spec)
            await registry_write.apply(planted, ProposalRequest("test", [proposal]), registry_write_catalog())
            with mqtt(city, "fleet") as device:
                device.publish(f"devices/{name}/up", {"values": {"level": number}})
            frames = await collect(admin_bus, INGEST_LIVE, 1)
            assert [value for _, value in pairs(frames)] == [float(number)]
        assert part.counters["quarantined"] == 0


def registry_write_catalog() -> Catalog:

    return catalog()


async def test_a_gateway_that_dies_before_its_ack_doubles_and_loses_nothing(
    city: Settings, admin_bus: NatsBus, planted: Database
) -> None:
    number = partition(LAMP)
    start = 1_772_452_800
    with mqtt(city, "fleet") as device:
        for n in range(50):
            device.publish(f"devices/{LAMP}/up", {"time": start + n, "values": {"level": n}})
    part = await make_part(city, "gateway", role="gateway")
    lane = Lane(part, await open_directory(part), GATEWAY_UPLINKS[number], number)
    puller = await part.bus.puller(lane.consumer)
    await lane.take(await puller.fetch(20, 1.0))
    await puller.fetch(10, 1.0)  # taken, and then the process is gone
    await close_part(part)
    async with running(city):
        with mqtt(city, "fleet") as device:
            device.publish(f"devices/{LAMP}/up", {"time": start + 50, "values": {"level": 50}})
        seen: set[tuple[int, int, float]] = set()
        puller = await admin_bus.puller(INGEST_HISTORY)  # the times lie far back

        async def all_there() -> bool:
            frames = await puller.fetch(100, 0.2)
            await puller.ack(frames)
            for frame in frames:
                columns = unpack_readings(frame.data).to_pydict()
                keys = ("series_id", "uplink_seq", "value")
                seen.update(zip(*(columns[key] for key in keys), strict=True))
            return len(seen) >= 51

        await until(all_there)
    assert sorted(value for _, _, value in seen) == [float(n) for n in range(51)]


def flood(settings: Settings, count: int) -> set[str]:
    """Publish at QoS 1 without waiting; whose frames were acknowledged before the broker closed the connection."""
    with mqtt(settings, "fleet", "flood", in_flight=1000) as device:
        acknowledged: set[int] = set()
        closed = threading.Event()
        device.client.on_publish = lambda _, __, mid, *___: acknowledged.add(mid)
        device.client.on_disconnect = lambda *_: closed.set()
        names = {device.client.publish(f"devices/device-{n}/up", b"{}", qos=1).mid: f"device-{n}" for n in range(count)}
        assert closed.wait(20), f"{len(acknowledged)} acknowledged and still connected"
    return {names[mid] for mid in acknowledged}


async def test_what_is_acknowledged_is_stored(city: Settings, broker: embedded.Nats, admin_bus: NatsBus) -> None:
    """PUBACK stands for UPLINKS itself: a full stream acknowledges nothing but what it holds (FACTS of the broker).

    It may hold more than the client knows of: a client that writes to the connection while the broker closes it does
    not read the last answers any more.
    """
    config = (await admin_bus.js.stream_info("UPLINKS")).config
    config.max_msgs = 1000
    await admin_bus.js.update_stream(config)
    acknowledged = flood(city, 3000)
    state = (await admin_bus.js.stream_info("UPLINKS", subjects_filter="up.>")).state
    stored = {subject.split(".")[2] for subject in state.subjects or {}}
    assert (state.messages, len(stored)) == (1000, 1000)
    assert acknowledged
    assert acknowledged <= stored
    assert Path(broker.log).read_text().count("maximum messages exceeded") >= 1
