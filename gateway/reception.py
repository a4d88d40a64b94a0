"""How a frame came over the air, kept within limits. Used by the protocols of radio networks."""

import msgspec

from gateway.wire import Heard, Reception

NOT_READABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
GATEWAYS_MAX = 8
NAME_CHARS = 64
DBM_MIN, DBM_MAX, DB_MAX = -200.0, 50.0, 100.0


def limited(reception: Reception) -> Reception | None:
    """The strongest gateways with a name and figures that can be; None for a counter that LoRaWAN does not have."""
    if not -1 <= reception.f_cnt < 2**32 or len(reception.session) > NAME_CHARS:
        return None
    good = {one.gateway: one for one in sorted(reception.heard, key=lambda one: one.rssi) if _usable(one)}
    spreading = reception.spreading if 0 <= reception.spreading <= 12 else 0
    return reception._replace(spreading=spreading, heard=list(good.values())[-GATEWAYS_MAX:])


def _usable(one: Heard) -> bool:
    named = 0 < len(one.gateway) <= NAME_CHARS and one.gateway.isprintable()
    return named and DBM_MIN <= one.rssi <= DBM_MAX and -DB_MAX <= one.snr <= DB_MAX
