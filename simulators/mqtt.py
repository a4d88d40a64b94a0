"""MQTT clients of the simulated field: QoS 1, every PUBACK tracked, unacknowledged messages sent again."""

import asyncio
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion

from citynet.settings import Settings

log = structlog.get_logger()
IN_FLIGHT = 1000  # the broker takes 1024 unacknowledged packets a connection
OUTSTANDING_LIMIT = 20_000
Message = Callable[[str, bytes], None]
Acked = Callable[[Any], None]


class Concentrator:
    """One MQTT connection that speaks for many devices. Callbacks run in its network thread."""

    def __init__(
        self,
        settings: Settings,
        user: str,
        name: str,
        *,
        on_acked: Acked,
        topic: str = "",
        on_message: Message | None = None,
    ) -> None:
        self._name, self._topic = name, topic
        self._on_acked, self._on_message = on_acked, on_message
        self._pending: dict[int, Any] = {}
        self._early: set[int] = set()
        self.acked = 0
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        client.username_pw_set(user, settings.secret(f"nats_{user}"))
        client.max_inflight_messages_set(IN_FLIGHT)
        client.max_queued_messages_set(0)
        client.reconnect_delay_set(1, 4)
        client.on_connect, client.on_publish, client.on_message = self._connected, self._published, self._arrived
        host = "127.0.0.1" if settings.mqtt_host == "0.0.0.0" else settings.mqtt_host  # noqa: S104
        client.connect_async(host, settings.mqtt_port, keepalive=30)
        self._client = client

    def start(self) -> None:
        """Connects in the background and keeps trying."""
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes, note: Any) -> None:
        """Sends at QoS 1; on_acked(note) follows when the broker has stored it."""
        mid = self._client.publish(topic, payload, qos=1).mid
        self._pending[mid] = note
        if mid in self._early:  # the answer was faster than this thread
            self._early.discard(mid)
            self._done(self._pending.pop(mid, note))

    @property
    def outstanding(self) -> int:
        """Messages that the broker has not acknowledged yet."""
        return len(self._pending)

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self._client.is_connected()

    async def room(self) -> None:
        """Waits while too much is unacknowledged."""
        while self.outstanding > OUTSTANDING_LIMIT:  # noqa: ASYNC110 - emptied by paho's thread
            await asyncio.sleep(0.02)

    async def drain(self, limit_s: float) -> bool:
        """Waits until everything is acknowledged; False if that took longer than limit_s."""
        for _ in range(int(limit_s / 0.02)):
            if not self.outstanding:
                return True
            await asyncio.sleep(0.02)
        return False

    def stop(self) -> None:
        """Disconnects; what is unacknowledged stays so."""
        self._client.disconnect()
        self._client.loop_stop()
        # paho closes the pair of sockets that wakes its thread only when the client is collected, with a warning.
        self._client._reset_sockets(sockpair_only=True)

    def _connected(self, client: paho.Client, _: Any, __: Any, reason: Any, ___: Any) -> None:
        if reason.is_failure:
            log.warning("broker refused the simulator", client=self._name, reason=str(reason))
        elif self._topic:
            client.subscribe(self._topic, qos=1)

    def _published(self, _: paho.Client, __: Any, mid: int, ___: Any, ____: Any) -> None:
        if mid in self._pending:
            self._done(self._pending.pop(mid))
        else:
            self._early.add(mid)

    def _done(self, note: Any) -> None:
        self.acked += 1
        self._on_acked(note)

    def _arrived(self, _: paho.Client, __: Any, message: paho.MQTTMessage) -> None:
        if self._on_message is None:
            return
        try:
            self._on_message(message.topic, bytes(message.payload))
        except Exception:  # an error here would end paho's network thread without a word
            log.exception("message not understood", topic=message.topic)
