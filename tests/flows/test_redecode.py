"""A codec was wrong and is mended: stored frames are decoded again, readings corrected with a mark, nothing doubled."""

import asyncio
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from citynet import __version__, cli, settings
from citynet.bus import GATEWAY_UPLINKS, INGEST_EDITS, INGEST_LIVE, NatsBus
from citynet.db import Database
from citynet.model import EDIT_CODEC, EDIT_WHO, EDIT_WHY, Quality
from citynet.settings import Settings
from gateway.devices import CODECS, Codec, codecs
from schemas import ROOT
from tests.support import gateway as field
from tests.support.gateway import APPLICATION, BIN, LAMP, mqtt, running, series_of
from tests.support.readings import NOON, body, eventually, running_ingest

RADIO = bytes.fromhex("6500d90362")  # fill 50.5 %, 21.7 C, tilt 3, battery 98


def wrong(codec: Codec) -> Codec:
    """Reads the fill level half as high again and does not know the battery."""

    def decode(data: bytes, f_port: int) -> dict[str, float]:
        values = codec.decode(data, f_port)
        values.pop("battery")
        return {**values, "fill": values["fill"] * 1.5}

    return replace(codec, decode=decode)


async def idle(bus: NatsBus, *, with_edits: bool = False) -> None:
    async def nothing_waits() -> bool:
        consumers = [*GATEWAY_UPLINKS, INGEST_LIVE, *([INGEST_EDITS] if with_edits else [])]
        return not any([await bus.pending(consumer) for consumer in consumers])

    await eventually(nothing_waits)


async def readings(database: Database, table: str) -> dict[int, float]:
    rows = await database.rows(f"SELECT series_id, value FROM {table}")
    assert len({row["series_id"] for row in rows}) == len(rows)
    return {row["series_id"]: row["value"] for row in rows}


async def edits(database: Database) -> list[dict[str, Any]]:
    return await database.rows("SELECT * FROM reading_edit ORDER BY series_id, version")


async def redecode(*words: str) -> dict[str, int]:
    """What `citynet replay --since 1h` says."""
    cli._add_commands("replay")
    result = await asyncio.to_thread(CliRunner().invoke, cli.app, ["replay", "--since", "1h", "--json", *words])
    assert result.exception is None, result.exception
    found: dict[str, int] = json.loads(result.output.splitlines()[-1])
    return found


async def test_stored_readings_follow_the_codec_of_now(
    city: Settings, admin_bus: NatsBus, owner_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await field.plant(owner_db)
    monkeypatch.setattr(settings, "load", lambda: city)
    bin_ = await series_of(owner_db, BIN)

    async with running_ingest(city):
        with monkeypatch.context() as patched:
            patched.setitem(CODECS._members, "bin-lora", wrong(codecs()["bin-lora"]))
            async with running(city):
                with mqtt(city, "lorawan") as network, mqtt(city, "fleet") as device:
                    event = {"deviceInfo": {"devEui": BIN}, "fPort": 10, "fCnt": 1, "data": RADIO}
                    for _ in range(2):  # heard twice
                        network.publish(f"application/{APPLICATION}/device/{BIN}/event/up", event)
                    device.publish(f"devices/{LAMP}/up", {"values": {"level": 60}})
                    device.publish("devices/nobody/up", {"values": {"level": 60}})
                await idle(admin_bus)
        before = await readings(owner_db, "reading")
        assert len(before) == 4
        assert before[bin_["bin_fill"]] == 75.75
        async with running(city) as gateway:
            assert await redecode("--profile", "lamp") == {"frames": 1, "readings": 1, "refused": 0, "edited": 0}
            found = await redecode("--device", BIN, "--why", "fill was 1.5 times too high")
            assert found == {"frames": 2, "readings": 4, "refused": 0, "edited": 1}
            again = await redecode()
            assert again == {"frames": 3, "readings": 5, "refused": 0, "edited": 0}
            assert gateway.counters["quarantined"] == 0
    after = await readings(owner_db, "reading")
    assert {series: after[series] for series in before} == before  # as they came
    assert after[bin_["battery_level"]] == 98.0  # the codec of then did not know it
    (edit,) = await edits(owner_db)
    expected = {"series_id": bin_["bin_fill"], "version": 1, "value": 50.5, "quality": 2, "who": "part:cli"}
    assert expected.items() <= edit.items()
    assert edit["why"] == "fill was 1.5 times too high"
    assert edit["codec_version"] == f"bin-lora@1/python:bin-lora@{__version__}"
    assert (await readings(owner_db, "reading_newest"))[bin_["bin_fill"]] == 50.5
    assert (await readings(owner_db, "newest"))[bin_["bin_fill"]] == 50.5


async def test_what_a_person_corrected_stays(city: Settings, admin_bus: NatsBus, owner_db: Database) -> None:
    headers = {EDIT_WHO: "part:cli", EDIT_WHY: "mended", EDIT_CODEC: "p@2"}
    async with running_ingest(city) as part:
        async with part.db.transaction("part:ingest") as conn:
            await conn.execute("SELECT reading_partition_ensure(%s)", [NOON])
            await conn.execute("INSERT INTO reading VALUES (1, %s, %s, 5), (2, %s, %s, 5)", [NOON] * 4)
            await conn.execute(
                "INSERT INTO reading_edit VALUES (1, %s, 1, 6, 2, 'person:anna', now(), 'read by hand')", [NOON]
            )
        for value in (7.0, 7.0, 8.0):
            await admin_bus.publish("readings.edit", body([(1, NOON, value), (2, NOON, value)]), headers=headers)
        await idle(admin_bus, with_edits=True)
    found = [(row["series_id"], row["version"], row["value"]) for row in await edits(owner_db)]
    assert found == [(1, 1, 6.0), (2, 1, 7.0), (2, 2, 8.0)]


async def test_a_correction_says_how_good_its_value_is(city: Settings, admin_bus: NatsBus, owner_db: Database) -> None:
    """Of the first reading only its way stays: that it came late, not that its value was out of range."""
    bad, late = Quality.OUT_OF_RANGE, Quality.LATE
    headers = {EDIT_WHO: "part:cli", EDIT_WHY: "mended", EDIT_CODEC: "p@2"}
    async with running_ingest(city):
        rows = [(1, NOON, 500.0, bad | late), (2, NOON, 5.0, bad), (3, NOON, 5.0, 0), (4, NOON, 5.0, late)]
        for series, at, value, quality in rows:
            await owner_db.row("SELECT reading_partition_ensure(%s)", [at])
            await owner_db.row(
                "WITH new AS (INSERT INTO reading VALUES (%s, %s, %s, %s, %s) RETURNING *)"
                " INSERT INTO newest SELECT series_id, time, received, value, quality, 1 FROM new RETURNING change",
                [series, at, at, value, int(quality)],
            )
        said = [(1, NOON, 50.0), (2, NOON, 5.0), (3, NOON, 5.0), (4, NOON, 5.0)]
        for _ in range(2):
            await admin_bus.publish("readings.edit", body(said), headers=headers)
        await idle(admin_bus, with_edits=True)
    for table in ("reading_newest", "newest"):
        now = {row["series_id"]: row["quality"] for row in await owner_db.rows(f"SELECT * FROM {table}")}
        assert now == {1: Quality.EDITED | late, 2: Quality.EDITED, 3: 0, 4: late}, table
    assert [(row["series_id"], row["version"], row["value"]) for row in await edits(owner_db)] == [
        (1, 1, 50.0),
        (2, 1, 5.0),
    ]


def test_both_storages_have_one_view_of_corrected_readings() -> None:
    views = {
        path.name: re.findall(r"CREATE VIEW reading_newest AS.*?;", path.read_text(encoding="utf-8"), re.DOTALL)
        for path in (ROOT / "sql").glob("*.sql")
    }
    found = [view for several in views.values() for view in several]
    assert len(found) == 2
    assert len(set(found)) == 1, views
