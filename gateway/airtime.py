"""How often a radio gateway may speak: LoRa time on air, duty cycle of the region, most downlinks a minute. Pure."""

import math
import tomllib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from schemas import ROOT

BANDWIDTH_HZ = 125_000
PREAMBLE_SYMBOLS = 8 + 4.25
# MHDR, address, control, counter, port and integrity code around the application's bytes.
FRAME_BYTES = 13
MINUTE = timedelta(minutes=1)


@cache
def duty_cycles() -> dict[str, float]:
    """Share of time on air by region, schemas/regions.toml."""
    regions = tomllib.loads((ROOT / "regions.toml").read_text(encoding="utf-8"))
    return {name: float(region["duty"]) for name, region in regions.items()}


def airtime_s(payload_bytes: int, spreading_factor: int) -> float:
    """Seconds on air of a LoRaWAN downlink: 125 kHz, coding rate 4/5, explicit header, no CRC (Semtech AN1200.13)."""
    symbol_s = (1 << spreading_factor) / BANDWIDTH_HZ
    slow = 2 if spreading_factor >= 11 else 0  # low data rate optimisation
    bits = 8 * (payload_bytes + FRAME_BYTES) - 4 * spreading_factor + 28
    symbols = 8 + max(math.ceil(bits / (4 * (spreading_factor - slow))) * 5, 0)
    return (PREAMBLE_SYMBOLS + symbols) * symbol_s


@dataclass
class Budget:
    """When each radio gateway may speak again, in city time. A restart forgets: the first downlink is free."""

    per_minute: int
    free: dict[str, datetime] = field(default_factory=dict)
    recent: dict[str, list[datetime]] = field(default_factory=dict)

    def due(self, sender: str, now: datetime) -> datetime:
        """The earliest moment for the next downlink of a sender; now when it may speak at once."""
        last = [moment for moment in self.recent.get(sender, []) if moment > now - MINUTE]
        due = max(now, self.free.get(sender, now))
        return max(due, last[-self.per_minute] + MINUTE) if len(last) >= self.per_minute else due

    def spend(self, sender: str, now: datetime, *, on_air_s: float, duty: float) -> None:
        """Note a downlink that goes out now: after it the sender is silent for its share of the duty cycle."""
        self.free[sender] = now + timedelta(seconds=on_air_s / duty)
        kept = [moment for moment in self.recent.get(sender, []) if moment > now - MINUTE]
        self.recent[sender] = [*kept, now]
