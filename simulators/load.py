"""Load generator: many devices over one raw MQTT 3.1.1 connection at QoS 1, every acknowledgement counted.

Used by the benchmarks and by the tests that kill parts under load. About 3 us of Python a message.
"""

import select
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from citynet.errors import Unavailable
from citynet.settings import Settings

WINDOW = 1000  # the broker takes 1024 unacknowledged packets a connection
KEEPALIVE_S = 60
CONNECT, CONNACK, PUBLISH_QOS1, PUBACK, PINGREQ = 0x10, 0x20, 0x32, 0x40, b"\xc0\x00"
READ_BYTES = 1 << 16
RECONNECT_S = 0.2


@dataclass(frozen=True, slots=True)
class Message:
    """A publish, ready but for its packet id, which goes between head and payload."""

    head: bytes
    payload: bytes


def length_bytes(length: int) -> bytes:
    """MQTT's variable length."""
    out = bytearray()
    while True:
        length, low = divmod(length, 128)
        out.append(low | (0x80 if length else 0))
        if not length:
            return bytes(out)


def text(value: str) -> bytes:
    """MQTT's counted UTF-8."""
    body = value.encode()
    return struct.pack(">H", len(body)) + body


def message(topic: str, payload: bytes) -> Message:
    """A QoS 1 publish."""
    name = text(topic)
    return Message(bytes([PUBLISH_QOS1]) + length_bytes(len(name) + 2 + len(payload)) + name, payload)


def telemetry(device: str, times: Sequence[float], keys: Sequence[str], *, value: float) -> Message:
    """A native uplink of one device: len(times) moments (epoch seconds) of all keys, all with one value."""
    values = ",".join(f'"{key}":{value!r}' for key in keys)
    moments = ",".join(f'{{"time":{time:.3f},"values":{{{values}}}}}' for time in times)
    return message(f"devices/{device}/up", (f"[{moments}]" if len(times) > 1 else moments).encode())


def fleet(
    devices: Sequence[str], *, messages: int, moments: int, keys: Sequence[str], start: datetime
) -> list[Message]:
    """messages uplinks, device after device, each device a moment a second from start; no key occurs twice."""
    made = []
    for number in range(messages):
        turn, device = divmod(number, len(devices))
        first = start.timestamp() + turn * moments
        made.append(telemetry(devices[device], [first + n for n in range(moments)], keys, value=float(turn % 50)))
    return made


@dataclass
class Load:
    """Publishes messages in order and again after a broken connection until each is acknowledged."""

    settings: Settings
    messages: Sequence[Message]
    client_id: str = "load"
    user: str = "fleet"  # or lorawan, for a network server
    rate_s: float = 0.0  # messages a second, 0 = as fast as it goes
    ports: Sequence[int] = ()  # of the nodes of a cluster: after a broken connection the next one
    acked: bytearray = field(init=False)
    acked_count: int = 0
    reconnects: int = 0
    gap_s: float = 0.0  # longest time without an acknowledgement
    _flying: dict[int, int] = field(init=False, default_factory=dict)
    _free: list[int] = field(init=False, default_factory=lambda: list(range(1, WINDOW + 1)))
    _again: list[int] = field(init=False, default_factory=list)
    _next: int = field(init=False, default=0)
    _rest: bytes = field(init=False, default=b"")
    _heard: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.acked = bytearray(len(self.messages))

    def run(self, *, limit_s: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Publish until all is acknowledged or stop() is true. Raises Unavailable after limit_s."""
        began = time.monotonic()
        while self.acked_count < len(self.messages) and not stop():
            if time.monotonic() - began > limit_s:
                raise Unavailable(
                    f"{self.acked_count} of {len(self.messages)} messages acknowledged in {limit_s:.0f} s"
                )
            try:
                with self._connected() as connection:
                    self._publish(connection, until=began + limit_s, stop=stop)
            except OSError:
                self.reconnects += 1
                time.sleep(RECONNECT_S)

    def _connected(self) -> socket.socket:
        ports = self.ports or [self.settings.mqtt_port]
        connection = socket.create_connection(("127.0.0.1", ports[self.reconnects % len(ports)]), timeout=5)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        variable = text("MQTT") + bytes([4, 0xC2]) + struct.pack(">H", KEEPALIVE_S)
        body = variable + text(self.client_id) + text(self.user) + text(self.settings.secret(f"nats_{self.user}"))
        try:
            connection.sendall(bytes([CONNECT]) + length_bytes(len(body)) + body)
            answer = connection.recv(4)
        except OSError:
            connection.close()
            raise
        if len(answer) < 4 or answer[0] != CONNACK or answer[3]:
            connection.close()
            raise ConnectionError(f"the broker refused the load generator: {answer!r}")
        # What flew when the old connection broke is unknown to us: it goes again, first.
        self._again = sorted(self._flying.values()) + self._again
        self._flying.clear()
        self._free, self._rest = list(range(1, WINDOW + 1)), b""
        return connection

    def _publish(self, connection: socket.socket, *, until: float, stop: Callable[[], bool]) -> None:
        began, pinged, before = time.monotonic(), time.monotonic(), self._next
        while self.acked_count < len(self.messages) and not stop():
            now = time.monotonic()
            if now > until:
                return
            allowed = WINDOW if not self.rate_s else int((now - began) * self.rate_s) - (self._next - before)
            packets = self._packets(max(0, allowed))
            if packets:
                connection.sendall(packets)
            if now - pinged > KEEPALIVE_S / 3:
                connection.sendall(PINGREQ)
                pinged = now
            if select.select([connection], [], [], 0.01)[0]:
                self._take(connection.recv(READ_BYTES))

    def _packets(self, allowed: int) -> bytes:
        out: list[bytes] = []
        while self._free and allowed > 0:
            if self._again:
                number = self._again.pop(0)
            elif self._next < len(self.messages):
                number, self._next = self._next, self._next + 1
            else:
                break
            packet_id = self._free.pop()
            self._flying[packet_id] = number
            ready = self.messages[number]
            out += (ready.head, packet_id.to_bytes(2, "big"), ready.payload)
            allowed -= 1
        return b"".join(out)

    def _take(self, data: bytes) -> None:
        if not data:
            raise ConnectionError("the broker closed the connection")
        data = self._rest + data
        end = 0
        while len(data) - end >= 2:
            size = 2 + data[end + 1]  # all that a publisher receives is short
            if len(data) - end < size:
                break
            if data[end] == PUBACK:
                self._acknowledged(int.from_bytes(data[end + 2 : end + 4], "big"))
            end += size
        self._rest = data[end:]

    def _acknowledged(self, packet_id: int) -> None:
        number = self._flying.pop(packet_id)
        self._free.append(packet_id)
        now = time.monotonic()
        self.gap_s, self._heard = max(self.gap_s, now - (self._heard or now)), now
        self.acked_count += not self.acked[number]
        self.acked[number] = 1
