"""The last raw frames of a device, from the broker and from the archive: what came, what it says, why not."""

from datetime import UTC, datetime

import pytest

from citynet.bus import GATEWAY_UPLINKS, INGEST_DEAD, INGEST_LIVE, NatsBus
from citynet.catalog import catalog
from citynet.db import Database
from citynet.errors import Forbidden, NotFound
from citynet.model import Proposal, ProposalRequest
from citynet.settings import Settings
from situation_center import registry_write, views
from situation_center.views.frames import FrameRow
from tests.flows.center import live_center, person
from tests.support.gateway import APPLICATION, BIN, LAMP, mqtt, plant, running
from tests.support.readings import eventually, running_ingest

GOOD = bytes.fromhex("6500d90362")  # fill 50.5 %, 21.7 C, tilt 3, battery 98

HEARD = {"gatewayId": "a", "rssi": -90, "snr": 6}


def brief(row: FrameRow) -> tuple[object, ...]:
    values = {one["quantity"]: one["value"] for one in row["values"]}
    reasons = [reason for reason, _ in row["set_aside"]]
    return row["f_port"], row["f_cnt"], row["payload"], values.get("bin_fill"), reasons, row["counted"]


async def test_the_last_frames_of_a_device(city: Settings, admin_bus: NatsBus, center_db: Database) -> None:
    await plant(center_db)
    await registry_write.apply(
        center_db, ProposalRequest("test", [Proposal(key="bin/none", cls="bin", name_ru="-", name_en="-")]), catalog()
    )
    keys = {row["key"]: row["object_id"] for row in await center_db.rows("SELECT key, object_id FROM object")}
    bin_, lamp = keys[f"bin/{BIN}"], next(number for key, number in keys.items() if key.endswith(LAMP))

    async def taken() -> bool:
        return not any([await admin_bus.pending(one) for one in (*GATEWAY_UPLINKS, INGEST_LIVE, INGEST_DEAD)])

    async with live_center(city) as center:
        olga = await person(center, "olga", "senior_operator")
        async with running(city):
            async with running_ingest(city):
                with mqtt(city, "lorawan") as network, mqtt(city, "fleet") as device:
                    topic = f"application/{APPLICATION}/device/{BIN}/event/up"
                    for count, data in ((1, GOOD), (1, GOOD), (2, b"\x01\x02"), (3, GOOD)):
                        network.publish(topic, {"fPort": 10, "fCnt": count, "data": data, "rxInfo": [HEARD]})
                    device.publish(f"devices/{LAMP}/up", {"values": {"level": 60}})
                await eventually(taken)
                told = await views.last_frames(center, olga, bin_)
            expected = [
                (10, 3, "65 00 d9 03 62", 50.5, [], ""),
                (10, 2, "01 02", None, ["wrong_length"], ""),
                (10, 1, "65 00 d9 03 62", None, [], "repeats"),
                (10, 1, "65 00 d9 03 62", 50.5, [], ""),
            ]
            assert [brief(row) for row in told["frames"]] == expected
            assert (told["external_id"], told["whole"]) == (BIN, True)
            assert {row["protocol"] for row in told["frames"]} == {"chirpstack"}
            assert (datetime.now(UTC) - told["frames"][0]["time"]).total_seconds() < 300
            await admin_bus.js.purge_stream("UPLINKS")  # ingest has stopped: all is in the archive
            told = await views.last_frames(center, olga, bin_, limit=2)
            assert [brief(row) for row in told["frames"]] == expected[:2]
            (row,) = (await views.last_frames(center, olga, lamp))["frames"]
            assert b"level" in bytes.fromhex(row["payload"])
            assert (row["f_port"], row["by_radio"], row["kind"]) == (None, False, "up")
            assert [(one["quantity"], one["value"]) for one in row["values"]] == [("lamp_level", 60.0)]
        petr = await person(center, "petr", "operator")
        with pytest.raises(Forbidden):
            await views.last_frames(center, petr, bin_)
        for object_id in (keys["bin/none"], 2_000_000_000):
            with pytest.raises(NotFound):
                await views.last_frames(center, olga, object_id)
