"""SenML packs as in RFC 8428, section 5, and what must be refused of them."""

import msgspec
import pytest

from citynet.clock import Clock
from citynet.settings import Settings
from gateway import checks
from gateway.decoding import Draft
from gateway.protocols.native_mqtt import Native
from gateway.wire import Bad, Parsed, Sample
from tests.support.gateway import LAMP, NOON, NOON_US, decoder, native, small_registry

URN = "urn:dev:ow:10e2073a01080063"
LIMITS = Settings()


def parsed(pack: str, device: str = LAMP) -> Parsed:
    return Native().parse(["up", "0", device, "native", "up"], pack.encode(), LIMITS)


def samples(pack: str, device: str = LAMP) -> list[tuple[int | None, dict[str, float], int]]:
    found = parsed(pack, device)
    assert not found.bad
    return [(one.time, dict(one.values), one.after_us) for one in found.samples]


def read(pack: str) -> Draft:
    return decoder().decode([native(pack.encode())])


def refused(pack: str) -> list[str]:
    """Reasons of the notices; nothing of the pack is used."""
    draft = read(pack)
    assert not draft.value
    return [one.reason for one in draft.notices]


def test_one_point_without_a_name_of_its_own() -> None:
    assert samples(f'[{{"n":"{URN}","u":"Cel","v":23.1}}]') == [(None, {"value": 23.1}, 0)]


def test_several_points_of_now() -> None:
    pack = f'[{{"bn":"{URN}:","n":"voltage","u":"V","v":120.1}},{{"n":"current","u":"A","v":1.2}}]'
    assert samples(pack) == [(None, {"voltage": 120.1, "current": 1.2}, 0)]


def test_a_base_time_and_seconds_before_it() -> None:
    pack = (
        f'[{{"bn":"{URN}:","bt":1276020076.001,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1}},'
        '{"n":"current","t":-5,"v":1.2},{"n":"current","t":-4,"v":1.3},{"n":"current","v":1.7}]'
    )
    at = 1276020076001000
    assert samples(pack) == [
        (at, {"voltage": 120.1}, 0),
        (at - 5_000_000, {"current": 1.2}, 0),
        (at - 4_000_000, {"current": 1.3}, 0),
        (at, {"current": 1.7}, 0),
    ]


def test_base_and_own_unit_and_several_times() -> None:
    pack = (
        f'[{{"bn":"{URN}","bt":1320067464,"bu":"%RH","v":20}},{{"u":"lon","v":24.30621}},{{"u":"lat","v":60.07965}},'
        '{"t":60,"v":20.3},{"n":":level","t":60,"u":"%EL","v":98}]'
    )
    at = 1320067464000000
    assert samples(pack) == [
        (at, {"value": 20.0}, 0),
        (at, {"value": 24.30621}, 0),
        (at, {"value": 60.07965}, 0),
        (at + 60_000_000, {"value": 20.3, "level": 98.0}, 0),
    ]


def test_kinds_of_values() -> None:
    pack = (
        f'[{{"bn":"{URN}:","n":"temp","v":23.1}},{{"n":"label","vs":"Machine Room"}},'
        '{"n":"open","vb":false},{"n":"nfc","vd":"aGkgCg"}]'
    )
    found = parsed(pack)
    assert found.samples == [Sample(None, {"temp": 23.1, "open": 0.0})]
    assert [(one.reason, one.key) for one in found.bad] == [("wrong_type", "label"), ("wrong_type", "nfc")]
    draft = read(pack)  # no profile asks for the two texts: counted, no notice
    assert (draft.counters["unmapped"], draft.notices) == (4, [])


def test_relative_times_count_from_the_arrival() -> None:
    pack = '[{"bn":"lamp-1/","n":"level","v":1,"t":-5},{"n":"power","v":2,"t":268435455},{"n":"energy","v":3,"t":0}]'
    assert samples(pack) == [
        (None, {"level": 1.0}, -5_000_000),
        (None, {"power": 2.0}, 268_435_455_000_000),
        (None, {"energy": 3.0}, 0),
    ]


def test_relative_times_as_readings() -> None:
    by = decoder()
    draft = by.decode([native(b'[{"bn":"lamp-1:","n":"level","v":1,"t":-5},{"n":"power","v":2,"t":7200}]')])
    rows = checks.check(draft, by.directory.targets, Clock(NOON, NOON), limits=LIMITS).readings
    assert rows.time.tolist() == [NOON_US - 5_000_000, NOON_US]  # two hours ahead is not believed
    assert rows.quality.tolist() == [0, 8]


def test_base_value_and_base_sum() -> None:
    pack = '[{"bn":"m:","bv":20,"bs":100,"n":"t","v":1.5},{"n":"e","s":5,"v":0},{"n":"z"}]'
    t, e, z = {"m:t": 21.5, "m:t.sum": 100.0}, {"m:e": 20.0, "m:e.sum": 105.0}, {"m:z": 20.0, "m:z.sum": 100.0}
    assert samples(pack) == [(None, {**t, **e, **z}, 0)]


@pytest.mark.parametrize(
    ("name", "device", "key"),
    [
        ("urn:dev:mac:0024befffe804ff1/voltage", "x", "voltage"),
        ("urn:dev:ow:10e2073a01080063_temp", "x", "temp"),
        ("urn:dev:ops:32473-Refrigerator-5002:inner/temp", "x", "inner/temp"),
        ("lamp-1", "lamp-1", "value"),
        ("lamp-1/level", "lamp-1", "level"),
        ("lamp-12/level", "lamp-1", "lamp-12/level"),
        ("3303/0/5700", "lamp-1", "3303/0/5700"),
    ],
)
def test_what_of_a_name_is_the_key(name: str, device: str, key: str) -> None:
    assert samples(f'[{{"n":"{name}","v":1}}]', device) == [(None, {key: 1.0}, 0)]
    half = len(name) // 2
    assert samples(f'[{{"bn":"{name[:half]}","n":"{name[half:]}","v":1}}]', device) == [(None, {key: 1.0}, 0)]


def test_records_that_only_set_a_base() -> None:
    pack = '[{"bn":"lamp-1:","bt":1320067464},{"n":"level","v":5}]'
    assert samples(pack) == [(1320067464000000, {"level": 5.0}, 0)]


@pytest.mark.parametrize(
    ("pack", "reason"),
    [
        ('[{"n":"level","v":1,"strange_":1}]', "must_understand"),
        ('[{"bver":11,"n":"level","v":1}]', "wrong_version"),
        ('[{"bver":0,"n":"level","v":1}]', "wrong_shape"),
        ('[{"bn":5,"n":"level","v":1}]', "wrong_shape"),
        ('[{"bt":"yesterday","n":"level","v":1}]', "wrong_type"),
        ('[{"n":"level","v":1},{"bv":NaN}]', "not_finite"),
        ('[{"n":"level","v":1},7]', "wrong_shape"),
        ('[{"bn":"urn:dev:ow:1:","n":"level","v":1},{"bn":"urn:dev:ow:2:","n":"level","v":1}]', "foreign_identity"),
        ('[{"n":" level","v":1}]', "bad_name"),
        ('[{"v":1}]', "bad_name"),
        ('[{"n":"level"}]', "no_values"),
        ('[{"n":"level","v":1,"vb":true}]', "wrong_shape"),
        ('[{"n":"level","v":1,"t":1e300}]', "bad_time"),
        ('[{"n":"level","v":"1"}]', "wrong_type"),
        ('[{"n":"level","v":true}]', "wrong_type"),
        ('[{"n":"level","vb":1}]', "wrong_type"),
        ('[{"n":"level","v":{"a":1}}]', "wrong_type"),
        ('[{"n":"level","v":1,"v":2}]', "duplicate_key"),
        ('[{"n":"level","v":1e999}]', "not_finite"),
    ],
)
def test_what_is_refused(pack: str, reason: str) -> None:
    assert refused(pack) == [reason]


def test_a_label_that_nobody_must_understand() -> None:
    assert samples('[{"bver":26,"n":"level","v":1,"strange":{"a":[1]}}]') == [(None, {"level": 1.0}, 0)]


def test_a_bad_record_does_not_harm_its_neighbours() -> None:
    found = parsed('[{"bn":"lamp-1:","n":"level","v":1},{"n":"power","v":NaN},{"n":"/ü","v":1},{"n":"energy","v":3}]')
    assert found.samples == [Sample(None, {"level": 1.0, "energy": 3.0})]
    assert [one.reason for one in found.bad] == ["not_finite", "bad_name"]


def test_a_large_pack_is_read_in_time() -> None:
    records = [{"n": f"k{n}", "v": n} for n in range(10_000)]
    assert refused(msgspec.json.encode(records).decode()) == ["too_many_values"]


def test_our_own_arrays_are_no_packs() -> None:
    assert parsed('[{"time":1772452800,"values":{"level":1}}]').samples == [Sample(NOON_US, {"level": 1.0})]
    found = parsed('[{"n":"level"},{"values":{"level":1}}]').bad
    assert found == [Bad("no_values", detail="level"), Bad("bad_name", detail="''")]


def measured(pack: str, device: str = LAMP) -> tuple[dict[str, float], list[str]]:
    """Values by quantity as they reach the readings, and reasons."""
    by = decoder()
    draft = by.decode([native(pack.encode(), device=device)])
    checked = checks.check(draft, by.directory.targets, Clock(NOON, NOON, 1.0), limits=LIMITS)
    names = {number: one.quantity for number, one in small_registry().series.items()}
    values = {
        names[s]: v for s, v in zip(checked.readings.series.tolist(), checked.readings.value.tolist(), strict=True)
    }
    return values, [f"{one.reason} {one.detail}" for one in draft.notices]


@pytest.mark.parametrize(
    ("key", "unit", "value", "quantity", "result"),
    [
        ("level", "/", 0.6, "lamp_level", 60.0),
        ("level", "%EL", 60, "lamp_level", 60.0),
        ("level", "/1000", 605, "lamp_level", 60.5),
        ("power", "kW", 0.0815, "lamp_power", 81.5),
        ("power", "W", 81.5, "lamp_power", 81.5),
        ("energy", "Wh", 12_345, "lamp_energy", 12.345),
        ("energy", "J", 3_600_000, "lamp_energy", 1.0),
        ("energy", "kWh", 7.25, "lamp_energy", 7.25),
    ],
)
def test_a_unit_of_the_registry_becomes_that_of_the_quantity(
    key: str, unit: str, value: float, quantity: str, result: float
) -> None:
    values, notices = measured(f'[{{"n":"{LAMP}/{key}","u":"{unit}","v":{value}}}]')
    assert (values, notices) == ({quantity: result}, [])


def test_a_base_unit_holds_until_a_record_names_its_own() -> None:
    values, notices = measured(
        f'[{{"bn":"{LAMP}/","bu":"kW","n":"power","v":0.08}},{{"n":"level","u":"/","v":0.5}},{{"n":"energy","v":3}}]'
    )
    assert values == {"lamp_power": 80.0, "lamp_level": 50.0}
    assert notices == ["wrong_unit energy in 'kW'"]


@pytest.mark.parametrize("unit", ["furlong", "KW", "Cel", "C", "cd", "°"])
def test_a_value_in_a_unit_that_cannot_be_is_set_aside_and_its_neighbour_kept(unit: str) -> None:
    pack = f'[{{"bn":"{LAMP}/","n":"power","u":"{unit}","v":80}},{{"n":"level","v":50}},{{"n":"other","u":"x","v":1}}]'
    assert measured(pack) == ({"lamp_level": 50.0}, [f"wrong_unit power in {unit!r}"])


def test_a_value_beyond_all_numbers_is_set_aside() -> None:
    assert measured(f'[{{"n":"{LAMP}/level","u":"/","v":1e308}}]') == ({}, ["not_finite level"])
