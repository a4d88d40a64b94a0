"""The demo city: counts of the issue, same seed = same bytes, parents before children, valid geometry."""

from itertools import pairwise

from shapely.geometry import shape

from simulators import world
from simulators.geometry import distance_km

CITY = world.build(7)


def test_counts() -> None:
    counts = {cls: len(devices) for cls, devices in CITY.devices.items()}
    assert counts["water_meter"] == 200
    assert counts["power_meter"] == 100
    assert counts["heat_meter"] == 40
    assert counts["air_station"] == 25
    assert counts["lamp"] == 400
    assert counts["cabinet"] == 20
    assert counts["bin"] == 150


def test_same_seed_same_bytes() -> None:
    assert world.build(7).encode() == CITY.encode()
    assert world.build(8).encode() != CITY.encode()


def test_keys_are_unique_and_parents_come_first() -> None:
    seen: set[str] = set()
    for proposal in CITY.objects:
        assert proposal.key not in seen
        assert proposal.parent is None or proposal.parent in seen
        assert proposal.org is None or proposal.org in seen
        seen.add(proposal.key)


def test_geometry_is_valid_and_devices_stand_on_land() -> None:
    shapes = {p.key: shape(p.geometry) for p in CITY.objects if p.geometry}
    assert all(geometry.is_valid for geometry in shapes.values())
    bay = shapes["water/bay"]
    for devices in CITY.devices.values():
        for device in devices:
            assert not bay.contains(shape({"type": "Point", "coordinates": [device.lon, device.lat]})), device.key


def test_lamps_stand_in_rows() -> None:
    lamps = [p for p in CITY.devices["lamp"] if p.parent == "cabinet/K-05"]
    gaps = [distance_km((a.lon or 0, a.lat or 0), (b.lon or 0, b.lat or 0)) for a, b in pairwise(lamps)]
    assert max(gaps) < 0.08
