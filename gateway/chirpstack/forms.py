"""What we read of ChirpStack's integration events, whichever marshaler wrote them."""

from typing import Any

import msgspec


class DeviceInfo(msgspec.Struct, rename="camel"):
    """Who sent it."""

    dev_eui: str = ""


class Place(msgspec.Struct):
    """Where the network believes the device to be: degrees of WGS 84, metres."""

    latitude: float = 0.0
    longitude: float = 0.0
    altitude: float = 0.0
    accuracy: float = 0.0


class Event(msgspec.Struct, rename="camel"):
    """The fields that we read, of any event; proto3 may leave out what is 0, false or empty."""

    device_info: DeviceInfo = msgspec.field(default_factory=DeviceInfo)
    time: str | None = None
    dev_addr: str = ""
    f_cnt: int = 0
    f_port: int = 0
    data: bytes = b""
    object: msgspec.Raw = msgspec.Raw(b"")  # in a union with None msgspec takes nothing but null
    queue_item_id: str = ""
    acknowledged: bool = False
    gateway_id: str = ""
    code: str | int = ""
    description: str = ""
    context: dict[str, str] = {}
    battery_level: float = 0.0
    margin: float = 0.0
    location: Place | None = None
    join_server_context: dict[str, Any] | None = None
    dr: int = 0
    # Read apart: what a gateway writes wrongly must not cost the values of the frame.
    rx_info: msgspec.Raw = msgspec.Raw(b"")
    tx_info: msgspec.Raw = msgspec.Raw(b"")


Read = tuple[Event, Any]
