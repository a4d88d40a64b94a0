"""Radio on its whole road: uplinks in NATS, the gateway, ingest, tables; a counter that goes back is an event."""

import msgspec
import pytest

from citynet import db
from citynet.db import Database
from citynet.model import HeardBy, RadioFrame
from citynet.settings import Settings
from ingest.radio_writer import RadioWriter
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
                network.publish(f"application/{APPLICATION}/device/{BIN}/event/up", body | {"rxInfo": views})

        async def told() -> bool:
            row = await owner.row("SELECT f_cnt FROM radio_device")
            return bool(row and row["f_cnt"] == 5)

        await eventually(told)
    links = await owner.rows("SELECT gateway, frames, rssi, snr FROM radio_link ORDER BY gateway")
    assert [tuple(row.values()) for row in links] == [("a", 3, -90, 6), ("b", 3, -110, -2)]
    (row,) = await owner.rows("SELECT * FROM radio_device")
    assert (sum(row["frames"]), sum(row["lost"]), row["spreading"], row["rssi"]) == (3, 2, 9, -90)


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
