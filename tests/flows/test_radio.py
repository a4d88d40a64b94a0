"""Radio on its whole road: uplinks in NATS, the gateway, ingest, tables; a counter that goes back is an event."""

import itertools

import msgspec
import pytest

from analytics.directory import Directory
from citynet import db
from citynet.bus import NatsBus
from citynet.db import Database
from citynet.model import HeardBy, RadioFrame
from citynet.part import close_part
from citynet.settings import Settings
from gateway import masts
from ingest.radio_writer import RadioWriter
from situation_center.intake import take_in
from tests.conftest import make_part
from tests.flows.center import Town
from tests.flows.test_center_worker import working
from tests.support.gateway import APPLICATION, BIN, NOON_US, mqtt, plant, running
from tests.support.readings import eventually, running_ingest, store

HOUR_US = 3_600_000_000


@pytest.mark.usefixtures("admin_bus")
async def test_an_uplink_tells_who_heard_it(city: Settings, center_db: Database) -> None:
    owner = center_db
    await plant(owner)
    async with running(city), running_ingest(city):
        views = [{"gatewayId": "a", "rssi": -90, "snr": 6}, {"gatewayId": "b", "rssi": -110, "snr": -2}]
        with mqtt(city, "lorawan") as network:
            for count in (1, 2, 5):
                body = {"fCnt": count, "fPort": 10, "data": "ZQDZA2I=", "devAddr": "01ab23cd", "dr": 3}
                network.publish(
                    f"application/{APPLICATION}/device/{BIN}/event/up",
                    body | {"rxInfo": views, "txInfo": {"frequency": 868_500_000}},
                )

        async def told() -> bool:
            row = await owner.row("SELECT f_cnt FROM radio_device")
            return bool(row and row["f_cnt"] == 5)

        await eventually(told)
    links = await owner.rows("SELECT gateway, frames, rssi, snr FROM radio_link ORDER BY gateway")
    assert [tuple(row.values()) for row in links] == [("a", 3, -90, 6), ("b", 3, -110, -2)]
    (row,) = await owner.rows("SELECT * FROM radio_device")
    assert (sum(row["frames"]), sum(row["lost"]), row["spreading"], row["rssi"]) == (3, 2, 9, -90)
    assert row["frequency"] == 868_500_000


def frame(device_id: int, count: int, hour: int, *, gateway: str = "a") -> RadioFrame:
    return RadioFrame(
        device_id=device_id,
        arrived_ns=hour + 1,
        time_us=NOON_US + hour * HOUR_US,
        session="s",
        f_cnt=count,
        spreading=7,
        heard=[HeardBy(gateway, -100.0, 1.0)],
    )


async def test_counters_that_go_back_are_told_in_words(city: Settings, center_db: Database) -> None:
    center = center_db
    await plant(center)
    ingest = await db.Database(db.dsn(city, "ingest")).open()
    (device,) = await center.rows("SELECT object_id FROM object WHERE key = %s", [f"device/{BIN}"])
    number = device["object_id"]
    first, second = [(4711, 0), (0, 3), (1, 4), (2, 5)], [(1, 40), (3, 41)]
    body, more = (msgspec.msgpack.encode([frame(number, *one) for one in part]) for part in (first, second))
    writer = RadioWriter(1_000)
    outcome = await store(ingest, writer, body, b"no frames")
    assert (outcome.counters["radio_frames"], outcome.counters["quarantined"]) == (4, 1)
    await store(ingest, writer, more)
    await store(ingest, writer, body, more)  # again: nothing changes
    said = await center.rows(
        "SELECT e.why_en, e.why_ru, o.key FROM event e JOIN object o USING (object_id)"
        " WHERE edge = 'open' ORDER BY time"
    )
    assert [row["key"] for row in said] == [f"bin/{BIN}"] * 2
    assert said[0]["why_en"] == "Frame counter began again: was 4711, came 0; resets so far: 1"
    assert said[0]["why_ru"] == "Счётчик кадров начался заново: был 4711, пришёл 0; сбросов всего: 1"
    assert said[1]["why_en"].startswith("Frame counter began again: was 2, came 1")
    states = await center.rows("SELECT state FROM condition")
    assert [row["state"] for row in states] == ["returned", "returned"]
    later = msgspec.msgpack.encode([frame(number, 4, 31 * 24, gateway="b"), frame(number, 5, 62 * 24, gateway="b")])
    await store(ingest, writer, later)
    assert [row["gateway"] for row in await center.rows("SELECT gateway FROM radio_link")] == ["b"]
    await ingest.close()


async def test_a_gateway_that_the_network_names_is_registered_and_gives_signs_of_life(
    city: Settings, admin_bus: NatsBus, center_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masts, "CITY_S", 0.5)
    await plant(center_db)
    view = {"gatewayId": "00aa00000000bb01", "rssi": -90, "snr": 6, "location": {"latitude": 44.7, "longitude": 37.8}}
    nobody = {"gatewayId": "packetbroker", "rssi": -90, "snr": 6}

    async def seen() -> bool:
        with mqtt(city, "lorawan") as network:
            body = {"fCnt": next(count), "fPort": 10, "data": "ZQDZA2I=", "rxInfo": [view, nobody]}
            network.publish(f"application/{APPLICATION}/device/{BIN}/event/up", body)
        rows = await center_db.rows(
            "SELECT o.key, o.lon FROM newest n JOIN series s USING (series_id) JOIN object_now o USING (object_id)"
            " WHERE s.quantity = 'gateway_frames'"
        )
        return [(row["key"], row["lon"]) for row in rows] == [("gateway/00aa00000000bb01", 37.8)]

    count = itertools.count(1)
    async with working(city), running(city), running_ingest(city):
        await eventually(seen)
    assert not await center_db.rows("SELECT FROM object WHERE key LIKE '%packetbroker%'")


async def heard(town: Town, key: str, *gateways: tuple[str, int]) -> None:
    """An object's device as each gateway has heard it so many times."""
    (row,) = await town.center.rows("SELECT device_id FROM device_point WHERE object_id = %s", [town.ids[key]])
    now = round((await town.now()).timestamp() * 1e6)
    views = [[name for name, frames in gateways if n < frames] for n in range(max(n for _, n in gateways))]
    frames = [
        RadioFrame(
            device_id=row["device_id"],
            arrived_ns=n + 1,
            time_us=now,
            session="s",
            f_cnt=n,
            spreading=7,
            heard=[HeardBy(name, -100.0, 1.0) for name in names],
        )
        for n, names in enumerate(views)
    ]
    await store(town.ingest, RadioWriter(1_000), msgspec.msgpack.encode(frames))


@pytest.mark.usefixtures("admin_bus")
async def test_who_only_silent_gateways_hear(city: Settings, town: Town) -> None:
    """A gateway that had one frame in a hundred of another one's does not count as hearing."""
    await heard(town, "bin/1", ("gateway-1", 3))
    await heard(town, "bin/2", ("gateway-1", 100), ("far", 1))
    await heard(town, "bin/3", ("gateway-1", 3), ("other", 3))
    part = await make_part(city, "analytics", role="analytics")
    directory = Directory(part)
    directory.outages.set("waste.gateway_silent", town.ids["gateway/1"], down=True)
    await directory.look_at_gateways()
    assert sorted(directory.outages.deaf.tolist()) == [town.ids["bin/1"], town.ids["bin/2"]]
    assert directory.outages.reached.tolist() == [town.ids["bin/3"]]
    directory.outages.set("waste.gateway_silent", town.ids["gateway/1"], down=False)
    await directory.look_at_gateways()
    assert len(directory.outages.deaf) == len(directory.outages.reached) == 0
    await close_part(part)


@pytest.mark.parametrize("late", [False, True])
async def test_an_outage_of_a_gateway_is_one_incident(town: Town, late: bool) -> None:
    """Also when its devices were missed before it. What another gateway hears is an incident of its own."""
    await heard(town, "inlet/1", ("gateway-1", 3))
    await heard(town, "cabinet/1", ("gateway-1", 3), ("other", 3))
    told = [
        ("waste.gateway_silent", "gateway/1"),
        ("water.inlet_silent", "inlet/1"),
        ("lighting.cabinet_silent", "cabinet/1"),
    ]
    since = -1
    for rule, key in reversed(told) if late else told:
        await town.condition(rule, key)
        _, since = await take_in(town.center, town.registry, since=since)
    rows = await town.center.rows(
        "SELECT o.key, i.state, count(c.condition_id)::int AS inside FROM incident i JOIN object o USING (object_id)"
        " LEFT JOIN incident_condition c USING (incident_id) GROUP BY 1, 2 ORDER BY 1"
    )
    found = {(row["key"], row["state"]): row["inside"] for row in rows}
    assert found.pop(("inlet/1", "merged"), 0) == 0
    assert found == {("cabinet/1", "new"): 1, ("gateway/1", "new"): 2}
