"""Decoding and checking without a broker: what is kept, marked, refused, and with which reason."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gateway
from citynet.bus import Frame
from citynet.clock import Clock
from citynet.model import Quality, pack_readings, unpack_readings
from citynet.registry import Device, Series
from citynet.settings import Settings
from gateway import checks, quarantine
from gateway.checks import Checked, Readings
from gateway.decoding import Decoder, Draft
from gateway.quarantine import REASONS
from tests.support.gateway import (
    BIN,
    LAMP,
    LIMITS,
    LORA_LAMP,
    NOON,
    NOON_US,
    TTS_BIN,
    chirpstack,
    decoder,
    directory_of,
    native,
    small_registry,
    things_stack,
)

CLOCK = Clock(NOON, NOON)
LEVEL, POWER, ENERGY = 1, 2, 3  # series of the native lamp in the small registry


def road(*frames: Frame, by: Decoder | None = None) -> tuple[Draft, Checked]:
    """Decode and check as uplink.py does."""
    by = by or decoder()
    draft = by.decode(list(frames))
    return draft, checks.check(draft, by.directory.targets, CLOCK, limits=Settings())


def reasons(draft: Draft, checked: Checked) -> list[str]:
    return sorted([one.reason for one in draft.notices] + list(checked.refused))


def rows(checked: Checked) -> list[tuple[int, float]]:
    return list(zip(checked.readings.series.tolist(), checked.readings.value.tolist(), strict=True))


def test_a_plain_frame() -> None:
    draft, checked = road(native({"time": "2026-03-02T14:59:30+03:00", "values": {"level": 60, "power": 70.5}}))
    assert rows(checked) == [(LEVEL, 60.0), (POWER, 70.5)]
    assert checked.readings.time.tolist() == [NOON_US - 30_000_000] * 2
    assert checked.readings.received.tolist() == [NOON_US] * 2
    assert checked.readings.quality.tolist() == [0, 0]
    assert not draft.notices


@pytest.mark.parametrize(
    "body",
    [
        {"values": {"level": 60}},
        {"time": NOON.timestamp(), "values": {"level": 60}},
        {"time": None, "name": "level", "value": 60},
        [{"time": "2026-03-02T12:00:00Z", "values": {"level": 60}}],
        {"values": {"level": True, "power": None}, "more": {"deep": ["a:b"]}},
    ],
)
def test_forms_of_a_native_frame(body: Any) -> None:
    draft, checked = road(native(body))
    assert [series for series, _ in rows(checked)] == [LEVEL]
    assert checked.readings.time.tolist() == [NOON_US]
    assert not draft.notices


GOOD_POWER = [(POWER, 70.0)]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"values": {"level": NaN, "power": 70}}', "not_finite"),
        (b'{"values": {"level": -Infinity, "power": 70}}', "not_finite"),
        (b'{"values": {"level": 1e999, "power": 70}}', "not_finite"),
        (b'{"values": {"level": ' + b"9" * 400 + b', "power": 70}}', "not_finite"),
        (b'{"values": {"level": "high", "power": 70}}', "wrong_type"),
        (b'{"values": {"level": [1], "power": 70}}', "wrong_type"),
        (b'{"values": {"level": 1, "level": 2, "power": 70}}', "duplicate_key"),
        (b'{"values": {"level": 1, "\\u006cevel": 1, "power": 70}}', "duplicate_key"),
        (b'[{"time": "yesterday", "values": {"level": 1}}, {"values": {"power": 70}}]', "bad_time"),
        (b'[{"time": "2026-03-02T12:00:00", "values": {"level": 1}}, {"values": {"power": 70}}]', "bad_time"),
        (b'[{"time": 0, "values": {"level": 1}}, {"values": {"power": 70}}]', "bad_time"),
        (b'[{"time": "2106-02-07T06:28:15Z", "values": {"level": 1}}, {"values": {"power": 70}}]', "bad_time"),
        (b'[17, {"values": {"power": 70}}]', "wrong_shape"),
        (b'[{}, {"values": {"power": 70}}]', "no_values"),
    ],
)
def test_a_bad_value_is_refused_alone(body: bytes, reason: str) -> None:
    draft, checked = road(native(body))
    assert rows(checked) == GOOD_POWER
    assert reasons(draft, checked) == [reason]


def deep(levels: int) -> bytes:
    return b'{"x": ' + b"[" * levels + b"]" * levels + b', "values": {"level": true}}'


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"\x00\x01", "not_json"),
        (b"\xff\xfe{}", "not_utf8"),
        (b'{"values": {"level": 1}', "not_json"),
        (b"17", "wrong_shape"),
        (b'{"values": 5}', "wrong_shape"),
        (b'{"values": {}, "values": {"level": 1}}', "duplicate_key"),
        (deep(40), "too_deep"),
        (deep(50_000), "too_deep"),
        (b"[" * 100_000, "too_deep"),
        (b" " * 300_000, "too_large"),
        (b'{"values": {' + b", ".join(b'"k%d": 1' % n for n in range(1001)) + b"}}", "too_many_values"),
    ],
)
def test_a_bad_frame_is_refused_and_its_neighbours_stay(body: bytes, reason: str) -> None:
    good = native({"values": {"power": 70}}, seq=2)
    draft, checked = road(native(body), good)
    assert rows(checked) == GOOD_POWER
    assert [(one.reason, one.stream_seq) for one in draft.notices] == [(reason, 1)]
    assert draft.notices[0].payload == body[: quarantine.PAYLOAD_KEPT_BYTES]


def test_a_frame_of_the_right_size_is_not_too_deep() -> None:
    many = [{"time": NOON_US / 1e6 - n, "values": {"level": 1, "power": 2}} for n in range(400)]
    draft, checked = road(native(many))
    assert len(checked.readings) == 800
    assert not draft.notices


def test_strangers_and_wrong_roads() -> None:
    event = {"deviceInfo": {"devEui": BIN}, "fPort": 1, "object": {"fill": 1}}
    frames = [
        native({"values": {}}, device="nobody", seq=1),
        native({"values": {"fill": 1}}, device=BIN, seq=2),
        chirpstack(event, device=LORA_LAMP, seq=3),
        Frame(f"up.0.{LAMP}.telepathy.up", b"", 4, 0),
    ]
    draft, checked = road(*frames)
    assert [one.reason for one in draft.notices] == [
        "unknown_device",
        "wrong_protocol",
        "foreign_identity",
        "unknown_protocol",
    ]
    assert not rows(checked)


def test_history_may_come_by_another_road() -> None:
    draft, checked = road(native({"values": {"fill": 1}}, device=BIN, event="history"), by=decoder("HISTORY"))
    assert [value for _, value in rows(checked)] == [1.0]
    assert not draft.notices


def test_out_of_range_is_stored_with_a_mark() -> None:
    _, checked = road(native({"values": {"level": 140, "power": 2000}}))
    assert checked.readings.quality.tolist() == [Quality.OUT_OF_RANGE, 0]


def fleet() -> Decoder:
    """Trackers of vehicles on three roads; series of a device: latitude, longitude."""
    small = small_registry()
    known = replace(small, devices=dict(small.devices), series=dict(small.series))
    for number, (name, protocol) in enumerate(
        {"truck-1": "native", BIN: "chirpstack", TTS_BIN: "things_stack"}.items()
    ):
        profile = "vehicle-tracker" if protocol == "native" else "vehicle-tracker-lora"
        old = known.devices.get(name)
        given = old.attributes if old else {}
        known.devices[name] = Device(900 + number, name, protocol, profile, 9000 + number, given)
        for n, quantity in enumerate(("latitude", "longitude", "speed")):
            series = 10_000 + 10 * number + n
            known.series[series] = Series(series, 9000 + number, quantity, "", "")
    return Decoder("UPLINKS", directory_of(known), Settings())


PLACE = [44.72, 37.77]


def test_a_place_comes_by_every_road() -> None:
    location = {"latitude": 44.72, "longitude": 37.77}
    solved = {"location_solved": {"location": {**location, "source": "SOURCE_GPS"}}}
    for frame in (
        native({"values": {"lat": 44.72, "lon": 37.77, "speed": 30}}, device="truck-1"),
        chirpstack({"fPort": 2, "fCnt": 1, "object": location, "data": "AA=="}),
        chirpstack({"location": location}, event="location"),
        things_stack({"uplink_message": {"f_port": 2, "f_cnt": 1, "decoded_payload": location}}),
        things_stack(solved, event="location.solved"),
    ):
        draft, checked = road(frame, by=fleet())
        assert not draft.notices, (frame, draft.notices)
        assert checked.readings.value.tolist()[:2] == PLACE, frame
        assert len(set(checked.readings.time.tolist())) == 1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ('"lat": NaN, "lon": 37.77', "not_finite"),
        ('"lat": 90.5, "lon": 37.77', "off_earth"),
        ('"lat": 44.72, "lon": -181', "off_earth"),
        ('"lat": "north", "lon": 37.77', "wrong_type"),
    ],
)
def test_a_place_off_the_earth_is_refused(values: str, reason: str) -> None:
    draft, checked = road(native(f'{{"values": {{{values}}}}}'.encode(), device="truck-1"), by=fleet())
    assert reasons(draft, checked) == [reason]
    assert len(checked.readings) == 1, "half a place is kept and is none"


def test_a_clock_in_the_future_is_not_believed() -> None:
    ahead = [(NOON + timedelta(seconds=s)).isoformat() for s in (299, 301)]
    frames = [
        native({"time": ahead[0], "values": {"level": 1}}, seq=1),
        native({"time": ahead[1], "values": {"power": 1}}, seq=2),
    ]
    _, checked = road(*frames)
    assert checked.readings.time.tolist() == [NOON_US + 299_000_000, NOON_US]
    assert checked.readings.quality.tolist() == [0, Quality.CLOCK_DOUBTFUL]


def test_history_starts_after_an_hour() -> None:
    times = [NOON_US / 1e6 - age for age in (3600, 3601)]
    _, checked = road(native([{"time": time, "values": {"level": 1}} for time in times]))
    assert checks.late(checked.readings, 3600).tolist() == [False, True]


def test_received_follows_the_city_clock() -> None:
    fast = Clock(NOON - timedelta(days=10), NOON - timedelta(seconds=60), 60.0)
    arrival = np.array([NOON_US * 1000], np.int64)
    assert checks.received_us(arrival, fast)[0] == round((NOON - timedelta(days=10, hours=-1)).timestamp() * 1e6)
    assert checks.city_time(NOON_US * 1000, fast) == NOON - timedelta(days=10, hours=-1)


def test_repeats_and_conflicts_within_a_batch() -> None:
    same = {"time": NOON_US / 1e6, "values": {"level": 10, "power": 5}}
    other = {"time": NOON_US / 1e6, "values": {"level": 11, "power": 5}}
    draft, checked = road(native(same, seq=1), native(same, seq=2), native(other, seq=3))
    assert rows(checked) == [(LEVEL, 10.0), (POWER, 5.0)]
    assert checked.repeats == 3
    assert {reason: at.tolist() for reason, at in checked.refused.items()} == {"conflict": [2]}
    assert not draft.notices


def test_unmapped_keys_are_counted_not_quarantined() -> None:
    draft, checked = road(native(b'{"values": {"level": 1, "firmware": "1.2", "uptime": 5}}'))
    assert rows(checked) == [(LEVEL, 1.0)]
    assert draft.counters["unmapped"] == 2
    assert not draft.notices


def test_a_series_that_is_not_allocated_yet() -> None:
    known = small_registry()
    without = {n: one for n, one in known.series.items() if one.quantity != "lamp_power"}
    by = Decoder("UPLINKS", directory_of(replace(known, series=without)), LIMITS)
    draft, checked = road(native({"values": {"level": 1, "power": 2}}), by=by)
    assert rows(checked) == [(LEVEL, 1.0)]
    assert [(one.reason, one.detail) for one in draft.notices] == [("no_series", "power")]


def test_a_broken_codec_costs_its_own_frame_only(monkeypatch: pytest.MonkeyPatch) -> None:
    by = decoder()
    route = by.directory.route(BIN)
    assert route is not None
    assert route.codec is not None

    def broken(data: bytes, f_port: int) -> dict[str, float]:
        raise ZeroDivisionError(f"{f_port}")

    monkeypatch.setitem(by.directory.known.routes, BIN, replace(route, codec=_with(route.codec, broken)))
    event = {"fPort": 10, "fCnt": 1, "data": "ZQDZA2I="}
    draft, checked = road(chirpstack(event), native({"values": {"power": 70}}), by=by)
    assert rows(checked) == GOOD_POWER
    assert [one.reason for one in draft.notices] == ["codec_error"]


def _with(codec: Any, decode: Any) -> Any:
    return type(codec)(decode=decode, pack=codec.pack, vectors=codec.vectors)


def test_pieces_never_divide_a_frame() -> None:
    count = np.array([3, 5, 1, 40, 2, 2])
    frame = np.repeat(np.arange(len(count)), count)
    n = len(frame)
    zeros = np.zeros(n, np.int64)
    readings = Readings(frame, np.arange(n, dtype=np.int32), zeros, zeros, zeros.astype(float), zeros.astype(np.int16))
    pieces = list(checks.parts(readings, checks.ENVELOPE_BYTES + 8 * checks.ROW_BYTES))
    assert [sorted(set(piece.frame.tolist())) for piece in pieces] == [[0, 1], [2], [3], [4, 5]]
    assert np.concatenate([piece.series for piece in pieces]).tolist() == list(range(n))


def test_a_full_message_stays_below_its_limit() -> None:
    limits = Settings()
    frames = [
        native([{"time": NOON_US / 1e6 - n, "values": {"level": 1, "power": 2}} for n in range(500)], seq=seq)
        for seq in range(1, 30)
    ]
    draft, _ = road(*frames)
    n = 20_000
    position = np.arange(n) // 1000
    zeros = np.zeros(n, np.int64)
    readings = Readings(
        position, np.arange(n, dtype=np.int32), zeros, zeros, zeros.astype(float), zeros.astype(np.int16)
    )
    bodies = [pack_readings(checks.batch(p, draft, 3)) for p in checks.parts(readings, limits.readings_message_bytes)]
    assert max(len(body) for body in bodies) <= limits.readings_message_bytes
    first = unpack_readings(bodies[0])
    assert first.column("partition").to_pylist()[0] == 3
    assert first.column("uplink_seq").to_pylist()[0] == 1


def test_every_reason_is_documented() -> None:
    root = Path(gateway.__file__).parent
    text = "\n".join(path.read_text() for path in root.rglob("*.py") if path.name != "downlink.py")
    raised = set(re.findall(r'(?:BadInput|Bad)\(\s*"(\w+)"', text)) - {"unknown_action", "bad_argument"}
    # On the way down: receipts, not quarantine.
    raised -= {"bad_identifier", "out_of_field", "receive_only", "wrong_order"}
    raised -= {"not_yaml", "bad_vector"}  # files of test vectors
    assert raised <= set(REASONS), raised - set(REASONS)
    page = (root.parent / "docs" / "how-to" / "devices.md").read_text()
    assert [r for r, text in REASONS.items() if f"| `{r}` | {text} |" not in page] == []
