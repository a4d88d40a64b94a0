"""ChirpStack v4 events, built with ChirpStack's own message classes, as readings and receipts."""

import base64
import uuid
from typing import Any

import pytest
from chirpstack_api import integration
from google.protobuf.json_format import MessageToJson

from citynet.bus import Frame
from gateway.decoding import Decoder, Draft
from gateway.repeats import WITHIN_S
from tests.support.gateway import APPLICATION, BIN, LORA_LAMP, NOON_US, chirpstack, decoder

COMMAND = uuid.UUID("0198c0de-0000-7000-8000-000000000001")
HALF_FULL = bytes.fromhex("6500d90362")


def event(kind: Any, **fields: Any) -> Any:
    made = kind(**fields)
    made.time.FromMicroseconds(NOON_US)
    made.device_info.application_id, made.device_info.dev_eui = APPLICATION, fields.get("dev_eui", BIN)
    return made


def up(f_cnt: int, data: bytes = HALF_FULL, *, f_port: int = 10, **fields: Any) -> bytes:
    made = event(integration.UplinkEvent, f_cnt=f_cnt, f_port=f_port, data=data, dev_addr="01ab23cd", **fields)
    for gateway in ("0016c001f1500001", "0016c001f1500002"):
        made.rx_info.add(gateway_id=gateway, rssi=-97, snr=7.5)
    text: str = MessageToJson(made)
    return text.encode()


def decoded(*frames: Frame, by: Decoder | None = None) -> Draft:
    return (by or decoder()).decode(list(frames))


def test_raw_bytes_are_decoded_by_the_profile() -> None:
    draft = decoded(chirpstack(up(1)))
    assert draft.value == [50.5, 21.7, 3.0, 98.0]
    assert draft.time == [NOON_US]
    assert not draft.notices


def test_the_network_servers_object_is_taken_where_there_is_one() -> None:
    made = event(integration.UplinkEvent, f_cnt=1, f_port=10, data=HALF_FULL)
    made.object.update({"fill": 12, "text": "ok", "nested": {"fill": 1}, "tilt": True})
    draft = decoded(chirpstack(MessageToJson(made).encode()))
    assert sorted(draft.value) == [1.0, 12.0]
    assert draft.counters["unmapped"] == 2
    assert not draft.notices


def test_one_bad_value_of_an_object() -> None:
    body = b'{"fCnt": 1, "fPort": 10, "time": "2026-03-02T12:00:00.123456789Z", "object": {"fill": NaN, "tilt": 2}}'
    draft = decoded(chirpstack(body))
    assert draft.value == [2.0]
    assert draft.time == [NOON_US + 123_456]
    assert [one.reason for one in draft.notices] == ["not_finite"]


def test_a_repeated_key_of_an_object() -> None:
    body = b'{"fPort": 10, "object": {"fill": 1, "fill": 2, "tilt": 2}}'
    draft = decoded(chirpstack(body))
    assert draft.value == [2.0]
    assert [one.reason for one in draft.notices] == ["duplicate_key"]


def test_mac_frames_and_empty_frames_bring_no_reading() -> None:
    draft = decoded(chirpstack(up(1, f_port=0)), chirpstack(up(2, b""), seq=2))
    assert (draft.counters["mac_only"], draft.counters["empty"]) == (1, 1)
    assert not draft.value
    assert not draft.notices


def test_a_frame_sent_twice_over_the_air_is_read_once() -> None:
    by = decoder()
    first = decoded(chirpstack(up(7), seq=1), chirpstack(up(8), seq=2), chirpstack(up(7), seq=3), by=by)
    assert (len(first.count), first.counters["repeats"]) == (2, 1)
    again = decoded(chirpstack(up(7), seq=1), by=by)
    assert len(again.count) == 1, "the same stored frame delivered again is read again: its rows are idempotent"


def test_a_counter_that_starts_again_after_a_join() -> None:
    joined = MessageToJson(event(integration.JoinEvent)).encode()
    draft = decoded(
        chirpstack(up(1), seq=1), chirpstack(joined, seq=2, event="join"), chirpstack(up(1), seq=3), by=decoder()
    )
    assert (len(draft.count), draft.counters["repeats"], draft.counters["joins"]) == (2, 0, 1)


def test_a_counter_that_starts_again_without_a_join() -> None:
    by = decoder()
    later = chirpstack(up(1), seq=2)
    later.arrival_ns += int(WITHIN_S * 1e9) + 1
    draft = decoded(chirpstack(up(1), seq=1), later, by=by)
    assert (len(draft.count), draft.counters["repeats"]) == (2, 0)
    copy = chirpstack(up(1), seq=3)
    copy.arrival_ns = later.arrival_ns + 1_000_000_000
    assert decoded(copy, by=by).counters["repeats"] == 1


def test_frames_from_before_a_restart_are_only_remembered() -> None:
    by = decoder()
    by.remember([chirpstack(up(7), seq=1), chirpstack(up(8, b"x"), seq=2)])
    draft = decoded(chirpstack(up(7), seq=3), chirpstack(up(9), seq=4), by=by)
    assert (len(draft.count), draft.counters["repeats"], draft.notices) == (1, 1, [])


def test_bytes_that_the_codec_does_not_know() -> None:
    draft = decoded(chirpstack(up(1, b"\x01"), seq=1), chirpstack(up(2, f_port=99), seq=2))
    assert [one.reason for one in draft.notices] == ["wrong_length", "wrong_port"]


def log_event(code: int, **context: str) -> Any:
    return event(integration.LogEvent, level=integration.ERROR, code=code, description="why", context=context)


ID = str(COMMAND)


@pytest.mark.parametrize(
    ("name", "made", "kind"),
    [
        ("txack", event(integration.TxAckEvent, queue_item_id=ID, gateway_id="gw"), "radiated"),
        ("ack", event(integration.AckEvent, queue_item_id=ID, acknowledged=True), "acknowledged"),
        ("ack", event(integration.AckEvent, queue_item_id=ID), "unknown"),
        ("log", log_event(integration.EXPIRED, queue_item_id=ID), "expired"),
        ("log", log_event(integration.DOWNLINK_PAYLOAD_SIZE, queue_item_id=ID), "failed"),
    ],
)
def test_events_about_a_downlink(name: str, made: Any, kind: str) -> None:
    draft = decoded(chirpstack(MessageToJson(made).encode(), event=name))
    assert [(answer.command_id, answer.kind) for _, _, answer in draft.answers] == [(COMMAND, kind)]
    assert [device for _, device, _ in draft.answers] == [2]


def test_events_that_say_nothing_about_us() -> None:
    frames = [
        chirpstack(MessageToJson(log_event(integration.DOWNLINK_GATEWAY)).encode(), event="log", seq=1),
        chirpstack(
            MessageToJson(event(integration.TxAckEvent, queue_item_id="not ours")).encode(), event="txack", seq=2
        ),
        chirpstack(MessageToJson(event(integration.LocationEvent)).encode(), event="location", seq=3),
        chirpstack(
            MessageToJson(event(integration.StatusEvent, battery_level=97.5, margin=10)).encode(), event="status", seq=4
        ),
    ]
    draft = decoded(*frames)
    counted = {name: draft.counters[name] for name in ("network_log", "foreign_answers", "other_events", "unmapped")}
    assert counted == {"network_log": 1, "foreign_answers": 1, "other_events": 1, "unmapped": 2}
    assert not draft.notices
    assert not draft.answers


def test_the_eui_of_topic_and_payload_must_agree() -> None:
    draft = decoded(chirpstack(up(1), device=LORA_LAMP))
    assert [one.reason for one in draft.notices] == ["foreign_identity"]


def test_a_device_comes_through_the_application_of_its_registration() -> None:
    frame = chirpstack(up(1))
    tokens = frame.subject.split(".")
    tokens[-2] = "another"
    frame.subject = ".".join(tokens)
    assert [one.reason for one in decoded(frame).notices] == ["foreign_identity"]
    assert not decoded(chirpstack(up(1))).notices


def test_base64_of_any_kind_is_no_crash() -> None:
    for data in ("!!!", base64.b64encode(b"x").decode()[:-1], "ZQDZA2I"):
        draft = decoded(chirpstack({"fPort": 10, "data": data}))
        assert len(draft.notices) == 1
