"""Values with a unit of their own -> the unit in which the profile awaits them; called by decoding.py. Pure."""

from citynet import catalog, units
from citynet.catalog import Mapping, Profile
from citynet.units import Line
from gateway.wire import Bad, Sample


def in_units(profile: Profile | None, sample: Sample) -> tuple[dict[str, float], list[Bad]]:
    """The values of a sample, and those whose unit is in no table or measures another thing than the quantity."""
    values, bad = dict(sample.values), list[Bad]()
    for key, unit in sample.units.items():
        mapping = profile.map.get(key) if profile else None
        if mapping is None:
            continue  # nobody asked for it: its unit does not matter
        line = _line(mapping, unit)
        if line is None:
            bad.append(Bad("wrong_unit", key, f"in {unit[:20]!r}"))
            del values[key]
        elif line != Line():
            try:
                values[key] = line(values[key])
            except OverflowError:
                bad.append(Bad("not_finite", key))
                del values[key]
    return values, bad


def _line(mapping: Mapping, unit: str) -> Line | None:
    quantity = catalog.catalog().quantities.get(mapping.quantity)
    code = units.senml(unit)
    return mapping.line_of(code, quantity.unit) if code and quantity else None
