"""Raw frames outlive the broker: archived as they came, once each, decoded again from there, kept to a size."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from citynet import archive, settings
from citynet.bus import INGEST_ARCHIVE, Frame, NatsBus
from citynet.db import Database
from citynet.settings import Settings
from gateway import archived as archived_frames
from gateway.devices import CODECS, codecs
from ingest.archive import BlockWriter
from tests.flows.test_redecode import RADIO, edits, idle, readings, redecode, wrong
from tests.support import gateway as field
from tests.support.gateway import APPLICATION, BIN, LAMP, mqtt, running, series_of
from tests.support.readings import eventually, running_ingest


async def blocks(database: Database) -> list[dict[str, Any]]:
    return await database.rows("SELECT * FROM frame_block ORDER BY block_id")


def unpacked(rows: list[dict[str, Any]]) -> list[Frame]:
    return [frame for row in rows for frame in archive.unpack(row["body"], row["raw_bytes"])]


async def archived(bus: NatsBus) -> None:
    async def nothing_waits() -> bool:
        return not any([await bus.pending(consumer) for consumer in INGEST_ARCHIVE])

    await eventually(nothing_waits)


async def test_a_codec_is_mended_after_the_broker_has_let_the_frames_go(
    city: Settings, admin_bus: NatsBus, owner_db: Database, center_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await field.plant(center_db)
    monkeypatch.setattr(settings, "load", lambda: city)
    fill = (await series_of(center_db, BIN))["bin_fill"]
    event = {"deviceInfo": {"devEui": BIN}, "fPort": 10, "fCnt": 1, "data": RADIO}
    async with running_ingest(city):
        with monkeypatch.context() as patched:
            patched.setitem(CODECS._members, "bin-lora", wrong(codecs()["bin-lora"]))
            async with running(city):
                with mqtt(city, "lorawan") as network, mqtt(city, "fleet") as device:
                    network.publish(f"application/{APPLICATION}/device/{BIN}/event/up", event)
                    device.publish(f"devices/{LAMP}/up", {"values": {"level": 60}})
                await idle(admin_bus)
    # Ingest has stopped, so the block that it was gathering is stored.
    before, raw = await readings(center_db, "reading"), await blocks(owner_db)
    assert before[fill] == 75.75
    for stream in ("UPLINKS", "HISTORY"):
        await admin_bus.js.purge_stream(stream)
    async with running_ingest(city), running(city) as gateway:
        assert await redecode("--profile", "lamp") == {"frames": 1, "readings": 1, "refused": 0, "edited": 0}
        found = await redecode("--device", BIN, "--why", "fill was 1.5 times too high")
        assert found == {"frames": 1, "readings": 4, "refused": 0, "edited": 1}
        assert (await redecode())["edited"] == 0
        assert gateway.counters["uplinks"] == 0  # nothing went the way of live frames
    after = await readings(center_db, "reading")
    assert {series: after[series] for series in before} == before  # the original is still there
    (edit,) = await edits(center_db)
    assert (edit["value"], edit["who"], edit["why"]) == (50.5, "part:cli", "fill was 1.5 times too high")
    assert datetime.now(UTC) - edit["at"] < timedelta(minutes=1)
    assert (await readings(center_db, "reading_newest"))[fill] == 50.5
    assert await blocks(owner_db) == raw
    assert sorted(frame.subject.split(".")[2] for frame in unpacked(raw)) == [BIN, LAMP]


async def test_two_processes_archive_each_frame_once_and_as_it_came(
    city: Settings, admin_bus: NatsBus, owner_db: Database
) -> None:
    sent = [(f"up.{n % 8}.d//{n % 50}.native.up", b'{"values": {"level": %d}}' % n) for n in range(300)]

    async def publish(some: list[tuple[str, bytes]]) -> None:
        for subject, body in some:
            await admin_bus.publish(subject, body, headers={"Citynet-Arrived": "7"} if body.endswith(b"9}}") else None)

    async with running_ingest(city):
        async with running_ingest(city):
            await publish(sent[:200])
        await publish(sent[200:])
    async with running_ingest(city):  # whoever comes next finds what its predecessor left
        pass
    await archived(admin_bus)
    frames = unpacked(await blocks(owner_db))
    assert [frame.seq for frame in frames] == list(range(1, 301))
    assert [(frame.subject, frame.data) for frame in frames] == sent
    assert {bool(frame.headers) for frame in frames if frame.data.endswith(b"9}}")} == {True}
    first = await admin_bus.js.get_msg("UPLINKS", 1)
    assert first.time is not None
    assert abs(frames[0].arrival_ns / 1e9 - first.time.timestamp()) < 1e-5


async def test_what_was_archived_before_its_acknowledgement_was_lost_is_not_archived_twice(
    owner_db: Database,
) -> None:
    write = BlockWriter("UPLINKS")
    some = [Frame(f"up.0.d-{n}.native.up", b"x", n, 1_000_000 + n * 1000) for n in range(1, 6)]
    anew = [Frame("up.0.d-1.native.up", b"y", 1, 9_000_000)]  # of a broker that lost its data
    for frames in (some[:3], some, anew, anew):
        async with owner_db.transaction("part:ingest") as conn:
            await write(conn, frames)
    assert [(frame.seq, frame.data) for frame in unpacked(await blocks(owner_db))] == [
        *((n, b"x") for n in range(1, 6)),
        (1, b"y"),
    ]


async def test_frames_of_one_device_are_found_without_reading_every_block(
    owner_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = round(datetime.now(UTC).timestamp() * 1e9)
    async with owner_db.transaction("part:ingest") as conn:
        for block in range(40):
            names = [f"d//{block}-{n}" for n in range(200)] + (["a//b"] if block in (7, 30) else [])
            some = [
                Frame(f"up.0.{name}.native.up", b"x", block * 1000 + n, now + (block * 1000 + n) * 1000)
                for n, name in enumerate(names, 1)
            ]
            await BlockWriter("UPLINKS")(conn, some)
        await conn.execute(
            "UPDATE frame_block SET devices = NULL WHERE block_id = (SELECT min(block_id) FROM frame_block)"
        )
    read: list[int] = []
    unpack = archive.unpack

    def noted(body: bytes, raw_bytes: int) -> list[Frame]:
        read.append(len(body))
        return unpack(body, raw_bytes)

    monkeypatch.setattr(archive, "unpack", noted)
    span: dict[str, Any] = {"since": datetime.fromtimestamp(0, UTC), "before": datetime.now(UTC) + timedelta(hours=1)}
    way = [archived_frames.forward, archived_frames.backward]
    for number, expected in enumerate(([7201, 30201], [30201, 7201])):
        found = [frame async for some in way[number](owner_db, "UPLINKS", external_id="a.b", **span) for frame in some]
        assert [frame.seq for frame in found] == expected
        assert len(read) == 3  # with the block of which nothing is known
        read.clear()
    everything = [some async for some in archived_frames.forward(owner_db, "UPLINKS", **span)]
    assert (len(everything), len(read)) == (40, 40)


async def test_the_archive_keeps_to_its_days_and_to_its_size(
    city: Settings, admin_bus: NatsBus, owner_db: Database
) -> None:
    now = datetime.now(UTC)
    for age in (timedelta(days=40), timedelta(hours=2), timedelta(hours=1), timedelta(0)):
        await owner_db.row(
            "INSERT INTO frame_block (stream, first_at, last_at, last_seq, frames, raw_bytes, body)"
            " VALUES ('UPLINKS', %s, %s, 1, 1, 1, %s) RETURNING block_id",
            [now - age, now - age, bytes(700_000)],
        )
    small = city.model_copy(update={"archive_max_bytes": 1_500_000})

    async def trimmed() -> bool:
        return len(await blocks(owner_db)) < 4

    async with running_ingest(small) as part:
        await eventually(trimmed)
    assert [(now - row["last_at"]) < timedelta(minutes=70) for row in await blocks(owner_db)] == [True, True]
    assert part.counters["archive_blocks_dropped"] == 2
    assert part.gauges["archive_bytes"] == 1_400_000


async def test_a_city_may_do_without(city: Settings, admin_bus: NatsBus, owner_db: Database) -> None:
    await admin_bus.publish("up.0.d.native.up", b"{}")
    async with running_ingest(city.model_copy(update={"archive_days": 0})):
        pass
    assert await blocks(owner_db) == []
