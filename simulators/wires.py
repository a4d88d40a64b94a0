"""Who speaks over which connection: every MQTT device for itself, with the token it was made with."""

import asyncio
import base64
import hashlib
import hmac
import resource
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog

from citynet.catalog import catalog
from citynet.credentials import client_id
from citynet.model import DeviceSpec, Proposal
from citynet.settings import Settings
from simulators.ledger import Ledger
from simulators.mqtt import Caller, Line, Message

log = structlog.get_logger()
SIGN_INS_S = 200.0  # devices that are switched on in a second
OUTSTANDING_MAX = 20_000
TELL_EVERY_S = 10.0
FILES_FOR_OTHERS = 256
RADIO_TOPIC = "application/+/device/+/command/down"


def token(settings: Settings, external_id: str) -> str:
    """The token that a simulated device was made with: drawn from one secret of the home, so that none is kept."""
    drawn = hmac.new(settings.secret("simulated_devices").encode(), external_id.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(drawn.digest()).rstrip(b"=").decode()


def signs_in(device: DeviceSpec | None) -> bool:
    """Whether a device comes to the broker itself; others come through their network server."""
    return device is not None and device.protocol == "native"


@dataclass
class Wires:
    """All connections of the field: one for each MQTT device, one network server for all LoRaWAN devices.

    What has no token of its own goes over the shared user: the past of radio devices, and recorded messages of
    whoever it was.
    """

    own: dict[str, Line]
    shared: Line
    radio: Line
    _telling: asyncio.Task[None] | None = field(init=False, default=None)

    @property
    def all(self) -> list[Line]:
        """Every connection."""
        return [*self.own.values(), self.shared, self.radio]

    def of(self, external_id: str) -> Line:
        """The connection that a device speaks through."""
        return self.own.get(external_id, self.shared)

    @property
    def outstanding(self) -> int:
        """Messages that the broker has not acknowledged yet."""
        return sum(line.outstanding for line in self.all)

    def gauges(self) -> dict[str, float]:
        """What the pipeline page shows of them."""
        lines = self.all
        return {
            "unacknowledged": self.outstanding,
            "signed_in": sum(line.connected for line in lines),
            "refused": sum(line.refused for line in lines),
        }

    async def room(self, most: int = OUTSTANDING_MAX) -> None:
        """Waits while more than that many messages are unacknowledged. Who is refused is not waited for."""
        while self._expected > most:  # noqa: ASYNC110 - emptied by the broker
            await asyncio.sleep(0.02)

    @property
    def _expected(self) -> int:
        return sum(line.outstanding for line in self.all if not line.refused)

    async def drain(self, limit_s: float) -> bool:
        """Waits for every acknowledgement; False when some did not come. Who is refused is not waited for."""
        for _ in range(int(limit_s / 0.02)):
            if not self._expected:
                break
            await asyncio.sleep(0.02)
        return not self.outstanding

    def start(self) -> None:
        """Connects the network server, and the devices one after another; the shared user comes when it is needed."""
        self.radio.start()
        for number, line in enumerate(self.own.values()):
            line.start(after_s=number / SIGN_INS_S)
        self._telling = asyncio.create_task(self._tell())

    def stop(self) -> None:
        """Disconnects all."""
        if self._telling:
            self._telling.cancel()
        for line in self.all:
            line.stop()

    async def _tell(self) -> None:
        """Names those that the broker refuses whenever they are more: without its service that may be hundreds."""
        told = 0
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            refused = [name for name, line in self.own.items() if line.refused]
            if len(refused) > told:
                log.warning("broker refuses devices", devices=len(refused), some=refused[:3])
            told = len(refused)


def connect(
    settings: Settings,
    prefix: str,
    *,
    devices: Iterable[Proposal],
    ledger: Ledger,
    on_message: Message | None = None,
) -> Wires:
    """Connections of the field, not started yet. With on_message they also take what is sent down."""

    def line(caller: Caller) -> Line:
        return Line(settings, caller, on_acked=ledger.acked, on_message=on_message)

    def shared(user: str, topic: str = "") -> Line:
        return line(Caller(user, settings.secret(f"nats_{user}"), f"{prefix}-{user}", topic if on_message else ""))

    own: dict[str, Line] = {}
    for spec in (proposal.device for proposal in devices):
        if spec is not None and signs_in(spec):
            profile = catalog().profiles.get(spec.profile)
            name = spec.external_id
            topic = f"devices/{name}/down/#" if on_message and profile and profile.command else ""
            own[name] = line(Caller(name, token(settings, name), client_id(name), topic))
    _allow_files(len(own) + FILES_FOR_OTHERS)
    return Wires(own, shared("fleet"), shared("lorawan", RADIO_TOPIC))


def _allow_files(wanted: int) -> None:
    """A connection is an open file, and many systems allow a process 1024 unless it asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
