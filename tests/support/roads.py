"""Every way into the city: a protocol by MQTT or by HTTP, what a frame of it looks like, what comes out of it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from tests.support.gateway import APPLICATION, BIN, LAMP, TTS_APPLICATION, TTS_BIN

Body = Callable[[int, datetime], Any]


class Road(NamedTuple):
    """How frames of a protocol come in: the device, what it measures, where the frames go, their form."""

    protocol: str
    device: str
    quantity: str
    body: Body
    topic: str = ""
    user: str = ""
    path: str = ""
    token_of: str = ""


def native(n: int, at: datetime) -> Any:
    return {"time": at.isoformat(), "values": {"level": n}}


def senml(n: int, at: datetime) -> Any:
    return [{"bn": f"{LAMP}:", "bt": at.timestamp(), "n": "level", "v": n}]


def chirpstack(n: int, at: datetime) -> Any:
    info = {"applicationId": APPLICATION, "devEui": BIN}
    return {"deviceInfo": info, "time": at.isoformat(), "fCnt": n, "fPort": 10, "data": "AA==", "object": {"fill": n}}


def things_stack(n: int, at: datetime) -> Any:
    ids = {"device_id": TTS_BIN, "application_ids": {"application_id": TTS_APPLICATION.split("@")[0]}}
    told = {"received_at": at.isoformat(), "f_port": 10, "frm_payload": "AA==", "decoded_payload": {"fill": n}}
    return {"end_device_ids": ids, "uplink_message": told | ({"f_cnt": n} if n else {})}


LAMP_UP: dict[str, Any] = {"protocol": "native", "device": LAMP, "quantity": "lamp_level"}
BIN_UP: dict[str, Any] = {"protocol": "chirpstack", "device": BIN, "quantity": "bin_fill", "body": chirpstack}
TTS_UP: dict[str, Any] = {"protocol": "things_stack", "device": TTS_BIN, "quantity": "bin_fill", "body": things_stack}
ROADS = {
    "native": Road(**LAMP_UP, body=native, topic=f"devices/{LAMP}/up", user="fleet"),
    "senml": Road(**LAMP_UP, body=senml, topic=f"devices/{LAMP}/up", user="fleet"),
    "chirpstack": Road(**BIN_UP, topic=f"application/{APPLICATION}/device/{BIN}/event/up", user="lorawan"),
    "things_stack": Road(**TTS_UP, topic=f"v3/{TTS_APPLICATION}/devices/{TTS_BIN}/up", user="lorawan"),
    "native by HTTP": Road(**LAMP_UP, body=native, path=f"/v1/devices/{LAMP}/up", token_of=LAMP),
    "chirpstack by HTTP": Road(**BIN_UP, path="/v1/chirpstack?event=up", token_of="chirp"),
    "things_stack by HTTP": Road(**TTS_UP, path="/v1/things-stack", token_of="tts"),
}
