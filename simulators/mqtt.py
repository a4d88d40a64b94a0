"""One MQTT connection of the simulated field: QoS 1, every PUBACK tracked, unacknowledged messages sent again."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion

from citynet.settings import Settings

log = structlog.get_logger()
IN_FLIGHT = 1000  # the broker takes 1024 unacknowledged packets a connection
KEEPALIVE_S, LOOK_EVERY_S = 30, 5.0
CONNECT_S = 2.0
# A broker that comes back is not met by all at once, and one that stays away is not asked all the time.
AGAIN_S, AGAIN_S_MAX = 4.0, 30.0
Message = Callable[[str, bytes], None]
Acked = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Caller:
    """As whom a connection signs in. With a topic to listen to, its session waits for it at the broker."""

    user: str
    password: str = field(repr=False)
    client_id: str
    topic: str = ""


class Line:
    """A connection driven by the running event loop: hundreds of devices could not afford a thread each."""

    def __init__(self, settings: Settings, caller: Caller, *, on_acked: Acked, on_message: Message | None = None):
        self._caller, self._on_acked, self._on_message = caller, on_acked, on_message
        self._loop = asyncio.get_running_loop()
        self._pending: dict[int, Any] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures = 0
        self._wanted = self.connected = self.refused = False
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=caller.client_id, clean_session=not caller.topic)
        client.username_pw_set(caller.user, caller.password)
        client.max_inflight_messages_set(IN_FLIGHT)
        client.max_queued_messages_set(0)
        client.connect_timeout = CONNECT_S
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_publish, client.on_message = self._published, self._arrived
        client.on_subscribe = self._subscribed
        client.on_socket_open, client.on_socket_close = self._opened, self._closed
        client.on_socket_register_write, client.on_socket_unregister_write = self._writes, self._wrote
        host = "127.0.0.1" if settings.mqtt_host == "0.0.0.0" else settings.mqtt_host  # noqa: S104
        client.connect_async(host, settings.mqtt_port, keepalive=KEEPALIVE_S)
        self._client = client

    def start(self, after_s: float = 0.0) -> None:
        """Connects after a while and keeps trying."""
        self._wanted = True
        self._later("connect", after_s, self._connect)

    def publish(self, topic: str, payload: bytes, note: Any) -> None:
        """Sends at QoS 1, now or once connected; on_acked(note) follows when the broker has stored it."""
        self._pending[self._client.publish(topic, payload, qos=1).mid] = note
        if not self._wanted:
            self.start()

    @property
    def outstanding(self) -> int:
        """Messages that the broker has not acknowledged yet."""
        return len(self._pending)

    def stop(self) -> None:
        """Disconnects; what is unacknowledged stays so."""
        for timer in self._timers.values():
            timer.cancel()
        self._wanted = self.connected = False
        self._client.disconnect()
        self._client.loop_write()
        if left := self._client.socket():
            self._closed(self._client, None, left)
            left.close()

    def _later(self, what: str, after_s: float, call: Callable[[], None]) -> None:
        self._timers[what] = self._loop.call_later(after_s, call)

    def _connect(self) -> None:
        try:
            # Waits for a moment at most: the broker of a simulated city is near.
            self._client.reconnect()
        except OSError:
            self._again()
        else:
            self._later("look", LOOK_EVERY_S, self._look)

    def _again(self) -> None:
        pause_s = min(AGAIN_S * 2**self._failures, AGAIN_S_MAX)
        self._failures = min(self._failures + 1, 10)
        self._later("connect", random.uniform(0.25, 1.0) * pause_s, self._connect)

    def _look(self) -> None:
        """Keep-alive and its time-out are paho's; somebody has to ask for them."""
        self._client.loop_misc()
        if self._client.socket():
            self._later("look", LOOK_EVERY_S, self._look)

    # ---------------------------------------------------------------- called by paho, in this loop

    def _connected(self, client: paho.Client, _: Any, __: Any, reason: Any, ___: Any) -> None:
        if reason.is_failure:
            self.refused = True
            return
        self.refused, self._failures = False, 0
        if self._caller.topic:
            client.subscribe(self._caller.topic, qos=1)
        else:
            self.connected = True

    def _subscribed(self, *_: Any) -> None:
        self.connected = True

    def _disconnected(self, *_: Any) -> None:
        self.connected = False
        if self._wanted:
            self._again()

    def _published(self, _: paho.Client, __: Any, mid: int, ___: Any, ____: Any) -> None:
        self._on_acked(self._pending.pop(mid))

    def _arrived(self, _: paho.Client, __: Any, message: paho.MQTTMessage) -> None:
        if self._on_message is None:
            return
        try:
            self._on_message(message.topic, bytes(message.payload))
        except Exception:  # an error here would go through paho and end the reading of this connection
            log.exception("message not understood", topic=message.topic)

    def _opened(self, client: paho.Client, _: Any, sock: Any) -> None:
        self._loop.add_reader(sock, client.loop_read)

    def _closed(self, _: paho.Client, __: Any, sock: Any) -> None:
        self._loop.remove_reader(sock)
        self._loop.remove_writer(sock)

    def _writes(self, client: paho.Client, _: Any, sock: Any) -> None:
        self._loop.add_writer(sock, client.loop_write)

    def _wrote(self, _: paho.Client, __: Any, sock: Any) -> None:
        self._loop.remove_writer(sock)
