"""The proposer: what decoded outputs of all manners of writing measure, and what it leaves alone."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from citynet.catalog import catalog
from gateway.codecs.commands import app
from gateway.normalise import Known, normalise, propose
from gateway.normalise.words import words

Told = list[tuple[str, str, float]]


def told(output: Any) -> Told:
    return [(one["quantity"], one["channel"], one["value"]) for one in normalise(output)]


# Outputs written for this test in the manners of many vendors.
CASES: list[tuple[Any, Told]] = [
    ({"temperature": 21.5, "humidity": 40}, [("air_temperature", "", 21.5), ("air_humidity", "", 40.0)]),
    ({"TempC_SHT": -3.25, "Hum_SHT": 55.5}, [("air_temperature", "", -3.25), ("air_humidity", "", 55.5)]),
    ({"tempF": 77}, [("air_temperature", "", 25.0)]),
    ({"temp_c_max": 30.5}, [("air_temperature", "max", 30.5)]),
    ({"waterTemp": 12.5, "soilTemperature": 8}, [("water_temperature", "", 12.5), ("soil_temperature", "", 8.0)]),
    ({"radiator_temperature": 61.5}, [("temperature", "", 61.5)]),
    ({"boiler_temperature": 61.5}, [("temperature", "boiler", 61.5)]),
    ({"temperature_1": 20.5, "temperature_2": 21}, [("air_temperature", "1", 20.5), ("air_temperature", "2", 21.0)]),
    ({"BatV": 3.05}, [("battery_voltage", "", 3.05)]),
    ({"battery": 87}, [("battery_level", "", 87.0)]),
    ({"battery": 3.6}, [("battery_voltage", "", 3.6)]),
    ({"vbat_mV": 3600}, [("battery_voltage", "", 3.6)]),
    ({"energyWh": 1234}, [("energy_active", "", 1.234)]),
    ({"active_energy_kwh": 17.25}, [("energy_active", "", 17.25)]),
    ({"activePower": 640}, [("power_active", "", 0.64)]),
    ({"voltageL1": 231.5, "voltageL2": 229}, [("voltage", "l1", 231.5), ("voltage", "l2", 229.0)]),
    ({"power_factor": 0.97, "grid_frequency": 50.02}, [("power_factor", "", 0.97), ("frequency", "", 50.02)]),
    ({"water": {"volume_l": 1500}}, [("water_volume", "", 1.5)]),
    ({"total_pulses": 420}, [("pulses", "", 420.0)]),
    ({"co2_ppm": 612, "tvoc": 90, "pm2_5": 8}, [("co2", "", 612.0), ("tvoc", "", 90.0), ("pm25", "", 8.0)]),
    ({"PM10": 12, "pm1_0": 4, "PM2.5": 7}, [("pm10", "", 12.0), ("pm1", "", 4.0), ("pm25", "", 7.0)]),
    ({"no2_ppb": 24.055}, [("no2", "", 46.006)]),
    ({"lux": 310, "noise_dB": 54.5}, [("illuminance", "", 310.0), ("noise_level", "", 54.5)]),
    ({"distance_mm": 1250, "fill_level": 63}, [("distance", "", 1.25), ("bin_fill", "", 63.0)]),
    ({"pressure": 1004.5}, [("air_pressure", "", 1004.5)]),
    ({"pressure": {"value": 3.2, "unit": "bar"}}, [("pressure", "", 3.2)]),
    ({"doorClosed": True, "batteryOk": 0, "vacant": "yes"}, [("door_open", "", 0.0), ("battery_low", "", 1.0),
      ("occupancy", "", 0.0)]),
    ({"leak": "N", "motion": "not moving", "tamper": "no tampering"}, [("water_leak", "", 0.0), ("motion", "", 0.0),
      ("tamper", "", 0.0)]),
    ({"door": "open", "tamper": False}, [("door_open", "", 1.0), ("tamper", "", 0.0)]),
    ({"leakage_status": "normal"}, [("water_leak", "", 0.0)]),
    ({"motion": 1, "occupied": "vacant"}, [("motion", "", 1.0), ("occupancy", "", 0.0)]),
    ({"latitude": 55.75, "longitude": 37.6}, [("latitude", "", 55.75), ("longitude", "", 37.6)]),
    ({"Battery": "3.1V", "Humidity": "68.5%"}, [("battery_voltage", "", 3.1), ("air_humidity", "", 68.5)]),
    ({"energy": 12, "energyUnit": "MWh"}, [("energy_active", "", 12_000.0)]),
    (
        {"energy": {"value": 3, "unit": "MWh"}, "forward_temperature": 80, "return_temperature": 52},
        [("heat_energy", "", 3000.0), ("heat_supply_temperature", "", 80.0), ("heat_return_temperature", "", 52.0)],
    ),
    (
        {"messages": [[{"type": "Air Temperature", "measurementValue": 19.1}, {"type": "Wind Speed", "value": 3}]]},
        [("air_temperature", "", 19.1), ("wind_speed", "", 3.0)],
    ),
    (
        {"scalars": [{"name": "Battery level", "unit": "Volt", "value": 3.29}]},
        [("battery_voltage", "", 3.29)],
    ),
    (
        {"air": {"temperature": 4.5, "relativeHumidity": 80}, "metering": {"water": {"total": 1500}}, "battery": 3.3,
         "action": {"motion": {"detected": True}, "contactState": "closed"}},
        [("air_temperature", "", 4.5), ("air_humidity", "", 80.0), ("water_volume", "", 1.5),
         ("battery_voltage", "", 3.3), ("motion", "", 1.0), ("door_open", "", 0.0)],
    ),
    ({"sensor_event": {"temperature": {"avg": 20.5, "max": 22}}}, [("air_temperature", "avg", 20.5),
      ("air_temperature", "max", 22.0)]),
    ({"current_volume_m3": 12.5, "uv_index": 3}, [("water_volume", "", 12.5), ("uv_index", "", 3.0)]),
    ({"temp_SOIL": "24.5", "water_SOIL": "19.5"}, [("soil_temperature", "", 24.5), ("soil_moisture", "", 19.5)]),
    ({"conductivity_uS_cm": 510, "oxygen_mgL": 8}, [("water_conductivity", "", 510.0),
     ("water_oxygen", "", 8.0)]),
    ({"accel_x_g": 0.5}, [("acceleration", "x", 4.903325)]),
    ({"battery_current": 1.5, "current": 2.5}, [("current", "battery", 1.5), ("current", "", 2.5)]),
    ({"points": [{"type": "energy", "value": 1200, "unit": "Wh"}, {"type": "energy", "value": 80, "unit": "Wh"}]},
     [("energy_active", "1", 1.2), ("energy_active", "2", 0.08)]),
    ({"batV": 5.55}, [("battery_voltage", "", 5.55)]),
    ({"batt": 1.26}, [("battery_voltage", "", 1.26)]),
    ({"dB": 45.5}, [("noise_level", "", 45.5)]),
    ({"l2V": 232.5, "l2KW": 1.5}, [("voltage", "l2", 232.5), ("power_active", "l2", 1.5)]),
    ({"battery_voltage": {"low": 3.1, "high": 3.6}}, [("battery_voltage", "low", 3.1),
      ("battery_voltage", "high", 3.6)]),
    ({"alarms": {"lowBattery": True, "tamper": False}}, [("battery_low", "", 1.0), ("tamper", "", 0.0)]),
    ({"N_soil": 12, "soil_potassium": 9}, [("soil_nitrogen", "", 12.0), ("soil_potassium", "", 9.0)]),
    ({"heat": {"power": 3.5}}, [("heat_power", "", 3.5)]),
    ({"minC": 19, "lux": 4}, [("temperature", "min", 19.0), ("illuminance", "", 4.0)]),
    ({"wattHours": 3000, "kiloWattHours": 3}, [("energy_active", "", 3.0)]),
    ({"vwc": 0.25}, [("soil_moisture", "", 25.0)]),
    ({"vwc": 25.5}, [("soil_moisture", "", 25.5)]),
    ({"motionCount": 7, "gpio_counter_1": 12}, [("motion_count", "", 7.0), ("pulses", "1", 12.0)]),
    ({"temperature": 21, "sensorTemperature": 25}, [("air_temperature", "", 21.0),
      ("air_temperature", "sensor", 25.0)]),
    ({"boiler": {"temperature": 60}, "hall": {"temperature": 20}}, [("air_temperature", "boiler", 60.0),
      ("air_temperature", "hall", 20.0)]),
    ({"unit": "kPa", "max_value": 25, "last_value": 20}, [("pressure", "max", 0.25), ("pressure", "", 0.2)]),
    ({"x": {"name": "Probe K7", "value": 21.5, "unit": "°C"}}, [("temperature", "probe_k7", 21.5)]),
    ({"humidity": {"name": "Probe K7", "value": 40, "unit": "%"}}, [("air_humidity", "probe_k7", 40.0)]),
    ({"m": [{"measurementId": 4097, "measurementValue": 21.4}, {"measurementId": "4098", "measurementValue": 31}]},
     [("air_temperature", "", 21.4), ("air_humidity", "", 31.0)]),
    ([{"air": {"temperature": 4.5}}], [("air_temperature", "", 4.5)]),
    ({"data": {"temp": 4.5}, "warnings": [], "errors": []}, [("air_temperature", "", 4.5)]),
    ({"1.8.0": 1234.5, "1-0:1.8.1*255": 3.5, "1_0_16_7_0_255": 230, "32.7.0": 231.2},
     [("energy_active", "", 1234.5), ("energy_active", "1", 3.5), ("power_active", "", 0.23),
      ("voltage", "l1", 231.2)]),
    ({"obis": "2.8.0", "value": 12.5}, [("energy_active_export", "", 12.5)]),
    ({"data": "2.5", "battery": 99, "made": {"Sensor": "Water Pressure", "Unit": "Bar"}}, [("water_pressure", "", 2.5),
      ("battery_level", "", 99.0)]),
    ({"V1": 230, "I1": 1.5, "phase_B_V": 220}, [("voltage", "1", 230.0), ("current", "1", 1.5),
      ("voltage", "phase_b", 220.0)]),
    ({"latitude": 55.75, "accuracy": 12, "satellites": 7}, [("latitude", "", 55.75), ("position_accuracy", "", 12.0),
      ("satellites", "", 7.0)]),
    ({"fw": 3, "bw": 1}, [("people_in", "", 3.0), ("people_out", "", 1.0)]),
    ({"total_in": 30, "total_out": 28}, [("people_in", "", 30.0), ("people_out", "", 28.0)]),
    ({"temperature": [None, None, 1, [None, None, 5]]}, [("air_temperature", "3_3", 1.0),
      ("air_temperature", "3_4_3", 5.0)]),
    ({"output": {"lux": 4}}, [("illuminance", "", 4.0)]),
    ({"tilt": 1, "tilt_2": 31}, [("tilted", "", 1.0), ("tilt_angle", "2", 31.0)]),
    ({"Температура подачи, °С": 71.5, "Тепловая энергия, Гкал": 2, "Объём, м3": 120.5, "Расход, м3/ч": 1.25},
     [("heat_supply_temperature", "", 71.5), ("heat_energy", "", 2326.0), ("heat_volume", "", 120.5),
      ("heat_flow", "", 1.25)]),
    ({"заряд_батареи": 87, "протечка": "нет", "дверь": "открыта", "ГВС, м3": 12.5}, [("battery_level", "", 87.0),
      ("water_leak", "", 0.0), ("door_open", "", 1.0), ("water_volume", "гвс", 12.5)]),
    ({"temperature": 77, "temp_unit": "F", "data0Value": 1500, "data0Unit": "l"}, [("air_temperature", "", 25.0),
      ("water_volume", "0", 1.5)]),
    ({"current_battery": {"value": 3600, "unit": "mV"}, "total_current": {"value": 3, "unit": "mA RMS"}},
     [("battery_voltage", "", 3.6), ("current", "total", 0.003)]),
    ({"velocity": {"value": 30, "unit": "km/h"}, "n_soil": "12 mg/kg"}, [("speed", "", 30.0),
      ("soil_nitrogen", "", 12.0)]),
    ({"t": 21.5, "rh": 40, "p": 1004.5, "tDewC": 7.5}, [("air_temperature", "", 21.5), ("air_humidity", "", 40.0),
      ("air_pressure", "", 1004.5), ("dew_point", "", 7.5)]),
    ({"pm": {"2.5": 7, "10": 12}, "move_state": 0}, [("pm25", "", 7.0), ("pm10", "", 12.0), ("moving", "", 0.0)]),
    ({"consumption": {"value": 1500, "unit": "L"}, "positive_reactive_power": {"value": 192, "unit": "var"}},
     [("water_volume", "consumption", 1.5), ("power_reactive", "", 0.192)]),
    ({"acceleration_vector": {"xaxis": "0.5"}, "dBAfast": 32.5, "vBus": 4.75, "setpoint_heat": 20}, [
      ("acceleration", "vector_x", 4.903325), ("noise_level", "fast", 32.5), ("supply_voltage", "", 4.75),
      ("target_temperature", "", 20.0)]),
    ({"region_1_occupancy": "occupied", "light_level": 3}, [("occupancy", "1", 1.0), ("light_level", "", 3.0)]),
    ({"din1": 1, "dout2": "on", "sabotage": False}, [("switch_state", "1", 1.0), ("relay_on", "2", 1.0),
      ("tamper", "", 0.0)]),
]  # fmt: skip


@pytest.mark.parametrize(("output", "expected"), CASES, ids=[json.dumps(c[0])[:50] for c in CASES])
def test_manners_of_writing(output: Any, expected: Told) -> None:
    assert told(output) == expected


DOUBTFUL: list[tuple[Any, str]] = [
    ({"distance": 120}, "no unit"),
    ({"energy": 12.5}, "no unit"),
    ({"volume": 5342}, "no unit"),
    ({"battery": 3}, "no unit"),
    ({"pressure": 4860}, "no unit"),
    ({"room_temperature": 219}, "no unit"),
    ({"humidity": "Err"}, "not a number"),
    ({"temperature_alarm_threshold": 40}, "not a measure"),
    ({"report_interval": 600}, "not a measure"),
    ({"light_guide": 3}, "unknown word"),
    ({"firmware": "1.2"}, "not a measure"),
    ({"frobnication": 7}, "unknown name"),
    ({"temperature": None}, "no value"),
    ({"history": [{"temperature": 20}]}, "another moment"),
    ({"door": 7}, "not a state"),
    ({"tempC": 20.5, "temperature": 25.5}, "ambiguous"),
    ({"ph_mV": 7}, "no unit"),
    ({"hAcc": 1.5}, "not a measure"),
    ({"vapour_pressure": 3.5}, "not a measure"),
    ({"energy_storage": 1}, "not a measure"),
    ({"valuecount": 3}, "not a measure"),
    ({"humidity_changed": 1}, "not a measure"),
    ({"light_temperature": 4000}, "not a measure"),
    ({"light": {"displayName": "Red led status", "value": "ON"}}, "not a measure"),
    ({"alarms": {"temperature": 30}}, "not a measure"),
    ({"tempPer": 1}, "not a measure"),
    ({"lightState": 17}, "no unit"),
    ({"oxygenAlt": 8.5}, "un"),
    ({"revision": "2.c"}, "unknown name"),
    ({"vIndex": 52}, "not a measure"),
]


@pytest.mark.parametrize(("output", "reason"), DOUBTFUL, ids=[json.dumps(c[0]) for c in DOUBTFUL])
def test_in_doubt_nothing_is_guessed(output: Any, reason: str) -> None:
    found, unmapped = propose(output, Known(guesses=False))
    assert found == []
    assert all(reason in one.reason for one in unmapped), unmapped
    assert unmapped


GUESSED: list[tuple[Any, str, Told]] = [
    ({"distance": 120}, "", [("distance", "", 0.12)]),
    ({"distance": 1.25}, "", [("distance", "", 1.25)]),
    ({"energy": 1200}, "", [("energy_active", "", 1.2)]),
    ({"energy": 12.5}, "", [("energy_active", "", 12.5)]),
    ({"energy": 1200}, "heat", [("heat_energy", "", 1200.0)]),
    ({"volume": 5342}, "", [("water_volume", "", 5.342)]),
    ({"volume": 5342}, "gas", [("gas_volume", "", 5342.0)]),
    ({"level": 40}, "waste", [("bin_fill", "", 40.0)]),
    ({"pressure": 3.25}, "", [("pressure", "", 3.25)]),
    ({"battery": 3}, "", [("battery_voltage", "", 3.0)]),
    ({"current": 250}, "", [("current", "", 0.25)]),
    ({"distance": 84.5}, "", [("distance", "", 0.845)]),
    ({"soilConductivity": 0.5}, "", [("soil_conductivity", "", 500.0)]),
    ({"voltage": 3.6}, "", [("battery_voltage", "", 3.6)]),
    ({"temperature": 295.15}, "", [("air_temperature", "", 22.0)]),
    ({"level": 4.75}, "", [("water_level", "", 4.75)]),
    ({"level": 60}, "", [("bin_fill", "", 60.0)]),
    ({"pir": 11}, "", [("motion_count", "", 11.0)]),
    ({"tvoc": 0.25}, "", [("tvoc_density", "", 250.0)]),
    ({"soundAvg": 9}, "", [("noise_level", "avg", 9.0)]),
]


@pytest.mark.parametrize(("output", "sector", "expected"), GUESSED, ids=[f"{c[0]} {c[1]}" for c in GUESSED])
def test_a_bare_number_gets_its_most_usual_unit_and_says_so(output: Any, sector: str, expected: Told) -> None:
    for document in ({"data": output, "sector": sector, "fPort": 2}, output):
        found = normalise(document, sector=sector)
        assert [(one["quantity"], one["channel"], one["value"]) for one in found] == expected
        assert [one["how"] for one in found] == ["guessed"]
    assert normalise(output, sector=sector, guesses=False) == []


def test_a_name_with_a_unit_of_something_else_is_no_guess() -> None:
    assert told({"oxygen_kPa": 8}) == []
    assert told({"signal_level": -114, "empty_distance": 2000, "aqi_partial": 174, "frequency": 7}) == []


# Every field of the payload schema of the device repository: air, soil, water, rain, wind, metering, action, position.
NORMALIZED: dict[str, tuple[Any, str, float]] = {
    "air.temperature": (21.5, "air_temperature", 21.5),
    "air.relativeHumidity": (40, "air_humidity", 40),
    "air.pressure": (1004, "air_pressure", 1004),
    "air.co2": (612, "co2", 612),
    "air.lightIntensity": (310, "illuminance", 310),
    "wind.speed": (4, "wind_speed", 4),
    "wind.direction": (270, "wind_direction", 270),
    "soil.moisture": (31, "soil_moisture", 31),
    "soil.temperature": (8, "soil_temperature", 8),
    "soil.ec": (1.2, "soil_conductivity", 1200),
    "soil.pH": (6.5, "soil_ph", 6.5),
    "soil.n": (12, "soil_nitrogen", 12),
    "soil.p": (13, "soil_phosphorus", 13),
    "soil.k": (14, "soil_potassium", 14),
    "rain.intensity": (3, "rain_rate", 3),
    "rain.cumulative": (120, "rain_depth", 120),
    "water.leak": (True, "water_leak", 1),
    "water.temperature.current": (9, "water_temperature", 9),
    "metering.water.total": (1500, "water_volume", 1.5),
    "action.motion.detected": (True, "motion", 1),
    "action.motion.count": (7, "motion_count", 7),
    "action.contactState": ("open", "door_open", 1),
    "position.latitude": (55.75, "latitude", 55.75),
    "position.longitude": (37.5, "longitude", 37.5),
    "battery": (3.6, "battery_voltage", 3.6),
}


@pytest.mark.parametrize("path", NORMALIZED)
def test_the_normalized_payload_is_read_whole(path: str) -> None:
    value, quantity, expected = NORMALIZED[path]
    for key in reversed(path.split(".")):
        value = {key: value}
    assert told(value) == [(quantity, "", expected)]
    assert told([value]) == [(quantity, "", expected)]
    assert normalise(value, guesses=False) == normalise(value)


SURROUNDED: list[tuple[Any, Told]] = [
    ({"current": 30}, [("current", "", 30.0)]),
    ({"current": 30, "voltage": "no"}, [("current", "", 0.03)]),
    ({"ec": 0.5, "soil": ""}, [("soil_conductivity", "", 500.0)]),
    ({"in4_voltage_VAC": 233.2}, [("voltage", "4_vac", 233.2)]),
    ({"rms_velocity": {"x": {"max": 1.2}}}, [("vibration_velocity", "x_max", 1.2)]),
    ({"tx_power": 14}, []),
    ({"light_detected": 1}, []),
    ({"mac": "", "rssi": -60}, []),
    ({"consumption": 12.5}, []),
    ({"consumption": 12.5, "voltage": 231.5}, [("energy_active", "", 12.5), ("voltage", "", 231.5)]),
    ({"ch3": 1, "ch4": 2}, []),
    ({"voltage": 229.5, "angle": 3}, [("voltage", "", 229.5)]),
    ({"battery_voltage": 3.5, "angle": 3}, [("battery_voltage", "", 3.5), ("tilt_angle", "", 3.0)]),
    ({"voltage": 3.6, "power": 20}, [("voltage", "", 3.6), ("power_active", "", 0.02)]),
    ({"currentAckToken": 1, "Channel_A": 15, "a": 5}, []),
    (
        {"energy": 12.5, "volume": 3.5, "power": 30},
        [("heat_energy", "", 12.5), ("heat_volume", "", 3.5), ("heat_power", "", 0.03)],
    ),
    ({"medium": "Heat (outlet)", "r": {"value": 2, "unit": "MWh"}}, [("heat_energy", "r", 2000.0)]),
    ({"meterType": "Gas", "r": {"value": 2, "unit": "m³"}}, [("gas_volume", "r", 2.0)]),
    (
        {"temperature": 8.5, "humidity": 30, "ec": 0.5},
        [("soil_temperature", "", 8.5), ("soil_moisture", "", 30.0), ("soil_conductivity", "", 500.0)],
    ),
]


@pytest.mark.parametrize(("output", "expected"), SURROUNDED, ids=[json.dumps(c[0]) for c in SURROUNDED])
def test_what_stands_around_a_name_decides(output: Any, expected: Told) -> None:
    assert told(output) == expected


MEASURED: list[tuple[Any, list[str], Told]] = [
    ({"temperature": 12}, ["water_temperature"], [("water_temperature", "", 12.0)]),
    ({"volume": 12.5}, ["gas_volume"], [("gas_volume", "", 12.5)]),
    ({"energy": 1200}, ["heat_energy", "heat_power"], [("heat_energy", "", 1200.0)]),
    ({"level": 40}, ["bin_fill", "battery_level"], [("bin_fill", "", 40.0)]),
    ({"supplyTemperature": 71.5}, ["air_temperature"], [("heat_supply_temperature", "", 71.5)]),
]


@pytest.mark.parametrize(("output", "quantities", "expected"), MEASURED, ids=[json.dumps(c[0]) for c in MEASURED])
def test_what_a_device_is_said_to_measure_decides(output: Any, quantities: list[str], expected: Told) -> None:
    for found in (normalise(output, quantities=quantities), normalise({"data": output, "quantities": quantities})):
        assert [(one["quantity"], one["channel"], one["value"]) for one in found] == expected


@pytest.mark.parametrize(
    ("key", "cut"),
    [
        ("TempC_SHT20", ("temp", "C", "sht20")),
        ("battery_mV", ("battery", "mV")),
        ("energyKWh", ("energy", "KWh")),
        ("soilmoisture", ("soil", "moisture")),
        ("pm2_5", ("pm25",)),
        ("eCO2", ("eco2",)),
        ("Relative_Humidity_(%RH)", ("relative", "humidity", "%RH")),
    ],
)
def test_words_of_a_key(key: str, cut: tuple[str, ...]) -> None:
    assert words(key) == cut


KEYS = st.sampled_from(["temperature", "value", "unit", "name", "type", "data", "battery", "pm2_5", "co2", "x", "ч"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["°C", "V", "open"])
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=12), inner, max_size=5)
)


@given(TREES)
def test_any_output_gives_finite_values_in_the_unit_of_the_quantity(output: Any) -> None:
    first = normalise(output)
    assert first == normalise(output)
    places = [(one["quantity"], one["channel"]) for one in first]
    assert len(places) == len(set(places))
    for one in first:
        assert catalog().quantities[one["quantity"]].unit == one["unit"]
        assert abs(one["value"]) < float("inf")


def test_the_command_reads_lines_and_writes_lines() -> None:
    lines = '{"BatV": 3.05, "x": 1}\n\n{"data": {"tempF": 77}}\n'
    result = CliRunner().invoke(app, ["normalise", "-", "--json"], input=lines)
    assert result.exit_code == 0, result.output
    expected = [
        [{"path": "BatV", "quantity": "battery_voltage", "channel": "", "unit": "V", "value": 3.05, "how": "unit"}],
        [{"path": "tempF", "quantity": "air_temperature", "channel": "", "unit": "Cel", "value": 25.0, "how": "unit"}],
    ]
    assert [json.loads(line) for line in result.output.splitlines()] == expected
    shown = CliRunner().invoke(app, ["normalise", "-"], input=lines).output
    assert "x -> unmapped: unknown name" in shown
    assert "air_temperature = 25 Cel   (from [degF])" in shown


def test_a_document_may_go_over_many_lines() -> None:
    lines = json.dumps({"BatV": 3.05, "note": "}]"}, indent=2) + "\n" + json.dumps([{"temp": 4.5}], indent=2)
    result = CliRunner().invoke(app, ["normalise", "-", "--json"], input=lines)
    assert result.exit_code == 0, result.output
    assert [[one["path"] for one in json.loads(line)] for line in result.output.splitlines()] == [
        ["BatV"],
        ["[0].temp"],
    ]


def test_a_line_that_is_no_json_names_its_number(tmp_path: Any) -> None:
    file = tmp_path / "outputs.ndjson"
    file.write_text('{"a": 1}\n{"a": \n')
    result = CliRunner().invoke(app, ["normalise", str(file)])
    assert result.exit_code == 1
    assert "line 2" in str(result.exception)
