"""What every peer that subscribes with paho does: sign in at its broker, say "ready", turn a message into rows."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from bench.city import KEYS, series

Row = tuple[int, datetime, float]  # series_id, time, value


@dataclass
class Script:
    """A subscriber of one connection. take gets each message; manual: it acknowledges by itself."""

    port: int
    url: str
    manual: bool = False
    persistent: bool = False

    def __post_init__(self) -> None:
        self.known = {device: dict(zip(KEYS, numbers, strict=True)) for device, numbers in series(self.url).items()}
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id="peer",
            clean_session=not self.persistent,
            manual_ack=self.manual,
        )
        self.client.username_pw_set("peer", "peer")

    def rows(self, message: mqtt.MQTTMessage) -> list[Row]:
        """The rows of a native uplink."""
        body = json.loads(message.payload)
        device = self.known[message.topic.split("/")[1]]
        return [
            (device[key], datetime.fromtimestamp(moment["time"], UTC), value)
            for moment in (body if isinstance(body, list) else [body])
            for key, value in moment["values"].items()
        ]

    def start(self, take: Callable[[mqtt.MQTTMessage], None]) -> None:
        """Connect and subscribe; the caller runs the loop."""
        self.client.on_connect = lambda client, *_: client.subscribe("devices/+/up", qos=1)
        self.client.on_message = lambda _client, _data, message: take(message)
        self.client.on_subscribe = lambda *_: print("ready", flush=True)
        self.client.connect("127.0.0.1", self.port)
