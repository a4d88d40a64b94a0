"""The Things Stack v3 messages, in the shape that its documentation shows, as readings and receipts."""

import uuid
from typing import Any

import msgspec
import pytest

from citynet.bus import Frame
from gateway.decoding import Decoder, Draft
from gateway.wire import Parsed, protocols
from tests.support.gateway import NOON_US, TTS_BIN, TTS_LAMP, decoder, things_stack

COMMAND = uuid.UUID("0198c0de-0000-7000-8000-000000000001")
HALF_FULL = "ZQDZA2I="  # 6500d90362
IDS = {
    "device_id": TTS_BIN,
    "application_ids": {"application_id": "city-bins"},
    "dev_eui": "70B3D57ED0061234",
    "join_eui": "800000000000000C",
    "dev_addr": "260BCB29",
}
# Three gateways heard it: one with a clock 17 min ahead, one through Packet Broker, one without a clock.
HEARD = [
    {
        "gateway_ids": {"gateway_id": "gtw1", "eui": "9C5C8E00001A05C4"},
        "time": "2026-03-02T12:17:00.787Z",
        "timestamp": 2463457000,
        "rssi": -35,
        "channel_rssi": -35,
        "snr": 5,
        "uplink_token": "ChIKEAoEZ3R3MRIInFyOAAAaBcQQ6L3Vlgk=",
        "channel_index": 2,
    },
    {
        "gateway_ids": {"gateway_id": "packetbroker"},
        "packet_broker": {
            "message_id": "01FMD7A0HBVQ6RKKRWMH9A5MC5",
            "forwarder_net_id": "000013",
            "forwarder_tenant_id": "ttnv2",
            "forwarder_cluster_id": "ttn-v2-legacy-eu",
            "home_network_net_id": "000013",
            "home_network_tenant_id": "ttn",
        },
        "rssi": -107,
        "channel_rssi": -107,
        "snr": -4.2,
    },
    {"gateway_ids": {"gateway_id": "gtw3"}, "timestamp": 1, "rssi": -120},
]
TEMPERATURES = {"fill": 50.5, "tilt": 0, "open": False, "text": "", "more": {"deep": 1}}


def uplink(**fields: Any) -> dict[str, Any]:
    told = {
        "session_key_id": "AXA50tHUGUucuzS/bCGMNw==",
        "f_cnt": 1,
        "f_port": 10,
        "frm_payload": HALF_FULL,
        "rx_metadata": HEARD,
        "settings": {
            "data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 7, "coding_rate": "4/5"}},
            "frequency": "868300000",
            "timestamp": 2463457000,
            "time": "2026-03-02T12:17:00.787Z",
        },
        "received_at": "2026-03-02T12:00:00.000000123Z",
        "consumed_airtime": "0.056576s",
        "network_ids": {"net_id": "000013", "tenant_id": "ttn", "cluster_id": "eu1"},
    } | fields
    return message(uplink_message={name: value for name, value in told.items() if value is not None})


def message(**fields: Any) -> dict[str, Any]:
    return {
        "end_device_ids": IDS,
        "correlation_ids": ["as:up:01E0WZGT6Y7657CPFPE5WEYDSQ"],
        "received_at": "2026-03-02T12:00:00.225Z",
        **fields,
    }


def decoded(*frames: Frame, by: Decoder | None = None) -> Draft:
    return (by or decoder()).decode(list(frames))


def parsed(frame: Frame) -> Parsed:
    return protocols()["things_stack"].parse(frame.subject.split("."), frame.data, decoder().limits)


def values(frame: Frame) -> list[dict[str, float]]:
    return [dict(one.values) for one in parsed(frame).samples]


def test_raw_bytes_are_decoded_by_the_profile_at_the_network_servers_time() -> None:
    draft = decoded(things_stack(uplink()))
    assert draft.value == [50.5, 21.7, 3.0, 98.0]
    assert draft.time == [NOON_US]
    assert not draft.notices


def test_without_the_network_servers_time_the_application_servers_counts() -> None:
    assert decoded(things_stack(uplink(received_at=None))).time == [NOON_US + 225_000]


def test_fields_left_out_are_zero() -> None:
    first = uplink(f_cnt=None)
    by = decoder()
    draft = decoded(things_stack(first), things_stack(uplink(), seq=2), things_stack(first, seq=3), by=by)
    assert (len(draft.count), draft.counters["repeats"]) == (2, 1)


@pytest.mark.parametrize("fields", [{}, {"frm_payload": None, "f_cnt": None}], ids=["with payload", "without"])
def test_no_port_means_mac_commands_only(fields: dict[str, Any]) -> None:
    draft = decoded(things_stack(uplink(f_port=None, **fields)))
    assert (draft.counters["mac_only"], draft.value, draft.notices) == (1, [], [])


def test_the_payload_formatters_object_is_taken_where_there_is_one() -> None:
    draft = decoded(things_stack(uplink(decoded_payload=TEMPERATURES)))
    assert sorted(draft.value) == [0.0, 50.5]  # values that are absent stay absent
    assert draft.counters["unmapped"] == 3
    assert not draft.notices


def test_one_bad_value_of_an_object() -> None:
    body = msgspec.json.encode(uplink(decoded_payload={"fill": 77.5, "tilt": 2}))
    for bad, reason in ((b"NaN", "not_finite"), (b'1,"fill":2', "duplicate_key")):
        draft = decoded(things_stack(body.replace(b"77.5", bad)))
        assert draft.value == [2.0]
        assert [one.reason for one in draft.notices] == [reason]


def test_normalised_measurements_have_their_own_names_and_times() -> None:
    told = [
        {"time": "2026-03-02T11:50:00Z", "air": {"temperature": 20.5, "relativeHumidity": 41}},
        {"battery": 3.1},
        {"time": "noon", "battery": 3},
        7,
    ]
    frame = things_stack(uplink(decoded_payload={"battery": 98}, normalized_payload=told))
    found = parsed(frame)
    assert [(one.time, dict(one.values)) for one in found.samples] == [
        (NOON_US, {"battery": 98.0}),
        (NOON_US - 600_000_000, {"normalized.air.temperature": 20.5, "normalized.air.relativeHumidity": 41.0}),
        (NOON_US, {"normalized.battery": 3.1}),
    ]
    assert [one.reason for one in found.bad] == ["bad_time", "wrong_shape"]
    single = things_stack(
        message(uplink_normalized={"f_port": 1, "normalized_payload": told[1]}), event="up.normalized"
    )
    assert values(single) == [{"normalized.battery": 3.1}]


def test_battery_of_the_last_status() -> None:
    status = {"f_cnt": 3, "value": 99.2, "received_at": "2026-03-02T11:00:00Z"}
    for told, expected in ((status, [{"last_battery_percentage": 99.2}]), ({"f_cnt": 3}, [])):
        assert values(things_stack(uplink(last_battery_percentage=told))) == expected


def test_a_frame_sent_twice_over_the_air_is_read_once_and_a_join_starts_afresh() -> None:
    by = decoder()
    draft = decoded(things_stack(uplink(), seq=1), things_stack(uplink(), seq=2), by=by)
    assert (len(draft.count), draft.counters["repeats"]) == (1, 1)
    join = message(join_accept={"session_key_id": "AXBSH1Pk6Z0G166RlH16CQ==", "received_at": "2026-03-02T12:00:00Z"})
    draft = decoded(things_stack(join, seq=3, event="join"), things_stack(uplink(), seq=4), by=by)
    assert (draft.counters["joins"], len(draft.count)) == (1, 1)


def down(**fields: Any) -> dict[str, Any]:
    ids = ["as:downlink:01E19B99501X84X6CV471TVSZ1", f"citynet:{COMMAND}"]
    downlink = {"f_port": 15, "f_cnt": 1, "frm_payload": "vu8=", "confirmed": True, "correlation_ids": ids}
    return downlink | fields


FAULT = {"namespace": "pkg/networkserver", "name": "application_downlink_too_long", "code": 3}


@pytest.mark.parametrize(
    ("event", "body", "kind", "detail"),
    [
        ("queued", {"downlink_queued": down()}, "queued", ""),
        ("sent", {"downlink_sent": down()}, "radiated", ""),
        ("ack", {"downlink_ack": down()}, "acknowledged", ""),
        ("nack", {"downlink_nack": down()}, "unknown", "no acknowledgement from the device"),
        (
            "failed",
            {"downlink_failed": {"downlink": down(), "error": FAULT}},
            "failed",
            "pkg/networkserver:application_downlink_too_long",
        ),
    ],
)
def test_what_becomes_of_a_downlink(event: str, body: dict[str, Any], kind: str, detail: str) -> None:
    told = {**message(**body), "end_device_ids": {**IDS, "device_id": TTS_LAMP}}
    draft = decoded(things_stack(told, device=TTS_LAMP, event=f"down.{event}"))
    assert [(one.command_id, one.kind, one.detail) for _, _, one in draft.answers] == [(COMMAND, kind, detail)]
    assert not draft.notices


@pytest.mark.parametrize("ids", [[], ["as:downlink:01E1"], ["citynet:nonsense"]])
def test_downlinks_of_others_are_counted(ids: list[str]) -> None:
    draft = decoded(things_stack(message(downlink_sent=down(correlation_ids=ids)), event="down.sent"))
    assert (draft.counters["foreign_answers"], draft.answers, draft.notices) == (1, [], [])


def test_places_are_whole_and_other_events_are_counted() -> None:
    solved = {"service": "lora-cloud", "location": {"longitude": 37.7, "source": "SOURCE_GPS"}}
    frame = things_stack(message(location_solved=solved), event="location.solved")
    assert values(frame)[0]["location.latitude"] == 0.0
    data = {"service": "lora-cloud", "data": {"buffer": {"level": 7}}}
    frame = things_stack(message(service_data=data), event="service.data")
    assert values(frame) == [{"lora-cloud.buffer.level": 7.0}]
    invalid = message(downlink_queue_invalidated={"downlinks": [down()], "last_f_cnt_down": 3})
    assert decoded(things_stack(invalid, event="down.invalidated")).counters["other_events"] == 1


def test_a_simulated_uplink_is_no_measurement() -> None:
    draft = decoded(things_stack({**uplink(), "simulated": True}))
    assert (draft.counters["simulated"], draft.value) == (1, [])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (uplink(app_s_key={"key": "AA=="}), "encrypted"),
        ({**uplink(), "end_device_ids": {**IDS, "device_id": "eui-other"}}, "foreign_identity"),
        (
            {**uplink(), "end_device_ids": {**IDS, "application_ids": {"application_id": "other"}}},
            "foreign_identity",
        ),
        (uplink(f_port=99), "wrong_port"),
        (uplink(frm_payload="ZQ=="), "wrong_length"),
        (uplink(f_port="ten"), "wrong_shape"),
        ({"uplink_message": 5}, "wrong_shape"),
        (uplink(received_at="soon"), "bad_time"),
        (uplink(decoded_payload={f"k{n}": n for n in range(1001)}), "too_many_values"),
    ],
)
def test_what_is_refused(body: dict[str, Any], reason: str) -> None:
    draft = decoded(things_stack(body))
    assert [one.reason for one in draft.notices] == [reason]
    assert not draft.value


def test_only_through_the_application_in_which_the_device_is_registered() -> None:
    frame = things_stack(uplink())
    frame.subject = frame.subject.replace("city-bins@ttn", "city-bins@other")
    assert [one.reason for one in decoded(frame).notices] == ["foreign_identity"]
