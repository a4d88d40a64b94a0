"""A persistent session on one broker, MQTT 3.1.1 or 5; reconnects by itself and acknowledges only when told."""

import threading
import time
from typing import Any

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.bridge.ends import End

log = structlog.get_logger()
RECONNECT_S = (1, 8)
JOIN_S = 2.0


class Session:
    """The client of one end. Callbacks run in its own thread; alive() tells whether that is still there."""

    def __init__(self, name: str, end: End) -> None:
        self.name, self.end = name, end
        self.connection = 0  # counts up with each: a message of an earlier one comes again
        self.failures = 0  # connections and subscriptions that came to nothing
        self.ready = threading.Event()
        self.client = self._client()
        self._thread = threading.Thread(target=self._loop, name=f"bridge-{name}-{end.side}", daemon=True)

    def _client(self) -> paho.Client:
        end, five = self.end, self.end.version == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=end.client_id,
            clean_session=None if five else False,
            protocol=paho.MQTTv5 if five else paho.MQTTv311,
            manual_ack=True,
        )
        client.suppress_exceptions = True  # an error in a callback must not end the thread
        client.enable_logger()
        client.max_inflight_messages_set(end.in_flight)
        client.reconnect_delay_set(*RECONNECT_S)
        if end.user:
            client.username_pw_set(end.user, end.password.get_secret_value())
        if end.tls:
            client.tls_set_context(end.tls)
        client.on_connect, client.on_subscribe = self._connected, self._subscribed
        client.on_disconnect, client.on_connect_fail = self._disconnected, self._failed
        return client

    def start(self) -> None:
        """Connect, again and again until it works."""
        end = self.end
        more: dict[str, Any] = {}
        if end.version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = end.session_expiry_s
            properties.ReceiveMaximum = end.in_flight
            more = {"clean_start": False, "properties": properties}
        self.client.connect_async(end.host, end.port, keepalive=end.keepalive_s, **more)
        self._thread.start()

    def _loop(self) -> None:
        self.client.loop_forever(retry_first_connection=True)

    def _connected(self, client: paho.Client, *told: Any) -> None:
        reason = told[2]
        if reason.is_failure:
            self.failures += 1
            log.warning("broker refused the bridge", bridge=self.name, side=self.end.side, reason=str(reason))
            return
        self.connection += 1
        log.info("connected", bridge=self.name, side=self.end.side, host=self.end.host, port=self.end.port)
        if self.end.filters:
            client.subscribe([self._wish(one) for one in self.end.filters])
        else:
            self.ready.set()

    def _wish(self, topic_filter: str) -> Any:
        if self.end.version != "5":
            return topic_filter, 1
        # Our own messages must not come back; a shared subscription may not ask for that.
        own = not topic_filter.startswith("$share/")
        return topic_filter, SubscribeOptions(qos=1, noLocal=own, retainHandling=2)

    def _subscribed(self, *told: Any) -> None:
        reasons = told[3]
        refused = [one for one, reason in zip(self.end.filters, reasons, strict=False) if reason.is_failure]
        if refused:
            self.failures += 1
            log.warning("broker refused a subscription", bridge=self.name, side=self.end.side, filters=refused)
        if len(refused) < len(self.end.filters):
            self.ready.set()

    def _disconnected(self, *_: Any) -> None:
        if not self.ready.is_set():
            self.failures += 1  # such as a certificate that the broker does not like
        self.ready.clear()

    def _failed(self, *_: Any) -> None:
        self.failures += 1

    def alive(self) -> bool:
        """Whether the thread that reads the broker still runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End the connection; the session stays on the broker."""
        self.ready.clear()
        self.client.disconnect()
        until = time.monotonic() + JOIN_S
        while self._thread.is_alive() and time.monotonic() < until:
            self._thread.join(0.1)
