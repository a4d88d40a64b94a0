"""Device health: silent ones once for their parent, batteries by their trend, clocks that are wrong."""

from datetime import timedelta

import msgspec
import pytest

from citynet.access import Actor
from citynet.errors import NotFound
from citynet.model import HeardBy, RadioFrame
from ingest.radio_writer import RadioWriter
from situation_center import battery_days, views
from situation_center.gateways import Gateways
from tests.flows.center import Town, person
from tests.support.readings import store


async def test_a_silent_gateway_is_one_line(town: Town, operator: Actor) -> None:
    for n in range(1, 6):
        await town.condition("waste.bin_silent", f"bin/{n}")
    await town.condition("waste.gateway_silent", "gateway/1", ago_s=60)
    await town.condition("lighting.lamp_silent", "lamp/1")
    found = (await views.health(town.center, operator))["silent"]
    assert [(row["object_en"], row["behind"]) for row in found] == [("gateway/1", 5), ("lamp/1", 0)]
    water = await person(town.center, "anna", "utility_dispatcher", services=("water",))
    assert (await views.health(town.center, water))["silent"] == []


async def test_batteries_end_on_a_day(town: Town, operator: Actor) -> None:
    now = await town.now()
    for number, fall in ((1, 1.0), (2, 0.0)):
        series = town.series(f"bin/{number}", "battery_level")
        async with town.ingest.transaction("part:ingest") as conn:
            for day in range(30):
                time = now - timedelta(days=29 - day)
                await conn.execute("SELECT reading_partition_ensure(%s)", [time])
                row = [series, time, time, 80 - fall * day]
                await conn.execute(
                    "INSERT INTO reading (series_id, time, received, value) VALUES (%s, %s, %s, %s)", row
                )
        await town.newest(f"bin/{number}", "battery_level", 80 - fall * 29)
    assert await battery_days.refresh(town.center) == 2
    assert await battery_days.refresh(town.center) == 0
    rows = (await views.health(town.center, operator))["batteries"]
    assert [(row["object_en"], row["percent"]) for row in rows] == [("bin/1", 51.0), ("bin/2", 80.0)]
    assert rows[0]["days"] == pytest.approx(42, abs=1.5)
    assert rows[1]["days"] is None


async def test_clocks_and_stuck_values_are_listed_while_they_are_so(town: Town, operator: Actor) -> None:
    await town.condition("device.clock", "air/1", ago_s=60)
    await town.returned(await town.condition("device.clock", "lamp/2"))
    await town.condition("device.stuck", "air/2")
    found = await views.health(town.center, operator)
    assert [(row["object_en"], row["why_en"]) for row in found["clocks"]] == [("air/1", "why")]
    assert [(row["object_en"], row["why_ru"]) for row in found["stuck"]] == [("air/2", "почему")]
    water = await person(town.center, "anna", "utility_dispatcher", services=("water",))
    assert (await views.health(town.center, water))["clocks"] == []


async def test_a_battery_is_read_once_and_then_by_the_day(town: Town) -> None:
    levels = battery_days.turned([None] * 60, 0, last=100, fresh={day: 40.0 + 100 - day for day in range(80, 101)})
    assert battery_days.forecast(levels, 100) == pytest.approx(30.0)
    later = battery_days.turned(levels, 100, last=103, fresh={101: 95.0, 103: 94.0})
    assert later[102 % 60] is None
    assert battery_days.forecast(later, 103) is None  # a new battery: three days say too little
    assert battery_days.forecast(battery_days.turned(later, 103, last=200, fresh={}), 200) is None


async def radio(town: Town, key: str, counters: list[int], *, gateways: tuple[str, ...], snr: float = 5.0) -> None:
    """Frames of an object's device by radio, three hours apart, as ingest folds them."""
    (row,) = await town.center.rows("SELECT device_id FROM device_point WHERE object_id = %s", [town.ids[key]])
    start = round((await town.now() - timedelta(hours=3 * len(counters))).timestamp() * 1e6)
    frames = [
        RadioFrame(
            device_id=row["device_id"],
            arrived_ns=n + 1,
            time_us=start + n * 10_800_000_000,
            session="s",
            f_cnt=count,
            spreading=7,
            heard=[HeardBy(name, -100.0, snr) for name in gateways],
        )
        for n, count in enumerate(counters)
    ]
    await store(town.ingest, RadioWriter(1_000), msgspec.msgpack.encode(frames))


async def test_radio(town: Town, operator: Actor) -> None:
    await radio(town, "bin/1", list(range(0, 60, 2)), gateways=("gateway-1", "other"))
    await radio(town, "bin/2", list(range(30)), gateways=("gateway-1",), snr=-6.0)
    await radio(town, "bin/3", [*range(900, 930), 0, 1], gateways=("gateway-1",))
    assert await Gateways(town.center).look() == 0
    found = (await views.health(town.center, operator))["radio"]
    weak = [(row["object_en"], round(row["loss"] or 0, 2), row["margin"], row["gateways"]) for row in found["weak"]]
    assert weak == [("bin/1", 0.49, 12.5, 2), ("bin/2", 0.0, 1.5, 1)]
    conditions = await town.center.rows("SELECT object_id, state FROM condition WHERE rule_id = 'radio.weak'")
    assert {row["object_id"] for row in conditions} == {town.ids["bin/1"], town.ids["bin/2"]}
    assert [(row["gateway"], row["object_en"], row["devices"], row["alone"]) for row in found["gateways"]] == [
        ("gateway-1", "gateway/1", 3, 2),
        ("other", None, 1, 0),
    ]
    assert [(row["object_en"], row["resets"], row["replays"]) for row in found["counters"]] == [("bin/3", 1, 0)]
    one = await views.device_radio(town.center, operator, town.ids["bin/1"])
    assert (sum(one["frames"]), sum(one["lost"]), [link["gateway"] for link in one["links"]]) == (
        30,
        29,
        ["gateway-1", "other"],
    )
    assert one["frames"][-1] > 0
    with pytest.raises(NotFound):
        await views.device_radio(town.center, operator, town.ids["air/1"])
    water = await person(town.center, "anna", "utility_dispatcher", services=("water",))
    assert (await views.health(town.center, water))["radio"]["weak"] == []
