"""Languages of meters (wM-Bus, DLMS, Modbus): examples of their standards, damaged and random telegrams."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citynet.catalog import Profile
from citynet.errors import BadInput
from gateway.devices import Codec, Example, Values, languages
from gateway.devices.hdlc import fcs
from gateway.devices.mbus_records import records
from gateway.quarantine import REASONS

EXAMPLES = [(name, example) for name, language in sorted(languages().items()) for example in language.examples]
IDS = [f"{name}: {example.name}" for name, example in EXAMPLES]


def codec(name: str, example: Example, **attributes: str) -> Codec:
    profile = Profile.model_validate(example.profile) if example.profile else None
    return languages()[name].codec({**example.attributes, **attributes}, profile)


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=IDS)
def test_examples_of_a_language(name: str, example: Example) -> None:
    assert codec(name, example).decode(example.data, example.f_port) == example.values


def sensible(work: Callable[[], Values]) -> None:
    """What comes out of any bytes: numbers, or a reason that quarantine knows."""
    try:
        values = work()
    except BadInput as error:
        values, reason = {}, error.reason
    else:
        reason = "no_values"
    assert reason in REASONS
    assert all(isinstance(value, float) for value in values.values())


def read(reader: Codec, data: bytes, f_port: int) -> None:
    sensible(lambda: reader.decode(data, f_port))


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=IDS)
@given(data=st.data())
def test_no_bytes_break_a_language(name: str, example: Example, data: st.DataObject) -> None:
    reader = codec(name, example)
    read(reader, data.draw(st.binary(max_size=120)), data.draw(st.integers(0, 255)))
    body = bytearray(example.data)
    for at in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=4)):
        body[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(body)))
    read(reader, bytes(body[:end]) + data.draw(st.binary(max_size=6)), example.f_port)


@given(data=st.binary(max_size=200))
def test_no_bytes_break_the_records_of_mbus(data: bytes) -> None:
    sensible(lambda: records(data))


@given(body=st.binary(max_size=200))
def test_no_bytes_break_the_data_of_dlms(body: bytes) -> None:
    reader = languages()["dlms"].codec({}, None)
    read(reader, b"\x0f\0\0\0\0\0" + body, 0)
    inside = b"\xa0" + bytes([11 + len(body) & 0xFF]) + b"\x41\x08\x83\x13"
    frame = inside + fcs(inside) + b"\xe6\xe7\x00" + body
    read(reader, b"\x7e" + frame + fcs(frame) + b"\x7e", 0)
