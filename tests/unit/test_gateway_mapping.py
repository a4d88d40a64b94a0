"""Profile maps: units, offsets, pulses, codes, texts and paths, on whole columns; telegrams over native MQTT."""

import base64
from typing import Any, cast

import numpy as np
import pytest

from citynet.catalog import Mapping, Profile, catalog, check_profile
from citynet.clock import Clock
from citynet.errors import ConfigError
from citynet.part import Part
from citynet.registry import Device
from gateway import checks
from gateway.decoding import Decoder
from gateway.devices import codecs
from gateway.devices.wmbus import OMS_GAS, OMS_KEY
from gateway.directory import Directory
from gateway.targets import Targets
from tests.support.gateway import LIMITS, NOON, chirpstack, native, things_stack

CLOCK = Clock(NOON, NOON)
EUI = "0011223344556677"


def decoder(mappings: dict[str, Any], *, protocol: str = "native", **more: Any) -> Decoder:
    """A decoder that knows one device with a profile of these mappings; series count from 1 in their order."""
    body = {"name": "p", "class": "c", "protocol": protocol, "map": mappings, **more}
    profile = Profile.model_validate(body)
    check_profile(profile, catalog().quantities)
    places = list(dict.fromkeys((m.quantity, m.channel) for m in profile.map.values()))
    directory = Directory(cast(Part, None), {"p": (1, profile)})
    device = Device(1, EUI, protocol, "p", 10, more.get("attributes", OMS_KEY))
    directory.add(device, {place: number for number, place in enumerate(places, 1)})
    return Decoder("UPLINKS", directory, LIMITS)


def road(by: Decoder, *frames: Any) -> tuple[list[tuple[int, float]], list[str], dict[str, int]]:
    """Rows of series and value, reasons of quarantine, counters."""
    draft = by.decode(list(frames))
    checked = checks.check(draft, by.directory.targets, CLOCK, limits=LIMITS)
    rows = list(zip(checked.readings.series.tolist(), checked.readings.value.tolist(), strict=True))
    return rows, [one.reason for one in draft.notices], dict(draft.counters)


@pytest.mark.parametrize(
    ("mapping", "given", "value"),
    [
        ({"quantity": "energy_active", "unit": "W.h"}, 12_345, 12.345),
        ({"quantity": "energy_active", "unit": "GJ"}, 3.6, 1000.0),
        ({"quantity": "air_temperature", "unit": "[degF]"}, 77, 25.0),
        ({"quantity": "air_temperature", "scale": 0.1}, 215, 21.5),
        ({"quantity": "air_temperature", "scale": 0.1, "offset": -40}, 615, 21.5),
        ({"quantity": "air_temperature", "scale": 0.01, "unit": "K"}, 30_000, 26.85),
        ({"quantity": "water_volume", "scale": 10, "unit": "L"}, 42, 0.42),
        ({"quantity": "distance", "unit": "mm"}, 1250, 1.25),
        ({"quantity": "no2", "unit": "ppb"}, 24.055, 46.006),
        ({"quantity": "door_open", "invert": True}, True, 0.0),
        ({"quantity": "door_open", "invert": True}, 0, 1.0),
        ({"quantity": "door_open", "codes": {"open": 1, "closed": 0}}, "Open", 1.0),
        ({"quantity": "switch_state", "codes": {"3": 1, "0": 0}}, 3, 1.0),
        ({"quantity": "switch_state", "codes": {"true": 1, "false": 0}}, False, 0.0),
        ({"quantity": "air_temperature"}, "24.59", 24.59),
    ],
)
def test_a_mapping_gives_the_unit_of_the_quantity(mapping: dict[str, Any], given: Any, value: float) -> None:
    rows, reasons, _ = road(decoder({"x": mapping}), native({"values": {"x": given}}, device=EUI))
    assert (rows, reasons) == ([(1, value)], [])


def test_paths_lead_into_objects_and_lists() -> None:
    mappings = {
        "messages[0][1].value": {"quantity": "air_temperature"},
        "power.l1": {"quantity": "power_active", "channel": "l1", "unit": "W"},
    }
    body = {"messages": [[{"value": 1}, {"value": 21.5}]], "power": {"l1": 640}}
    rows, reasons, counters = road(
        decoder(mappings, protocol="chirpstack"), chirpstack({"fPort": 1, "object": body}, device=EUI)
    )
    assert sorted(rows) == [(1, 21.5), (2, 0.64)]
    assert reasons == []
    assert counters["unmapped"] == 3  # the other value, and the two lists around it


@pytest.mark.parametrize("given", ["ajar", 7, "n/a"])
def test_a_code_that_the_profile_does_not_know_is_refused(given: Any) -> None:
    mapping = {"quantity": "door_open", "codes": {"open": 1, "closed": 0}}
    rows, reasons, counters = road(decoder({"x": mapping}), native({"values": {"x": given}}, device=EUI))
    assert (rows, reasons) == ([], ["unknown_code"])
    assert counters["values_refused"] == 1


def test_texts_of_many_moments_are_refused_not_guessed() -> None:
    mapping = {"quantity": "door_open", "codes": {"open": 1}}
    moments = [{"time": NOON.timestamp() - n, "values": {"x": "open"}} for n in range(2)]
    rows, reasons, _ = road(decoder({"x": mapping}), native(moments, device=EUI))
    assert (rows, reasons) == ([], ["wrong_type"])


@pytest.mark.parametrize(
    "mapping",
    [{"quantity": "air_temperature", "unit": "bar"}, {"quantity": "nothing"}, {"quantity": "co2", "unit": "ell"}],
)
def test_a_mapping_that_cannot_be_is_refused_by_name(mapping: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="profile p, x"):
        decoder({"x": mapping})


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_scale_is_finite(number: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Mapping(quantity="co2", scale=number)


def test_columns_convert_as_single_values_do() -> None:
    targets = Targets()
    mapping = Mapping(quantity="air_temperature", unit="[degF]", scale=0.1)
    profile = Profile.model_validate({"name": "p", "class": "c", "map": {"t": mapping}})
    place = ("air_temperature", "")
    target = targets.add(targets.layout(profile, frozenset([place])), {place: 1})
    raw = np.arange(-400, 1_200, dtype=np.float64)
    _, (mul, add, div, *_) = targets.rows(np.full(len(raw), target))
    line = mapping.line("Cel")
    assert ((raw * mul + add) / div).tolist() == [line(value) for value in raw.tolist()]


GAS = {"volume": {"quantity": "gas_volume"}, "battery_low": {"quantity": "battery_low"}}


@pytest.mark.parametrize(
    "body",
    [
        {"raw": OMS_GAS},
        {"raw": OMS_GAS.lower(), "encoding": "hex", "time": "2026-03-02T12:00:00Z"},
        {"raw": base64.b64encode(bytes.fromhex(OMS_GAS)).decode(), "encoding": "base64", "f_port": 1},
        {"raw": OMS_GAS, "values": None},
        [{"raw": OMS_GAS, "more": {"a": 1}}],
    ],
)
def test_a_telegram_comes_over_native_mqtt(body: Any) -> None:
    rows, reasons, _ = road(decoder(GAS, language="wmbus"), native(body, device=EUI))
    assert (rows, reasons) == ([(1, 28_504.27), (2, 0.0)], [])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"raw": "abc"}, "wrong_shape"),
        ({"raw": "**", "encoding": "base64"}, "wrong_shape"),
        ({"raw": "00", "encoding": "uu"}, "wrong_shape"),
        ({"raw": 17}, "wrong_shape"),
        ({"raw": ""}, "wrong_length"),
        ({"raw": OMS_GAS[:-2]}, "wrong_length"),
        ([{"raw": OMS_GAS}, {"raw": OMS_GAS}], "no_values"),
    ],
)
def test_a_telegram_that_cannot_be_read_is_quarantined(body: Any, reason: str) -> None:
    rows, reasons, _ = road(decoder(GAS, language="wmbus"), native(body, device=EUI))
    assert (rows, set(reasons)) == ([], {reason})


FILL = {"fill": {"quantity": "bin_fill"}}


@pytest.mark.parametrize("protocol", ["native", "chirpstack", "things_stack"])
def test_a_copy_of_a_shipped_profile_keeps_its_family_over_every_network(protocol: str) -> None:
    given = codecs()["bin-lora"].vectors[0]
    data = base64.b64encode(given.data).decode()
    frame = {
        "native": native({"raw": given.data.hex(), "f_port": given.f_port}, device=EUI),
        "chirpstack": chirpstack({"fPort": given.f_port, "data": data}, device=EUI),
        "things_stack": things_stack({"uplink_message": {"f_port": given.f_port, "frm_payload": data}}, device=EUI),
    }[protocol]
    by = decoder(FILL, protocol=protocol, language="bin-lora")
    rows, reasons, _ = road(by, frame)
    assert (rows, reasons) == ([(1, given.values["fill"])], [])


def test_a_profile_of_a_language_that_is_not_there_has_no_codec() -> None:
    _, reasons, _ = road(decoder(GAS, language="klingon"), native({"raw": OMS_GAS}, device=EUI))
    assert reasons == ["no_codec"]
