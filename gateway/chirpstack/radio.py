"""How ChirpStack's gateways heard an uplink: rxInfo and txInfo of an event. Used by gateway/protocols/chirpstack.py."""

from typing import Any

import msgspec

from gateway.chirpstack.forms import Event, Place
from gateway.reception import NOT_READABLE, heard, limited
from gateway.wire import Reception

# Data rates 0 to 5 are SF12 to SF7 at 125 kHz in EU868 and RU864; above them the event itself names the modulation.
SLOWEST = 12
NARROW_RATES = 5


class Rx(msgspec.Struct, rename="camel"):
    """One gateway's view of a frame."""

    gateway_id: str = ""
    rssi: float = 0.0
    snr: float = 0.0
    location: Place | None = None


class Lora(msgspec.Struct, rename="camel"):
    """Modulation parameters."""

    spreading_factor: int = 0


class Modulation(msgspec.Struct):
    """Which one."""

    lora: Lora = msgspec.field(default_factory=Lora)


class Tx(msgspec.Struct):
    """How it was sent, in Hz."""

    frequency: int = 0
    modulation: Modulation = msgspec.field(default_factory=Modulation)


RX = msgspec.json.Decoder(list[Rx])
TX = msgspec.json.Decoder(Tx)


def reception(event: Event) -> Reception | None:
    """None where the event does not say who heard it, or says it in a way that cannot be read."""
    if not bytes(event.rx_info):
        return None
    try:
        views = RX.decode(event.rx_info)
        sent = TX.decode(event.tx_info) if bytes(event.tx_info) else Tx()
    except NOT_READABLE:
        return None
    spreading = sent.modulation.lora.spreading_factor
    if not spreading and 0 <= event.dr <= NARROW_RATES:
        spreading = SLOWEST - event.dr
    told = [heard(view.gateway_id, view.rssi, view.snr, at=view.location) for view in views]
    return limited(Reception(event.dev_addr, event.f_cnt, spreading, told, sent.frequency))


def of_protobuf(message: Any) -> tuple[msgspec.Raw, msgspec.Raw]:
    """rx_info and tx_info of an uplink as the JSON marshaler would have written them."""
    views = [
        Rx(
            rx.gateway_id,
            rx.rssi,
            rx.snr,
            Place(rx.location.latitude, rx.location.longitude) if rx.HasField("location") else None,
        )
        for rx in message.rx_info
    ]
    sent = Tx(message.tx_info.frequency, Modulation(Lora(message.tx_info.modulation.lora.spreading_factor)))
    return msgspec.Raw(msgspec.json.encode(views)), msgspec.Raw(msgspec.json.encode(sent))
