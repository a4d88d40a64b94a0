"""How gateways of The Things Stack heard an uplink. Used by gateway/protocols/things_stack.py."""

import msgspec

from gateway.reception import NOT_READABLE, heard, limited
from gateway.wire import Heard, Reception


class Ids(msgspec.Struct):
    """Which gateway; through Packet Broker only the EUI tells them apart."""

    gateway_id: str = ""
    eui: str = ""


class Place(msgspec.Struct):
    """Degrees."""

    latitude: float = 0.0
    longitude: float = 0.0


class Rx(msgspec.Struct):
    """One gateway's view of a frame."""

    gateway_ids: Ids = msgspec.field(default_factory=Ids)
    rssi: float = 0.0
    snr: float = 0.0
    location: Place | None = None


class Lora(msgspec.Struct):
    """Modulation parameters."""

    spreading_factor: int = 0


class Rate(msgspec.Struct):
    """Which modulation."""

    lora: Lora = msgspec.field(default_factory=Lora)


class Sent(msgspec.Struct):
    """How it was sent; frequency in Hz, which the stack writes as a text."""

    data_rate: Rate = msgspec.field(default_factory=Rate)
    frequency: int | str = 0


HZ_DIGITS = 10
RX = msgspec.json.Decoder(list[Rx])
SENT = msgspec.json.Decoder(Sent)


def reception(
    session: str, f_cnt: int, *, metadata: msgspec.Raw | None, settings: msgspec.Raw | None
) -> Reception | None:
    """None where the message does not say who heard it, or says it in a way that cannot be read."""
    if metadata is None:
        return None
    try:
        views = RX.decode(metadata)
        sent = SENT.decode(settings) if settings is not None else Sent()
    except NOT_READABLE:
        return None
    text = str(sent.frequency)
    frequency = int(text) if text.isdecimal() and len(text) <= HZ_DIGITS else 0
    spreading = sent.data_rate.lora.spreading_factor
    return limited(Reception(session, f_cnt, spreading, [_heard(view) for view in views], frequency))


def _heard(view: Rx) -> Heard:
    ids = view.gateway_ids
    return heard((ids.eui or ids.gateway_id).lower(), view.rssi, view.snr, at=view.location)
