"""Device health: silent ones once for their parent, batteries by their trend, clocks that are wrong."""

from datetime import timedelta

import pytest

from citynet.access import Actor
from citynet.model import Quality
from situation_center import views
from tests.flows.center import Town, person


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
    rows = (await views.health(town.center, operator))["batteries"]
    assert [(row["object_en"], row["percent"]) for row in rows] == [("bin/1", 51.0), ("bin/2", 80.0)]
    assert rows[0]["days"] == pytest.approx(41, abs=1.5)
    assert rows[1]["days"] is None


async def test_clocks(town: Town, operator: Actor) -> None:
    await town.newest("air/1", "pm25", 5.0)
    await town.newest("lamp/2", "lamp_level", 5.0)
    async with town.ingest.transaction("part:ingest") as conn:
        await conn.execute(
            "UPDATE newest SET time = time - interval '10 minutes' WHERE series_id = %s", [town.series("air/1", "pm25")]
        )
    (row,) = (await views.health(town.center, operator))["clocks"]
    assert row["object_en"] == "air/1"
    assert row["behind_s"] == pytest.approx(600)
    series = town.series("lamp/2", "lamp_level")
    for quality, wrong in ((0, ["air/1"]), (Quality.LATE, ["lamp/2", "air/1"])):  # as history, and by the live road
        async with town.ingest.transaction("part:ingest") as conn:
            await conn.execute(
                "UPDATE newest SET time = received - interval '5 hours', quality = %s WHERE series_id = %s",
                [int(quality), series],
            )
        rows = (await views.health(town.center, operator))["clocks"]
        assert [row["object_en"] for row in rows] == wrong
