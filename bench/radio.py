"""ChirpStack uplinks of radio stations whose profile has a codec in JavaScript; used by the benchmark `gateway`."""

import asyncio
import base64
import struct
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from bench import city as cities
from citynet.model import DeviceSpec, Proposal
from citynet.settings import Settings
from simulators.load import Message, message

APPLICATION = "6ad3b1a2-7c5f-4f7e-9d5a-3c1f0e8b2d44"
PROFILE = "air-lora"  # schemas/codecs/air-lora.js: typed blocks, Buffer, normalizeUplink
VALUES = 4
GATEWAYS = ("24e124fffef00001", "24e124fffef00002")


def names(count: int) -> list[str]:
    """DevEUIs of the stations."""
    return [f"a840410000{number:06x}" for number in range(count)]


def plant(settings: Settings, devices: Sequence[str]) -> None:
    """Register the stations."""
    asyncio.run(cities.register(settings, [_proposal(device) for device in devices]))


def _proposal(device: str) -> Proposal:
    told = {"application_id": APPLICATION}
    spec = DeviceSpec(external_id=device, protocol="chirpstack", profile=PROFILE, attributes=told)
    return Proposal(
        key=f"bench/{device}", cls="air_station", name_ru=device, name_en=device, lon=37.77, lat=44.72, device=spec
    )


def fleet(devices: Sequence[str], *, messages: int, start: datetime) -> list[Message]:
    """Uplinks, device after device, each device one a second from start."""
    made = []
    for number in range(messages):
        turn, at = divmod(number, len(devices))
        body = uplink(devices[at], turn, start + timedelta(seconds=turn))
        topic = f"application/{APPLICATION}/device/{devices[at]}/event/up"
        made.append(message(topic, msgspec.json.encode(body)))
    return made


def telegram(turn: int) -> bytes:
    """All blocks that the codec knows: temperature, humidity, PM2.5, PM10 and two particle counts."""
    values = ((1, turn % 300), (2, turn % 200), (3, turn % 900), (4, turn % 1_500), (9, turn % 5_000), (9, 7))
    return b"".join(struct.pack(">Bh", kind, value) for kind, value in values)


def uplink(device: str, turn: int, at: datetime) -> dict[str, object]:
    """An event as ChirpStack 4 writes it, heard by two gateways, with no codec in the network."""
    return {
        "deduplicationId": f"{turn:08x}-0000-4000-8000-{device[-12:]}",
        "time": at.isoformat(),
        "deviceInfo": {
            "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242",
            "tenantName": "City",
            "applicationId": APPLICATION,
            "applicationName": "air",
            "deviceProfileId": "08a1c1a4-12aa-4d1d-9f2e-6a0d1c7e55aa",
            "deviceProfileName": "Air station",
            "deviceName": f"air {device[-4:]}",
            "devEui": device,
            "deviceClassEnabled": "CLASS_A",
            "tags": {"district": "centre"},
        },
        "devAddr": device[-8:],
        "adr": True,
        "dr": 5,
        "fCnt": turn,
        "fPort": 7,
        "confirmed": False,
        "data": base64.b64encode(telegram(turn)).decode(),
        "rxInfo": [_heard(gateway, rssi, at) for gateway, rssi in zip(GATEWAYS, (-57, -103), strict=True)],
        "txInfo": {
            "frequency": 868_100_000,
            "modulation": {"lora": {"bandwidth": 125_000, "spreadingFactor": 7, "codeRate": "CR_4_5"}},
        },
        "regionConfigId": "eu868",
    }


def _heard(gateway: str, rssi: int, at: datetime) -> dict[str, object]:
    return {
        "gatewayId": gateway,
        "uplinkId": 29_021,
        "nsTime": at.isoformat(),
        "rssi": rssi,
        "snr": 9.5,
        "channel": 2,
        "rfChain": 1,
        "location": {"latitude": 44.7235, "longitude": 37.7686, "altitude": 23.0},
        "context": "7u0l3A==",
        "crcStatus": "CRC_OK",
    }
