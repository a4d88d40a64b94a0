"""The physics of the demo city: rhythm, registers, orders, faults with their effect on what devices report."""

from pathlib import Path

import numpy as np
import pytest

from citynet.catalog import catalog
from simulators import world
from simulators.app import Memory
from simulators.faults import KINDS, FaultLine, schedule
from simulators.physics.city import City
from simulators.physics.rhythm import sun_elevation_deg

WORLD = world.build(7)
NOON = 1795251600.0  # Saturday 2026-11-21 09:00 UTC, 12:00 in the city
NIGHT = NOON + 10 * 3600


@pytest.fixture
def city() -> City:
    return City(WORLD, NOON)


def row(city: City, key: str) -> int:
    return city.kinds[key.partition("/")[0]].row[key]


def test_payload_keys_are_those_of_the_profiles(city: City) -> None:
    profiles = catalog().profiles
    for kind in city.kinds.values():
        device = kind.devices[0].device
        assert device is not None
        assert set(kind.now(NOON)) == set(profiles[device.profile].map)
        assert kind.interval_s == profiles[device.profile].interval_s


def test_values_are_finite_and_in_the_range_of_their_quantity(city: City) -> None:
    times = np.arange(NOON - 7 * 86400, NOON, 3600.0)
    for kind in city.kinds.values():
        device = kind.devices[0].device
        assert device is not None
        mapping = catalog().profiles[device.profile].map
        for key, values in kind.nominal(times).items():
            quantity = catalog().quantities[mapping[key].quantity]
            assert values.shape == (len(kind.devices), len(times))
            assert np.isfinite(values).all()
            assert values.min() >= (quantity.min or 0), key
            assert values.max() <= (quantity.max or 0), key
            if quantity.kind == "cumulative":
                assert (np.diff(values, axis=1) >= 0).all(), key


def test_the_sun_rises_in_the_morning() -> None:
    assert sun_elevation_deg(np.array([NOON]))[0] == pytest.approx(24.9, abs=1.0)
    assert sun_elevation_deg(np.array([NIGHT]))[0] < -30


def test_an_inlet_is_the_sum_of_its_meters(city: City) -> None:
    meters = city.water_meters.now(NOON)["flow"]
    of_first = [i for i, p in enumerate(city.water_meters.devices) if p.parent == "md/01"]
    assert city.inlets.now(NOON)["flow"][0] == pytest.approx(1.06 * meters[of_first].sum(), rel=0.05)


def test_a_closed_valve_stops_the_leak(city: City) -> None:
    inlet, valve = row(city, "district_inlet/03"), row(city, "valve/03-2")
    before = city.inlets.now(NOON)["flow"][inlet]
    KINDS["leak"].start(city, inlet, (NOON, NOON + 3600))
    leaking = city.inlets.now(NOON + 60)["flow"][inlet]
    assert leaking > 1.5 * before
    answer = city.valves.answer(valve, "close", {}, t=NOON + 60)
    assert answer is not None
    assert answer.accepted
    assert city.inlets.now(NOON + 120)["flow"][inlet] < before
    assert city.valves.now(NOON + 120)["position"][valve] == 0
    assert valve in city.valves.urgent(NOON + 120)
    assert valve not in city.valves.urgent(NOON + 121)


def test_a_lamp_obeys_until_the_programme_changes(city: City) -> None:
    lamp = row(city, "lamp/01-01")
    assert city.lamps.now(NIGHT)["level"][lamp] == 100
    answer = city.lamps.answer(lamp, "dim", {"level": 30}, t=NIGHT)
    assert answer is not None
    assert answer.accepted
    assert city.lamps.now(NIGHT + 1)["level"][lamp] == 30
    assert city.lamps.now(NIGHT + 1)["power"][lamp] < 60
    assert list(city.lamps.urgent(NIGHT + 1)) == [lamp]
    assert city.lamps.now(NIGHT + 5 * 3600)["level"][lamp] == 70


def test_a_dead_cabinet_takes_its_lamps_down(city: City) -> None:
    cabinet, lamp = row(city, "cabinet/K-01"), row(city, "lamp/01-01")
    city.cabinets.set_supply(cabinet, False)
    assert city.cabinets.now(NIGHT)["voltage"][cabinet] == 0
    assert city.lamps.answer(lamp, "on", {}, t=NIGHT) is None
    refused = city.cabinets.answer(cabinet, "dim", {"level": 40}, t=NIGHT)
    assert refused is not None
    assert not refused.accepted
    city.cabinets.set_supply(cabinet, True)
    accepted = city.cabinets.answer(cabinet, "dim", {"level": 40}, t=NIGHT)
    assert accepted is not None
    assert accepted.accepted
    assert city.cabinets.now(NIGHT + 1)["level"][cabinet] == 40


def test_a_silent_gateway_silences_what_only_it_hears(city: City) -> None:
    KINDS["gateway_silent"].start(city, 0, (NOON, NOON + 60))
    heard = city.bins.alive(NOON)
    assert 0 < (~heard).sum() < len(heard)
    KINDS["gateway_silent"].end(city, 0)
    assert city.bins.alive(NOON).all()


@pytest.mark.parametrize("duration_s", [600.0, 1800.0, 5400.0])
def test_schedule_plants_each_kind_in_time(duration_s: float) -> None:
    faults = schedule(WORLD, 7, duration_s)
    assert faults == schedule(WORLD, 7, duration_s)
    assert {f.kind for f in faults} == set(KINDS)
    assert len({f.key for f in faults}) == len(faults)
    assert max(f.start_s for f in faults) < duration_s * 0.62
    if duration_s >= 1800:
        assert max(f.start_s + f.max_delay_s for f in faults) < duration_s
    assert {rule for f in faults for rule in f.rules} <= set(catalog().rules)


def test_faults_show_in_the_readings(city: City) -> None:
    faults = {f.kind: f for f in schedule(WORLD, 7, 5400.0)}
    line = FaultLine(list(faults.values()), NOON)
    for t in np.arange(NOON, NOON + 5400, 30.0):
        line.apply(city, float(t))
        fire, air = faults["bin_fire"], faults["air_episode"]
        if t == NOON + fire.start_s // 30 * 30 + 120:
            assert city.bins.now(float(t))["temperature"][row(city, fire.key)] > 70
        if t == NOON + air.start_s // 30 * 30 + 240:
            assert city.air.now(float(t))["pm25"][row(city, air.key)] > 200


def test_state_survives_a_restart(city: City) -> None:
    city.valves.answer(0, "close", {}, t=NOON)
    city.lamps.answer(5, "dim", {"level": 20}, t=NIGHT)
    again = City(WORLD, NOON)
    again.restore(city.state())
    assert again.valves.now(NIGHT)["position"][0] == 0
    assert again.lamps.now(NIGHT)["level"][5] == 20


def test_a_fault_that_was_over_before_a_restart_does_not_come_again(city: City) -> None:
    faults = schedule(WORLD, 7, 600.0)
    line = FaultLine(faults, NOON)
    begun = line.apply(city, NOON + 20 * 60.0)
    assert {f.kind for f in faults} - {f.kind for f in begun} == {"bin_fire"}  # it burns for a quarter of an hour
    assert not line.apply(city, NOON + 21 * 60.0)


def test_memory_is_of_one_seed(tmp_path: Path) -> None:
    memory = Memory(
        tmp_path / "simulator.json", seed=7, faults_from=NOON, until=NOON + 5, state={"valve": {"a": [1.0]}}
    )
    memory.save()
    again = Memory(tmp_path / "simulator.json")
    assert not again.load(8)
    assert again.load(7)
    assert again == memory
    (tmp_path / "simulator.json").write_text("{")
    assert not again.load(7)
