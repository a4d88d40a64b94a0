"""ChirpStack v4 integration events of simulated LoRaWAN devices, as its MQTT integration writes them."""

import uuid
from dataclasses import dataclass
from typing import Any

from chirpstack_api import integration
from google.protobuf.json_format import MessageToJson

from citynet.model import DeviceSpec, Proposal
from gateway.devices import codecs

TENANT_ID = "52f14cd4-c6f1-4fbd-8f87-4025e1d49242"
OBJECT_PORT = 1
FREQUENCIES_HZ = (868_100_000, 868_300_000, 868_500_000)


@dataclass(frozen=True, slots=True)
class Heard:
    """One gateway's view of a frame."""

    gateway_id: str
    rssi_dbm: int
    snr_db: float


def topic(application: str, dev_eui: str, event: str) -> str:
    """Where ChirpStack publishes an event."""
    return f"application/{application}/device/{dev_eui}/event/{event}"


def uplink(
    device: Proposal, t: float, values: dict[str, float], *, f_cnt: int, heard: list[Heard], unique: str
) -> bytes:
    """An `up` event: the frame as the device's codec packs it, or an object where it has none; one rxInfo a gateway."""
    event = integration.UplinkEvent()
    _common(event, device, t, unique=unique)
    event.dev_addr = _dev_addr(device)
    event.adr, event.dr, event.f_cnt = True, 5, f_cnt
    codec = codecs().get(_spec(device).profile)
    if codec:
        event.f_port, event.data = codec.pack(values)
    else:
        event.f_port, event.data = OBJECT_PORT, bytes(8)
        event.object.update(values)
    event.tx_info.frequency = FREQUENCIES_HZ[f_cnt % len(FREQUENCIES_HZ)]
    for i, view in enumerate(heard):
        rx = event.rx_info.add()
        rx.gateway_id, rx.uplink_id, rx.rssi, rx.snr = view.gateway_id, f_cnt * 8 + i, view.rssi_dbm, view.snr_db
        rx.ns_time.FromNanoseconds(round(t * 1e9))
        rx.crc_status = 2  # CRC_OK
    return _json(event)


def join(device: Proposal, t: float, *, unique: str) -> bytes:
    """A `join` event."""
    event = integration.JoinEvent()
    _common(event, device, t, unique=unique)
    event.dev_addr = _dev_addr(device)
    return _json(event)


def status(device: Proposal, t: float, *, battery: float, margin: int, unique: str) -> bytes:
    """A `status` event: battery in percent and link margin in dB."""
    event = integration.StatusEvent()
    _common(event, device, t, unique=unique)
    event.battery_level, event.margin = battery, margin
    return _json(event)


def txack(device: Proposal, t: float, *, queue_item_id: str, f_cnt_down: int, gateway_id: str) -> bytes:
    """A `txack` event: the gateway has radiated the downlink."""
    event = integration.TxAckEvent()
    event.time.FromNanoseconds(round(t * 1e9))
    _info(event.device_info, device)
    event.queue_item_id, event.f_cnt_down, event.gateway_id = queue_item_id, f_cnt_down, gateway_id
    event.downlink_id = f_cnt_down
    return _json(event)


def ack(device: Proposal, t: float, *, queue_item_id: str, acknowledged: bool, f_cnt_down: int, unique: str) -> bytes:
    """An `ack` event: the device answered a confirmed downlink, or did not in time."""
    event = integration.AckEvent()
    _common(event, device, t, unique=unique)
    event.queue_item_id, event.acknowledged, event.f_cnt_down = queue_item_id, acknowledged, f_cnt_down
    return _json(event)


def expired(device: Proposal, t: float, *, queue_item_id: str) -> bytes:
    """A `log` event: the downlink was dropped from the queue."""
    event = integration.LogEvent()
    event.time.FromNanoseconds(round(t * 1e9))
    _info(event.device_info, device)
    event.level, event.code = integration.ERROR, integration.EXPIRED
    event.description = "Queue-item discarded, its time is over"
    event.context["queue_item_id"] = queue_item_id
    return _json(event)


def dedup_id(*parts: object) -> str:
    """A stable UUID of the frame."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))


def _common(event: Any, device: Proposal, t: float, *, unique: str) -> None:
    event.deduplication_id = unique
    event.time.FromNanoseconds(round(t * 1e9))
    _info(event.device_info, device)


def _info(info: Any, device: Proposal) -> None:
    spec = _spec(device)
    info.tenant_id, info.tenant_name = TENANT_ID, "citynet"
    info.application_id, info.application_name = spec.attributes["application_id"], "city"
    info.device_profile_name, info.device_name, info.dev_eui = spec.profile, device.key, spec.external_id
    info.device_profile_id = dedup_id("profile", spec.profile)
    info.device_class_enabled = 2 if device.cls == "lamp" else 0  # lamps listen all the time


def _spec(device: Proposal) -> DeviceSpec:
    if device.device is None:
        raise ValueError(f"{device.key} has no device")
    return device.device


def _dev_addr(device: Proposal) -> str:
    return "01" + _spec(device).external_id[-6:]


def _json(event: Any) -> bytes:
    text: str = MessageToJson(event, indent=None)
    return text.encode()
