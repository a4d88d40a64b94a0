"""How a frame came over the air, kept within limits. Used by the protocols of radio networks."""

from operator import attrgetter
from typing import Protocol

import msgspec

from gateway.wire import Heard, Reception

NOT_READABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
GATEWAYS_MAX = 8
NAME_CHARS = 64
HZ_END = 2**31
RSSI = attrgetter("rssi")
DBM_MIN, DBM_MAX, DB_MAX = -200.0, 50.0, 100.0


class Spot(Protocol):
    """Where a network says that a gateway stands: degrees, both 0 where it does not know."""

    latitude: float
    longitude: float


def heard(gateway: str, rssi: float, snr: float, *, at: Spot | None) -> Heard:
    """One gateway's view of a frame: dB[mW], dB, and its place where it is known."""
    place = (at.longitude, at.latitude) if at and (at.longitude or at.latitude) else (None, None)
    return Heard(gateway, rssi, snr, *place)


def limited(reception: Reception) -> Reception | None:
    """The strongest gateways with a name and figures that can be; None for a counter that LoRaWAN does not have."""
    if not -1 <= reception.f_cnt < 2**32 or len(reception.session) > NAME_CHARS:
        return None
    good = {one.gateway: one for one in sorted(reception.heard, key=RSSI) if _usable(one)}
    spreading = reception.spreading if 0 <= reception.spreading <= 12 else 0
    frequency = reception.frequency if 0 < reception.frequency < HZ_END else 0
    views = list(good.values())[-GATEWAYS_MAX:]
    return Reception(reception.session, reception.f_cnt, spreading, views, frequency)


def _usable(one: Heard) -> bool:
    named = 0 < len(one.gateway) <= NAME_CHARS and one.gateway.isprintable()
    return named and DBM_MIN <= one.rssi <= DBM_MAX and -DB_MAX <= one.snr <= DB_MAX
