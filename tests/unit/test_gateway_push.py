"""Request bodies of HTTP push: which frames they are, what is refused and why; rates of a credential."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citynet.errors import BadInput, Forbidden
from citynet.settings import Settings
from gateway.buckets import Buckets
from gateway.protocols.http_push import intake, webhooks
from gateway.protocols.http_push.idempotency import message_ids
from gateway.protocols.http_push.problems import Refused
from gateway.qos0 import partition

LIMITS = Settings()
MOMENT = b'{"values": {"level": 1}}'


def reason(work: object, *arguments: object, **named: object) -> str:
    with pytest.raises((BadInput, Refused)) as caught:
        work(*arguments, limits=named.pop("limits", LIMITS), **named)  # type: ignore[operator]
    error = caught.value
    assert isinstance(error, (BadInput, Refused))
    return error.reason


def test_a_message_is_one_frame_and_each_line_another() -> None:
    one = intake.native("a.b", intake.JSON, MOMENT, lane="up", limits=LIMITS)
    assert one.frames == [intake.Out("a.b", f"up.{partition('a//b')}.a//b.native.up", MOMENT)]
    many = intake.native("lamp-1", intake.NDJSON, MOMENT + b"\n\n" + MOMENT + b"\r\n", lane="history", limits=LIMITS)
    assert [frame.subject.split(".", 2)[2] for frame in many.frames] == ["lamp-1.native.history"] * 2
    assert {frame.subject.split(".")[0] for frame in many.frames} == {"hist"}


def test_items_name_their_device_or_are_the_callers_own() -> None:
    body = b'[{"device": "b", "values": {"x": 1}}, {"values": {"x": 2}}]'
    batch = intake.mixed(intake.JSON, body, lane="up", own="a", limits=LIMITS)
    assert [frame.device for frame in batch.frames] == ["b", "a"]
    lines = b'{"device": "b", "values": {"x": 1}}\n{"values": {"x": 2}}'
    same = intake.mixed(intake.NDJSON, lines, lane="up", own="a", limits=LIMITS)
    assert same.frames == batch.frames


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (intake.JSON, b"{", "not_json"),
        (intake.JSON, b"\xff", "not_utf8"),
        (intake.JSON, b"[" * 40 + b"]" * 40, "too_deep"),
        (intake.JSON, b"7", "wrong_shape"),
        (intake.JSON, b"x" * 300_000, "too_large"),
        (intake.SENML, MOMENT, "wrong_shape"),
        (intake.SENML, b'[{"n": "level", "v": 1, "x_": 1}]', "must_understand"),
        (intake.NDJSON, b"\n \n", "no_values"),
        (intake.NDJSON, MOMENT + b"\n{", "not_json"),
        (intake.NDJSON, (MOMENT + b"\n") * 2_001, "too_large"),
    ],
)
def test_what_is_refused_of_one_device(kind: str, body: bytes, expected: str) -> None:
    assert reason(intake.native, "lamp-1", kind, body, lane="up") == expected


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (intake.JSON, MOMENT, "wrong_shape"),
        (intake.JSON, b"[]", "no_values"),
        (intake.JSON, b"[" + b"{}," * 2_000 + b"{}]", "too_large"),
        (intake.JSON, b'[{"device": 5}]', "not_json"),
        (intake.JSON, b'[{"device": "a b", "values": {}}]', "bad_identifier"),
        (intake.SENML, b"[]", "wrong_media"),
    ],
)
def test_what_is_refused_of_several_devices(kind: str, body: bytes, expected: str) -> None:
    assert reason(intake.mixed, kind, body, lane="up", own="a") == expected


def test_a_bad_value_is_told_and_its_neighbours_are_taken() -> None:
    batch = intake.native("lamp-1", intake.JSON, b'{"values": {"level": NaN, "power": 3}}', lane="up", limits=LIMITS)
    assert len(batch.frames) == 1
    assert [(one.reason, one.key) for one in batch.refused] == [("not_finite", "level")]


def test_media_types() -> None:
    assert intake.media("application/json; charset=utf-8") == intake.media("") == intake.JSON
    with pytest.raises(Refused, match="is none of"):
        intake.media("application/x-www-form-urlencoded")


THINGS = b'{"end_device_ids": {"device_id": "eui-1", "application_ids": {"application_id": "app"}}, "%s": {}}'
CHIRP = b'{"deviceInfo": {"applicationId": "app", "devEui": "0011223344556677"}}'


@pytest.mark.parametrize(("field", "event"), webhooks.THINGS_STACK.items())
def test_a_things_stack_webhook_is_the_frame_of_its_topic(field: str, event: str) -> None:
    body = THINGS % field.encode()
    frame = webhooks.things_stack(body, application="app@ttn", limits=LIMITS)
    assert (frame.device, frame.data) == ("eui-1", body)
    assert frame.subject.split(".", 2)[2] == f"eui-1.things_stack.app@ttn.{event}"


def test_a_network_speaks_for_its_application_only() -> None:
    body = THINGS % b"uplink_message"
    with pytest.raises(Forbidden):
        webhooks.things_stack(body, application="other@ttn", limits=LIMITS)
    with pytest.raises(Forbidden):
        webhooks.chirpstack(CHIRP, "up", application="other", limits=LIMITS)
    frame = webhooks.chirpstack(CHIRP, "up", application="app", limits=LIMITS)
    assert frame.subject.split(".", 2)[2] == "0011223344556677.chirpstack.app.up"
    assert reason(webhooks.things_stack, THINGS % b"nothing", application="app") == "wrong_shape"
    assert reason(webhooks.chirpstack, CHIRP, "down", application="app") == "wrong_shape"


BODIES = st.binary(max_size=60) | st.sampled_from([THINGS % b"join_accept", CHIRP, MOMENT, b"[[]]", b'{"device":1}'])


@given(BODIES, st.sampled_from([intake.JSON, intake.NDJSON, intake.SENML]))
@settings(max_examples=300, derandomize=True, deadline=None)
def test_no_body_is_a_crash(body: bytes, kind: str) -> None:
    for work in (
        lambda: intake.native("a", kind, body, lane="up", limits=LIMITS),
        lambda: intake.mixed(kind, body, lane="up", own="a", limits=LIMITS),
        lambda: webhooks.things_stack(body, application="app", limits=LIMITS),
        lambda: webhooks.chirpstack(body, "up", application="app", limits=LIMITS),
    ):
        try:
            work()
        except (BadInput, Forbidden, Refused):
            continue


def test_ids_follow_key_credential_place_and_body() -> None:
    frames = [intake.Out("a", "up.0.a.native.up", b"1"), intake.Out("a", "up.0.a.native.up", b"1")]
    assert message_ids(1, "", frames) == ["", ""]
    ids = message_ids(1, "k", frames)
    assert message_ids(1, "k", frames) == ids
    assert ids[0] != ids[1]
    others = [message_ids(2, "k", frames), message_ids(1, "l", frames)]
    assert not {one for other in others for one in other} & set(ids)
    assert message_ids(1, "k", [frames[0]._replace(data=b"2")])[0] not in ids
    with pytest.raises(Refused):
        message_ids(1, "k" * 201, frames)


def test_a_rate_lets_a_large_batch_in_and_the_next_one_wait() -> None:
    rates = Buckets(10.0, 100.0)
    assert rates.wait_s("a", now=0) == 0
    rates.spend("a", 150, now=0)
    assert (rates.wait_s("a", now=0), rates.wait_s("b", now=0)) == (6, 0)
    assert rates.wait_s("a", now=6) == 0
    rates.spend("a", 1, now=1e6)  # never more than full
    assert rates.level("a", now=1e6) == 99
