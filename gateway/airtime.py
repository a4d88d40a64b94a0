"""How often a radio gateway may speak: LoRa time on air, duty cycle by sub-band, most downlinks a minute. Pure."""

import math
import re
import tomllib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

import msgspec

from citynet.catalog import Profile
from schemas import ROOT

BANDWIDTH_HZ = 125_000
PREAMBLE_SYMBOLS = 8 + 4.25
# MHDR, address, control, counter, port and integrity code around the application's bytes.
FRAME_BYTES = 13
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
WRITTEN = re.compile(r"(.+): ([\d.]+) s in ([\d.]+)-([\d.]+) MHz")


class Band(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sub-band and the share of an hour that one transmitter may speak in it."""

    from_hz: int
    to_hz: int
    duty: float = 1.0

    def __str__(self) -> str:
        return f"{self.from_hz / 1e6:g}-{self.to_hz / 1e6:g} MHz"


class Region(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where downlinks of a region go, schemas/regions.toml."""

    rx2_hz: int
    ping_hz: int
    unheard_hz: int
    bands: list[Band]

    def band(self, frequency_hz: int) -> Band:
        """The sub-band of a frequency; outside of all of them the strictest counts."""
        inside = [band for band in self.bands if band.from_hz <= frequency_hz < band.to_hz]
        return inside[0] if inside else min(self.bands, key=lambda band: band.duty)


@cache
def regions() -> dict[str, Region]:
    """Regions by name."""
    return msgspec.convert(tomllib.loads((ROOT / "regions.toml").read_text(encoding="utf-8")), dict[str, Region])


def airtime_s(payload_bytes: int, spreading_factor: int) -> float:
    """Seconds on air of a LoRaWAN downlink: 125 kHz, coding rate 4/5, explicit header, no CRC (Semtech AN1200.13)."""
    symbol_s = (1 << spreading_factor) / BANDWIDTH_HZ
    slow = 2 if spreading_factor >= 11 else 0  # low data rate optimisation
    bits = 8 * (payload_bytes + FRAME_BYTES) - 4 * spreading_factor + 28
    symbols = 8 + max(math.ceil(bits / (4 * (spreading_factor - slow))) * 5, 0)
    return (PREAMBLE_SYMBOLS + symbols) * symbol_s


@dataclass(frozen=True)
class Burst:
    """A downlink of a sender. band None: not by a regulated radio."""

    sender: str
    band: Band | None = None
    on_air_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.sender}: {self.on_air_s:.3f} s in {self.band}" if self.band else ""


def written(text: str) -> Burst | None:
    """The burst that was written down as this text."""
    found = WRITTEN.fullmatch(text)
    if found is None:
        return None
    sender, on_air, *edges = found.groups()
    return Burst(sender, Band(*(round(float(edge) * 1e6) for edge in edges)), float(on_air))


def burst(sender: str, profile: Profile | None, *, radio_bytes: int, heard_hz: int, heard_sf: int) -> Burst:
    """What a downlink to a device of a profile needs. heard_hz, heard_sf: its last uplink, 0 where that is not known.

    Class A hears in its first window on the frequency and with the spreading factor of its uplink; which of the next
    uplinks that is nobody knows, so its last one stands for it.
    """
    if profile is None or not profile.radio_class:
        return Burst(sender)
    region = regions()[profile.region]
    if profile.radio_class == "A":
        hz, spreading = heard_hz or region.unheard_hz, heard_sf or profile.downlink_sf
    else:
        hz, spreading = region.rx2_hz if profile.radio_class == "C" else region.ping_hz, profile.downlink_sf
    return Burst(sender, region.band(hz), airtime_s(radio_bytes, spreading))


@dataclass
class Budget:
    """What each sender has sent in the last hour, in city time, and when it may go on."""

    per_minute: int
    spent: dict[str, list[tuple[datetime, Burst]]] = field(default_factory=dict)

    def due(self, wanted: Burst, now: datetime) -> datetime:
        """The earliest moment for this downlink; now when it may go out at once."""
        past = [one for one in self.spent.get(wanted.sender, []) if one[0] > now - HOUR]
        last = [moment for moment, _ in past if moment > now - MINUTE]
        due = last[-self.per_minute] + MINUTE if len(last) >= self.per_minute else now
        return max(due, _free(wanted, past, now))

    def spend(self, done: Burst, moment: datetime) -> None:
        """Note a downlink that goes out at this moment."""
        kept = [one for one in self.spent.get(done.sender, []) if one[0] > moment - HOUR]
        self.spent[done.sender] = [*kept, (moment, done)]


def _free(wanted: Burst, past: list[tuple[datetime, Burst]], now: datetime) -> datetime:
    """When enough of the last hour lies behind for this downlink to fit into its share of one."""
    if wanted.band is None:
        return now
    edges = (wanted.band.from_hz, wanted.band.to_hz)
    same = [(moment, one) for moment, one in past if one.band and (one.band.from_hz, one.band.to_hz) == edges]
    left_s = wanted.band.duty * HOUR.total_seconds() - wanted.on_air_s - sum(one.on_air_s for _, one in same)
    due = now
    for moment, one in same:
        if left_s >= 0:
            break
        left_s, due = left_s + one.on_air_s, moment + HOUR
    return due
