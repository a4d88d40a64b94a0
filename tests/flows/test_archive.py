"""Raw frames outlive the broker: archived as they came, once each, decoded again from there, kept to a size."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from citynet import archive, bus_room, settings
from citynet.bus import GATEWAY_UPLINKS, INGEST_ARCHIVE, Frame, NatsBus
from citynet.db import Database
from citynet.settings import Settings
from gateway import archived as archived_frames
from gateway.devices import CODECS, codecs
from ingest import archive as archiving
from ingest import archive_short
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
    city: Settings, admin_bus: NatsBus, owner_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await field.plant(owner_db)
    monkeypatch.setattr(settings, "load", lambda: city)
    fill = (await series_of(owner_db, BIN))["bin_fill"]
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
    before, raw = await readings(owner_db, "reading"), await blocks(owner_db)
    assert before[fill] == 75.75
    for stream in ("UPLINKS", "HISTORY"):
        await admin_bus.js.purge_stream(stream)
    async with running_ingest(city), running(city) as gateway:
        assert await redecode("--profile", "lamp") == {"frames": 1, "readings": 1, "refused": 0, "edited": 0}
        found = await redecode("--device", BIN, "--why", "fill was 1.5 times too high")
        assert found == {"frames": 1, "readings": 4, "refused": 0, "edited": 1}
        assert (await redecode())["edited"] == 0
        assert gateway.counters["uplinks"] == 0  # nothing went the way of live frames
    after = await readings(owner_db, "reading")
    assert {series: after[series] for series in before} == before  # the original is still there
    (edit,) = await edits(owner_db)
    assert (edit["value"], edit["who"], edit["why"]) == (50.5, "part:cli", "fill was 1.5 times too high")
    assert datetime.now(UTC) - edit["at"] < timedelta(minutes=1)
    assert (await readings(owner_db, "reading_newest"))[fill] == 50.5
    assert await blocks(owner_db) == raw
    assert sorted(frame.subject.split(".")[2] for frame in unpacked(raw)) == [BIN, LAMP]


async def test_two_processes_archive_each_frame_once_and_as_it_came(
    city: Settings, admin_bus: NatsBus, owner_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "GATHER_S", 0.5)
    sent = [(f"up.{n % 8}.d//{n % 50}.native.up", b'{"values": {"level": %d}}' % n) for n in range(300)]

    async def publish(some: list[tuple[str, bytes]]) -> None:
        for subject, body in some:
            await admin_bus.publish(subject, body, headers={"Citynet-Arrived": "7"} if body.endswith(b"9}}") else None)

    async with running_ingest(city):
        async with running_ingest(city):
            await publish(sent[:200])
        await publish(sent[200:])
    async with running_ingest(city):  # whoever comes next finds what its predecessor left
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
            "INSERT INTO frame_block (stream, first_at, last_at, last_seq, frames, raw_bytes, body, stored)"
            " VALUES ('UPLINKS', %s, %s, 1, 1, 1, %s, 700000) RETURNING block_id",
            [now - age, now - age, bytes(700_000)],
        )
    await owner_db.row("INSERT INTO object (key, class) VALUES ('system/archive', 'system') RETURNING object_id")
    small = city.model_copy(update={"archive_max_bytes": 1_500_000})

    async def trimmed() -> bool:
        return await owner_db.row("SELECT FROM condition WHERE rule_id = 'system.archive_short'") is not None

    async with running_ingest(small) as part:
        await eventually(trimmed)
    assert [(now - row["last_at"]) < timedelta(minutes=70) for row in await blocks(owner_db)] == [True, True]
    assert part.counters["archive_blocks_dropped"] == 2
    assert part.gauges["archive_bytes"] == 1_400_000
    (event,) = await owner_db.rows("SELECT edge, why_en FROM event")
    assert (event["edge"], event["why_en"]) == (
        "open",
        "The archive of raw frames is full (1 MB): they are kept for 0.0 days instead of 30",
    )
    async with running_ingest(small.model_copy(update={"archive_max_bytes": 2_000_000})) as part:
        await archive_short.tell(part, dropped=0, size_bytes=1_400_000, back_days=0.1)
        await archive_short.tell(part, dropped=0, size_bytes=1_400_000, back_days=0.1)
    rows = await owner_db.rows("SELECT edge FROM event ORDER BY recorded")
    assert [row["edge"] for row in rows] == ["open", "close"]


async def test_a_stream_that_is_nearly_full_lets_go_what_everybody_has_taken(
    city: Settings, admin_bus: NatsBus, owner_db: Database
) -> None:
    config = (await admin_bus.js.stream_info("UPLINKS")).config
    config.max_bytes = 200_000
    await admin_bus.js.update_stream(config)
    for n in range(170):
        await admin_bus.publish(f"up.{n % 2}.d-{n}.native.up", bytes(950))
    assert await bus_room.make_room(admin_bus, "UPLINKS") == 0  # nobody has taken anything
    async with running_ingest(city):
        await archived(admin_bus)
    puller = await admin_bus.puller(GATEWAY_UPLINKS[0])
    await puller.ack(await puller.fetch(40, 5.0))  # the first 79, of which the other partition has none
    assert await bus_room.make_room(admin_bus, "UPLINKS") == 0
    puller = await admin_bus.puller(GATEWAY_UPLINKS[1])
    await puller.ack(await puller.fetch(10, 5.0))
    assert await bus_room.make_room(admin_bus, "UPLINKS") == 20
    await puller.ack(await puller.fetch(75, 5.0))
    first = (await admin_bus.js.stream_info("UPLINKS")).state.first_seq
    assert first == 21
    assert await bus_room.make_room(admin_bus, "UPLINKS") == 0  # it has room now
    for n in range(20):
        await admin_bus.publish(f"up.1.d-{n}.native.up", bytes(950))
    assert await bus_room.make_room(admin_bus, "UPLINKS") > 20
    state = (await admin_bus.js.stream_info("UPLINKS")).state
    assert state.bytes <= 0.62 * 200_000
    assert state.first_seq <= 80  # the 40th of the first partition


async def test_a_city_may_do_without(city: Settings, admin_bus: NatsBus, owner_db: Database) -> None:
    await admin_bus.publish("up.0.d.native.up", b"{}")
    async with running_ingest(city.model_copy(update={"archive_days": 0})):
        pass
    assert await blocks(owner_db) == []
