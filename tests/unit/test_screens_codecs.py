"""The codec page: bytes and data as people write them, and what a try shows."""

import pytest

from citynet.errors import BadInput
from citynet.model import CodecTried, Proposed
from situation_center.screens import codecs
from situation_center.wording import LANGUAGES, say


@pytest.mark.parametrize("text", ["32 01 ff", "3201FF", "0x32, 0x01, 0xff", "MgH/", "32\n01\tff"])
def test_bytes_are_hexadecimal_or_base64(text: str) -> None:
    assert codecs.payload_of(text) == bytes([0x32, 1, 0xFF])


def test_what_is_no_bytes_and_no_object_is_said() -> None:
    with pytest.raises(BadInput):
        codecs.payload_of("hello, world")
    for text in ("[1]", "{", "3"):
        with pytest.raises(BadInput):
            codecs.data_of(text)
    assert codecs.data_of('{"level": 40}') == {"level": 40}
    assert codecs.data_of("") == {}


def test_decimals_are_those_that_a_value_has() -> None:
    assert [codecs.digits(v) for v in (50.0, 0.25, 123.456, 1 / 3, -0.0)] == [0, 2, 3, 6, 0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_try_shows_values_warnings_errors_and_failures(language: str) -> None:
    told = CodecTried(
        ok=True,
        values={"air.t": 21.5, "door": 1.0},
        words={"door": "Open"},
        refused={"x": "not_finite"},
        warnings=["cold"],
        errors=["late"],
        output="{}",
        measures=[Proposed(path="d", quantity="distance", channel="2", unit="m", value=0.12, how="guessed")],
    )
    shown = str(codecs.result(told, language))
    assert all(
        text in shown
        for text in ("air.t", "Open", "cold", "late", "x", "distance [2]", say(language, "codecs.guessed"))
    )
    assert "boom" in str(codecs.result(CodecTried(ok=False, kind="threw", error="boom"), language))
