"""Units of measure: UCUM codes and how people spell them, and exact conversion; the table is schemas/units.toml."""

import re
import tomllib
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property

from citynet.errors import ConfigError
from schemas import ROOT

# Molar mass in g/mol; ppb -> ug/m3 at 20 Cel and 1013.25 hPa, as directive 2008/50/EC reports gases.
MOLAR_MASS = {"no": "30.006", "no2": "46.006", "nox": "46.006", "so2": "64.066", "o3": "47.998", "co": "28.010"}
MOLAR_MASS |= {"h2s": "34.08", "nh3": "17.031", "formaldehyde": "30.026"}
SHORT = 4
MOLAR_VOLUME_L = Fraction("24.055")
PLAIN = str.maketrans("µμ²³⁰⁴⁻¹⋅·*м", "uu2304-1...m")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: what kind of measure it is of, and base = value * factor + offset."""

    code: str
    kind: str
    factor: Fraction
    offset: Fraction = Fraction(0)


@dataclass(frozen=True)
class Line:
    """target = value * factor + offset, exact."""

    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)

    def then(self, after: "Line") -> "Line":
        """This conversion followed by another."""
        return Line(self.factor * after.factor, self.offset * after.factor + after.offset)

    @property
    def inverse(self) -> "Line":
        """The way back. Raises ZeroDivisionError where everything becomes one value."""
        return Line(1 / self.factor, -self.offset / self.factor)

    @cached_property
    def integers(self) -> tuple[float, float, float]:
        """(mul, add, div) with target = (value * mul + add) / div, rounded once: 215 / 10 is 21.5, 215 * 0.1 is not."""
        div = self.factor.denominator * self.offset.denominator
        mul, add = self.factor * div, self.offset * div
        if max(abs(mul), abs(add)) > 2**53 or div > 2**53:
            return float(self.factor), float(self.offset), 1.0
        return float(mul), float(add), float(div)

    def __call__(self, value: float) -> float:
        """The converted value, rounded once."""
        return float(Fraction(repr(value)) * self.factor + self.offset)


def _fraction(text: str) -> Fraction:
    above, _, below = text.partition("/")
    return Fraction(above) / Fraction(below or "1")


Spellings = dict[tuple[str, str], str]


@cache
def _table() -> tuple[dict[str, Unit], Spellings]:
    """Units by code, and codes by kind ("" = any) and folded spelling; of two that fold alike the first one stands."""
    kinds = tomllib.loads((ROOT / "units.toml").read_text(encoding="utf-8"))
    units: dict[str, Unit] = {}
    spelt: Spellings = {}
    for kind, body in kinds.items():
        also = body.pop("also", {})
        for code, number in body.items():
            factor, offset = number if isinstance(number, list) else (number, "0")
            units[code] = Unit(code, kind, _fraction(factor), _fraction(offset))
        # Keys have no slash: conductivity_uS_cm. Short ones may be other units, as ms for m/s.
        bare = ((code.replace("/", ""), code) for code in body if "/" in code and len(code) > SHORT)
        for spelling, code in [*also.items(), *((code, code) for code in body), *bare]:
            for known in (kind, ""):
                spelt.setdefault((known, exact(spelling)), code)
    for (kind, spelling), code in list(spelt.items()):
        spelt.setdefault((kind, spelling.casefold()), code)
    return units, spelt


def exact(text: str) -> str:
    """A spelling without what carries no meaning: spaces, brackets, superscripts; 'W⋅m⁻²' becomes 'W/m2'."""
    bare = re.sub(r"[\s\[\](){}]", "", text.translate(PLAIN)).strip(".")
    powers = [re.fullmatch(r"(\D+)-(\d)", part) for part in bare.split(".")]
    if not any(powers):
        return bare
    above = [part for part, power in zip(bare.split("."), powers, strict=True) if not power]
    below = [power[1] + power[2].replace("1", "") for power in powers if power]
    return ".".join(above or ["1"]) + "/" + ".".join(below)


def find(text: str, kind: str = "") -> Unit | None:
    """The unit that a text means, None where nobody writes it so. Case counts first: mW is not MW.

    Of a kind, if there is one: g is a gram, as an acceleration it is what gravity gives.
    """
    units, spelt = _table()
    if text in units and kind in ("", units[text].kind):
        return units[text]
    bare = exact(text)
    code = spelt.get((kind, bare)) or spelt.get((kind, bare.casefold()))
    return units[code] if code else find(text) if kind else None


def unit(code: str) -> Unit:
    """The unit of a code or spelling. Raises ConfigError when it is in no table."""
    found = find(code)
    if found is None:
        raise ConfigError(f"the unit {code!r} is not in schemas/units.toml")
    return found


@cache
def _senml() -> dict[str, str]:
    return {
        unit: code
        for part in tomllib.loads((ROOT / "senml.toml").read_text(encoding="utf-8")).values()
        for unit, code in part.items()
    }


def senml(text: str) -> str | None:
    """The code of a unit of the SenML registry; empty where nothing here is measured in it, None for no such unit."""
    return _senml().get(text)


def line(given: str, wanted: str, quantity: str = "") -> Line | None:
    """The conversion between two units, None when they measure different things.

    A gas of MOLAR_MASS also goes from a share (ppb) to a density (ug/m3).
    """
    if given == wanted:
        return Line()
    target = find(wanted)
    source = find(given, target.kind) if target else None
    if source is None or target is None:
        return None
    if source.kind == target.kind:
        return Line(source.factor / target.factor, (source.offset - target.offset) / target.factor)
    if (source.kind, target.kind) == ("ratio", "density") and quantity in MOLAR_MASS:
        ug_m3_of_one = Fraction(MOLAR_MASS[quantity]) / MOLAR_VOLUME_L * 1_000_000_000
        return Line(source.factor * ug_m3_of_one / target.factor)
    return None
