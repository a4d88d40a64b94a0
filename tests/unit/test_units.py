"""Units: every quantity has one, common spellings are found, conversions are exact."""

import tomllib

import pytest

from citynet import units
from citynet.catalog import Mapping, catalog
from citynet.errors import ConfigError
from schemas import ROOT


def test_every_quantity_has_a_unit_of_the_table() -> None:
    assert {q.unit for q in catalog().quantities.values() if units.find(q.unit) is None} == set()


@pytest.mark.parametrize(
    ("spelt", "code"),
    [
        ("°C", "Cel"), ("℉", "[degF]"), ("kWh", "kW.h"), ("% rH", "%"), ("µg/m³", "ug/m3"), ("W⋅m⁻²", "W/m2"),
        ("Lux", "lx"), ("m³⋅m⁻³", "m3/m3"), ("µmol⋅m⁻²⋅s⁻¹", "umol/(m2.s)"), ("[°C]", "Cel"), ("mW", "mW"),
        ("MW", "MW"), ("dBm", "dB[mW]"), ("Гкал", "Gcal_IT"), ("кВт*ч", "kW.h"), ("Volt", "V"), ("m³/h", "m3/h"),
        ("kVArh", "kV.A.h"), ("psi", "[psi]"),
    ],
)  # fmt: skip
def test_spellings(spelt: str, code: str) -> None:
    found = units.find(spelt)
    assert found is not None
    assert found.code == code


@pytest.mark.parametrize("text", ["", "-", "°", "furlong", "count", "3", "m3-h"])
def test_what_is_no_unit_is_not_guessed(text: str) -> None:
    found = units.find(text)
    assert found is None or (text, found.code) == ("°", "deg")


@pytest.mark.parametrize(
    ("value", "given", "wanted", "quantity", "result"),
    [
        (77.0, "°F", "Cel", "", 25.0),
        (300.0, "K", "Cel", "", 26.85),
        (12_345.0, "Wh", "kW.h", "", 12.345),
        (2.0, "Gcal", "kW.h", "", 2326.0),
        (3.6, "MJ", "kW.h", "", 1.0),
        (1.5, "L/s", "m3/h", "", 5.4),
        (0.25, "m3/m3", "%", "", 25.0),
        (1.01325, "bar", "hPa", "", 1013.25),
        (36.0, "km/h", "m/s", "", 10.0),
        (24.055, "ppb", "ug/m3", "no2", 46.006),
        (24.055, "ppm", "mg/m3", "co", 28.01),
    ],
)
def test_conversion(value: float, given: str, wanted: str, quantity: str, result: float) -> None:
    line = units.line(given, wanted, quantity)
    assert line is not None
    assert line(value) == result
    mul, add, div = line.integers
    assert (value * mul + add) / div == pytest.approx(result, rel=1e-12)


def test_what_cannot_be_converted() -> None:
    assert units.line("Cel", "%") is None
    assert units.line("ppb", "ug/m3", "tvoc_density") is None  # a mixture has no molar mass
    with pytest.raises(ConfigError, match="furlong"):
        units.unit("furlong")


def test_units_of_the_senml_registry_lead_to_our_table() -> None:
    kinds = tomllib.loads((ROOT / "senml.toml").read_text(encoding="utf-8"))
    codes = [code for part in kinds.values() for code in part.values() if code]
    assert len(codes) > 50
    assert [code for code in codes if units.unit(code).code != code] == []
    assert (units.senml("Cel"), units.senml("C"), units.senml("cd"), units.senml("°C")) == ("Cel", "A.s", "", None)


def test_a_profile_awaits_its_own_unit_and_gets_it_from_any_other() -> None:
    tenths = Mapping(quantity="air_temperature", scale=0.1)
    kelvin = Mapping(quantity="air_temperature", unit="K")
    line = kelvin.line_of("Cel", "Cel")
    assert line is not None
    assert kelvin.line("Cel")(line(21.5)) == 21.5
    assert tenths.line_of("Cel", "Cel") == units.Line()
    assert tenths.line_of("V", "Cel") is None
    assert Mapping(quantity="door", codes={"open": 1}).line_of("V", "1") == units.Line()
