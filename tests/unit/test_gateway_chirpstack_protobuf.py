"""ChirpStack's two marshalers: an event as protobuf says the same as the event as JSON; bad ones are refused alike."""

import math
from typing import Any

import msgspec
import pytest
from chirpstack_api import common, integration
from google.protobuf.json_format import MessageToJson
from hypothesis import given
from hypothesis import strategies as st

from citynet.errors import BadInput
from citynet.settings import Settings
from gateway.chirpstack.events import is_protobuf
from gateway.protocols.chirpstack import ChirpStack
from gateway.wire import Parsed
from tests.support.gateway import APPLICATION, BIN, NOON_US, chirpstack, decoder

LIMITS = Settings()
ITEM = "0198c0de-0000-7000-8000-000000000001"
HALF_FULL = bytes.fromhex("6500d90362")


def made(kind: Any, *, nanos: int = 0, **fields: Any) -> Any:
    event = kind(**fields)
    event.time.FromNanoseconds(NOON_US * 1000 + nanos)
    info = event.device_info
    info.tenant_id = info.application_id = APPLICATION
    info.dev_eui, info.device_profile_name = BIN, "Корзина"
    return event


def up(decoded: dict[str, Any] | None = None, **fields: Any) -> Any:
    given = {"f_cnt": 70_000, "f_port": 10, "data": HALF_FULL, "dev_addr": "01ab23cd", "confirmed": True} | fields
    event = made(integration.UplinkEvent, nanos=123_456_789, deduplication_id=ITEM, **given)
    if decoded is not None:
        event.object.update(decoded)
    for gateway in ("0016c001f1500001", "0016c001f1500002", "0016c001f1500003"):
        event.rx_info.add(gateway_id=gateway, rssi=-97, snr=7.5, context=b"\x00\x01")
    return event


def parse(name: str, body: bytes, limits: Settings = LIMITS) -> Parsed:
    said = ChirpStack().parse(["up", "0", BIN, "chirpstack", APPLICATION, name], body, limits)
    said.bad.sort()  # the fields of a protobuf object have no order
    return said


MADE: list[tuple[str, Any]] = [
    ("up", up()),
    ("up", up({"fill": 12, "text": "ok", "nested": {"tilt": True, "deep": {"x": 1}}, "list": [1, "a", None, {}]})),
    ("up", up({"nothing": None})),
    ("up", up({})),
    ("up", up(f_port=0)),
    ("up", up(data=b"")),
    ("up", up(f_cnt=0, dev_addr="", confirmed=False)),
    ("join", made(integration.JoinEvent, dev_addr="01ab23cd", deduplication_id=ITEM)),
    ("ack", made(integration.AckEvent, queue_item_id=ITEM, acknowledged=True, f_cnt_down=5)),
    ("ack", made(integration.AckEvent, queue_item_id=ITEM)),
    ("txack", made(integration.TxAckEvent, queue_item_id=ITEM, gateway_id="0016c001f1500001", downlink_id=4)),
    ("txack", made(integration.TxAckEvent, queue_item_id="not ours")),
    *[
        (
            "log",
            made(integration.LogEvent, code=code, level=2, description="TOO_EARLY", context={"queue_item_id": ITEM}),
        )
        for code in range(len(integration.LogCode.keys()))
    ],
    ("log", made(integration.LogEvent, code=4_000)),
    ("log", made(integration.LogEvent)),
    ("status", made(integration.StatusEvent, margin=-7, battery_level=42.5)),
    ("status", made(integration.StatusEvent, external_power_source=True)),
    ("status", made(integration.StatusEvent, battery_level_unavailable=True, margin=3)),
    ("location", made(integration.LocationEvent)),
    ("location", made(integration.LocationEvent, location=common.Location(latitude=44.72, longitude=37.77, source=3))),
    ("integration", made(integration.JoinEvent)),
]


@pytest.mark.parametrize(("name", "event"), MADE, ids=[f"{name}-{i}" for i, (name, _) in enumerate(MADE)])
@pytest.mark.parametrize("zeros", [False, True], ids=["without zeros", "with zeros"])
def test_both_say_the_same(name: str, event: Any, zeros: bool) -> None:
    as_json = MessageToJson(event, always_print_fields_with_no_presence=zeros).encode()
    as_protobuf = event.SerializeToString()
    assert (is_protobuf(as_json), is_protobuf(as_protobuf)) == (False, True)
    said = parse(name, as_protobuf)
    assert said == parse(name, as_json)
    assert said.samples or said.answers or said.counted or said.radio


def test_a_protobuf_uplink_becomes_readings() -> None:
    draft = decoder().decode([chirpstack(up().SerializeToString())])
    assert draft.value == [50.5, 21.7, 3.0, 98.0]
    assert draft.time == [NOON_US + 123_456]
    assert not draft.notices


def test_one_bad_value_of_an_object_leaves_the_others() -> None:
    said = parse("up", up({"fill": math.nan, "tilt": 2, "temperature": -math.inf}).SerializeToString())
    assert said.samples[0].values == {"tilt": 2.0}
    assert {(bad.reason, bad.key) for bad in said.bad} == {("not_finite", "fill"), ("not_finite", "temperature")}


def test_a_status_tells_no_battery_that_nobody_measured() -> None:
    told = [parse(name, event.SerializeToString()).samples[0].values for name, event in MADE if name == "status"]
    assert told == [{"margin": -7.0, "batteryLevel": 42.5}, {"margin": 0.0}, {"margin": 3.0}]


def test_the_place_that_the_network_found() -> None:
    said = parse("location", MADE[-2][1].SerializeToString())
    assert said.samples[0].values == {"latitude": 44.72, "longitude": 37.77, "altitude": 0.0, "accuracy": 0.0}


def refused(body: bytes, limits: Settings = LIMITS) -> str:
    with pytest.raises(BadInput) as caught:
        parse("up", body, limits)
    return caught.value.reason


def nested(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"x": 1}
    for _ in range(levels - 1):
        inner = {"in": inner}
    return inner


def test_what_is_refused() -> None:
    whole = up({"fill": 1}).SerializeToString()
    encrypted = up()
    encrypted.join_server_context.session_key_id = "key"
    late = up()
    late.time.seconds = 2**40
    foreign = up()
    foreign.device_info.dev_eui = "ffffffffffffffff"
    assert refused(whole[:-1]) == "not_protobuf"
    assert refused(b"\x08\x01") == "not_protobuf"
    assert refused(late.SerializeToString()) == "bad_time"
    assert refused(foreign.SerializeToString()) == "foreign_identity"
    assert refused(up({str(n): n for n in range(1001)}).SerializeToString()) == "too_many_values"
    for body in (encrypted.SerializeToString(), MessageToJson(encrypted).encode()):
        assert refused(body) == "encrypted"


def test_nesting_has_one_limit() -> None:
    shallow = LIMITS.model_copy(update={"json_depth": 5})
    for levels in (6, 7):
        event = up(nested(levels))
        for body in (event.SerializeToString(), MessageToJson(event).encode()):
            assert refused(body, shallow) == "too_deep"
    event = up(nested(5))
    assert parse("up", event.SerializeToString(), shallow) == parse("up", MessageToJson(event).encode(), shallow)
    assert refused(up(nested(40)).SerializeToString()) == "not_protobuf"  # protobuf has a limit of its own


@given(data=st.data(), event=st.sampled_from([event for _, event in MADE]), name=st.sampled_from([n for n, _ in MADE]))
def test_broken_protobuf_is_no_crash(data: st.DataObject, event: Any, name: str) -> None:
    body = bytearray(event.SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=6))
    draft = decoder().decode([chirpstack(bytes(body), event=name)])
    assert "codec_error" not in [one.reason for one in draft.notices]
    msgspec.msgpack.encode(draft.notices)
