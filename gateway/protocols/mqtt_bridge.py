"""`citynet run bridge`: carries topics of LoRaWAN networks between an outside MQTT broker and ours, both ways.

A message is acknowledged where it came from only when the other broker has acknowledged it."""

import asyncio
import ssl
import threading
import time
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion

from citynet.broker_config import THINGS_STACK_EVENTS
from citynet.errors import ConfigError
from citynet.part import Part
from citynet.settings import Settings

log = structlog.get_logger()
# Asked for at QoS 1; The Things Stack speaks QoS 0 only and grants that.
UP = ["application/+/device/+/event/+", *(f"v3/+/devices/+/{event.replace('.', '/')}" for event in THINGS_STACK_EVENTS)]
DOWN = ["application/+/device/+/command/down", "v3/+/devices/+/down/push", "v3/+/devices/+/down/replace"]
IN_FLIGHT = 200


class Side:
    """A persistent session on one broker. Callbacks run in paho's thread, which reconnects by itself."""

    def __init__(self, url: str, name: str, topics: list[str]) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ConfigError(
                f"CITYNET_BRIDGE_URL must look like mqtt://user:password@host:1883, not {parts.scheme}:.."
            )
        self.name, self._topics = name, topics
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id="citynet-bridge", clean_session=False, manual_ack=True
        )
        # An error in a callback would end paho's thread while the process lives on; so it is logged and the message,
        # which stays unacknowledged, comes again.
        self.client.suppress_exceptions = True
        self.client.enable_logger()
        self.client.max_inflight_messages_set(IN_FLIGHT)
        self.client.reconnect_delay_set(1, 8)
        if parts.username:
            self.client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self.client.tls_set_context(ssl.create_default_context())
        self.client.on_connect = self._connected
        port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        self.client.connect_async(parts.hostname, port, keepalive=30)

    def _connected(self, client: paho.Client, *told: Any) -> None:
        _, _, reason, _ = told
        if reason.is_failure:
            log.warning("broker refused the bridge", side=self.name, reason=str(reason))
        else:
            log.info("connected", side=self.name)
            for topic in self._topics:  # one by one: a broker refuses those of another network
                client.subscribe(topic, qos=1)


class Carrier:
    """Messages of one side to the other. What the other side has not acknowledged stays unacknowledged here."""

    def __init__(self, source: Side, target: Side) -> None:
        self._source, self._target = source.client, target.client
        self._pending: dict[int, tuple[int, int]] = {}
        self._early: set[int] = set()
        self._lock = threading.Lock()
        self.carried = 0
        self.last = time.monotonic()
        self._source.on_message = self._arrived
        self._target.on_publish = self._stored

    def _arrived(self, _: paho.Client, __: Any, message: paho.MQTTMessage) -> None:
        if message.retain:
            self._source.ack(message.mid, message.qos)  # old news that a broker keeps for newcomers
            return
        mid = self._target.publish(message.topic, message.payload, qos=1).mid
        origin = (message.mid, message.qos)
        # Not held while publishing: paho calls _stored with its own lock in hand.
        with self._lock:
            if mid not in self._early:
                self._pending[mid] = origin
                return
            self._early.discard(mid)
        self._done(origin)

    def _stored(self, _: paho.Client, __: Any, mid: int, *___: Any) -> None:
        with self._lock:
            origin = self._pending.pop(mid, None)
            if origin is None:
                self._early.add(mid)  # the answer was faster than the thread that asked
                return
        self._done(origin)

    def _done(self, origin: tuple[int, int]) -> None:
        self._source.ack(*origin)
        self.carried += 1
        self.last = time.monotonic()

    @property
    def waiting(self) -> int:
        """Messages that the other side has not acknowledged yet."""
        return len(self._pending)


def inside_url(settings: Settings) -> str:
    """Our own broker, as the network server's user."""
    host = "127.0.0.1" if settings.mqtt_host == "0.0.0.0" else settings.mqtt_host  # noqa: S104
    return f"mqtt://lorawan:{settings.secret('nats_lorawan')}@{host}:{settings.mqtt_port}"


async def run(part: Part) -> None:
    """Carry until the part stops. Raises ConfigError without CITYNET_BRIDGE_URL."""
    url = part.settings.bridge_url.get_secret_value()
    if not url:
        raise ConfigError("no outside broker: set CITYNET_BRIDGE_URL, for example mqtt://user:password@host:1883")
    outside, inside = Side(url, "outside", UP), Side(inside_url(part.settings), "inside", DOWN)
    carriers = {"up": Carrier(outside, inside), "down": Carrier(inside, outside)}
    for side in (outside, inside):
        side.client.loop_start()
    try:
        while not part.stopping.is_set():
            for name, carrier in carriers.items():
                part.counters[f"carried_{name}"] = carrier.carried
                part.gauges[f"waiting_{name}"] = carrier.waiting
                part.gauges[f"silent_{name}_s"] = round(time.monotonic() - carrier.last)
            for side in (outside, inside):
                part.gauges[f"connected_{side.name}"] = float(side.client.is_connected())
            await asyncio.sleep(0.2)
    finally:
        for side in (outside, inside):
            side.client.disconnect()
            side.client.loop_stop()
