"""Every protocol and every device family: the same checks on each, so that a new file needs no test of its own."""

import json
import re
import uuid
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citynet.bus import Frame
from citynet.catalog import CommandSpec, catalog
from citynet.clock import Clock
from citynet.errors import BadInput
from citynet.model import Command
from citynet.settings import Settings
from gateway import checks
from gateway.decoding import Decoder
from gateway.devices import codecs
from gateway.quarantine import REASONS
from gateway.wire import Order, device_id, protocols, subject_token
from tests.support.gateway import BIN, LAMP, NOON, NOON_US, TTS_APPLICATION, TTS_BIN, decoder, native

CLOCK = Clock(NOON, NOON)
TOKENS = {
    "native": f"up.0.{LAMP}.native.up",
    "chirpstack": f"up.0.{BIN}.chirpstack.app.up",
    "things_stack": f"up.0.{TTS_BIN}.things_stack.{TTS_APPLICATION}.up",
}
# Networks that carry bytes of LoRaWAN devices: a profile with a codec works over each.
RADIO = {"chirpstack", "things_stack"}
EXAMPLES: dict[str, bytes] = {
    "native": b'{"time": "2026-03-02T12:00:00Z", "values": {"level": 60, "power": 70.5}}',
    "chirpstack": b'{"deviceInfo": {"devEui": "0011223344556677"}, "time": "2026-03-02T12:00:00Z", "fCnt": 1,'
    b' "fPort": 10, "data": "ZQDZA2I=", "object": {"fill": 1.5, "more": {"tilt": 2}}}',
    "things_stack": b'{"end_device_ids": {"device_id": "eui-70b3d57ed0061234", "dev_addr": "260B4321"},'
    b' "uplink_message": {"received_at": "2026-03-02T12:00:00.5Z", "f_cnt": 1, "f_port": 10, "frm_payload": "ZQDZA2I=",'
    b' "decoded_payload": {"fill": 1.5, "more": {"tilt": 2}}, "normalized_payload": [{"battery": 3.1}]}}',
}
SENML = b'[{"bn": "lamp-1:", "bt": 1772452800, "n": "level", "u": "/", "v": 60}, {"n": "power", "t": -5, "vb": true}]'
NEIGHBOUR = native({"time": "2026-03-02T11:59:53Z", "values": {"energy": 42}}, seq=2)
LIMITS = Settings()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = set(re.findall(r'"(\w+)":', b"".join([*EXAMPLES.values(), SENML]).decode()))
WORDS = st.sampled_from(sorted(KEYS | {"name", "value", "downlink_ack", "bv", "bs", "bver", "vs", "s", "x_"}))
SHAPED = st.dictionaries(WORDS, JSON | st.dictionaries(WORDS, JSON, max_size=4), max_size=6)


def encode(document: Any) -> bytes:
    return json.dumps(document).encode("utf-8", "replace")


@st.composite
def mutated(draw: st.DrawFn, example: bytes) -> bytes:
    """A good frame with pieces cut out, doubled or overwritten."""
    data = bytearray(example)
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, len(data))), draw(st.integers(0, 12))
        data[at : at + length] = draw(st.binary(max_size=6) | st.sampled_from([b'"', b"{", b"}", b"1e999", b"NaN"]))
    return bytes(data)


def survives(name: str, body: bytes, *, event: str = "") -> None:
    """The frame gives readings or a notice with a known reason, never a crash; its neighbour is read."""
    by: Decoder = decoder()
    subject = TOKENS[name].rpartition(".")[0] + f".{event}" if event else TOKENS[name]
    draft = by.decode([Frame(subject, body, 1, NOON_US * 1000), NEIGHBOUR])
    checked = checks.check(draft, by.directory.targets, CLOCK, limits=LIMITS)
    assert {one.reason for one in draft.notices} <= set(REASONS) - {"codec_error"}
    assert 1 in checked.readings.frame, "the neighbour is lost"
    for one in draft.notices:
        msgspec.msgpack.encode(one)
        assert "\0" not in one.detail + one.subject + one.external_id


def test_the_examples_cover_the_family() -> None:
    assert set(protocols()) == set(TOKENS)


@pytest.mark.parametrize("name", sorted(TOKENS))
@given(data=st.data())
@settings(max_examples=150, derandomize=True, deadline=None)
def test_no_input_is_a_crash(name: str, data: st.DataObject) -> None:
    body = data.draw(st.binary(max_size=80) | SHAPED.map(encode) | JSON.map(encode) | mutated(EXAMPLES[name]))
    survives(name, body)


@given(body=st.lists(SHAPED, max_size=5).map(encode) | mutated(SENML))
@settings(max_examples=250, derandomize=True, deadline=None)
def test_no_senml_pack_is_a_crash(body: bytes) -> None:
    survives("native", body)


@given(body=SHAPED.map(encode) | JSON.map(encode) | mutated(EXAMPLES["native"]))
@settings(max_examples=150, derandomize=True, deadline=None)
def test_the_short_way_says_what_the_careful_one_says(body: bytes) -> None:
    frame = Frame(TOKENS["native"], body, 3, NOON_US * 1000)
    warm, cold = decoder(), decoder()
    warm.decode([Frame(TOKENS["native"], EXAMPLES["native"], 1, NOON_US * 1000)])
    assert TOKENS["native"] in warm.directory.plain
    assert warm.decode([frame]) == cold.decode([frame])


@pytest.mark.parametrize("event", ["event", "ack", "txack", "log", "status", "join", "location", "?"])
@pytest.mark.parametrize("name", sorted(TOKENS))
@given(data=st.data())
@settings(max_examples=25, derandomize=True, deadline=None)
def test_no_event_is_a_crash(name: str, event: str, data: st.DataObject) -> None:
    survives(name, data.draw(SHAPED.map(encode) | mutated(EXAMPLES[name])), event=event)


def order(name: str, profile: str, action: str, args: dict[str, Any]) -> Order:
    command = Command(
        command_id=uuid.uuid4(),
        device_id=1,
        external_id=LAMP,
        protocol=name,
        profile=profile,
        action=action,
        args=args,
        deadline=NOON + timedelta(seconds=60),
        attributes={"application_id": "app"},
    )
    spec = CommandSpec(name=action, title_ru=action, title_en=action)
    return Order(command, spec, codecs().get(profile), command.deadline)


@pytest.mark.parametrize("name", sorted(TOKENS))
def test_a_command_goes_down_with_its_id(name: str) -> None:
    speak = RADIO if name in RADIO else {name}
    able = [p for p in catalog().profiles.values() if p.protocol in speak]
    profiles = [p for p in able if "dim" in {command.name for command in p.command}]
    assert profiles
    given_ = order(name, profiles[0].name, "dim", {"level": 40})
    downlink = protocols()[name].encode_down(given_)
    assert str(given_.command.command_id).encode() in downlink.payload
    assert LAMP in downlink.subject.split(".")
    assert msgspec.json.decode(downlink.payload)


@pytest.mark.parametrize("identifier", ["a.b", "lamp-03-17", "0011223344556677"])
def test_identifiers_pass_through_subjects(identifier: str) -> None:
    assert device_id(subject_token(identifier)) == identifier


@pytest.mark.parametrize("identifier", ["", "a b", "a/b", "+", "#", "*", ">"])
def test_identifiers_that_no_topic_can_carry(identifier: str) -> None:
    with pytest.raises(BadInput):
        subject_token(identifier)


# --- device families


@pytest.mark.parametrize("name", sorted(codecs()))
def test_vectors_of_a_family(name: str) -> None:
    codec = codecs()[name]
    assert codec.vectors
    for vector in codec.vectors:
        assert codec.decode(vector.data, vector.f_port) == vector.values, vector.name
        assert codec.pack(vector.values) == (vector.f_port, vector.data), vector.name


@pytest.mark.parametrize("name", sorted(codecs()))
def test_a_family_speaks_its_profile(name: str) -> None:
    codec, profile = codecs()[name], catalog().profiles[name]
    for vector in codec.vectors:
        assert set(vector.values) == set(profile.map), vector.name
    assert profile.language == name  # a copy of the profile under another name keeps it
    actions = {spec.name for spec in profile.command}
    assert {one.action for one in codec.orders} == actions
    assert (codec.encode is None, codec.read is None) == (not actions, not actions)


@pytest.mark.parametrize("name", [n for n, c in sorted(codecs().items()) if c.encode])
def test_orders_of_a_family(name: str) -> None:
    codec = codecs()[name]
    assert codec.encode is not None
    assert codec.read is not None
    for one in codec.orders:
        assert codec.encode(one.action, one.args) == (one.f_port, one.data), one.action
        action, args = codec.read(one.data, one.f_port)
        assert codec.encode(action, args) == (one.f_port, one.data), one.action
    with pytest.raises(BadInput):
        codec.encode("dance", {})


@pytest.mark.parametrize("name", sorted(codecs()))
@given(data=st.binary(max_size=40), f_port=st.integers(0, 255))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_a_family_refuses_foreign_bytes(name: str, data: bytes, f_port: int) -> None:
    codec = codecs()[name]
    for read in (codec.decode, codec.read):
        if read is None:
            continue
        with suppress(BadInput):
            read(data, f_port)
