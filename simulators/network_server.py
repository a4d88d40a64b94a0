"""A simulated LoRaWAN network server: events of its devices, and downlinks with txack, ack and expiry."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from zlib import crc32

import msgspec
import numpy as np

from citynet.errors import BadInput
from citynet.model import Proposal
from gateway.devices import codecs
from simulators import chirpstack
from simulators.chirpstack import Heard
from simulators.ledger import Note
from simulators.mqtt import Line
from simulators.physics.city import City

NEAR_DBM, NOISE_DBM, METRES_PER_DEGREE = -72.0, -117.0, 111_195.0
SNR_NEEDED_DB = -7.5  # of spreading factor 7, which all simulated devices use
TXACK_S, ACK_S, ACK_TIMEOUT_S = 0.5, 1.5, 6.0
Later = Callable[[float, Callable[[float], None]], None]


class Downlink(msgspec.Struct, rename="camel"):
    """A message on .../command/down."""

    id: str = ""
    dev_eui: str = ""
    confirmed: bool = False
    f_port: int = 0
    data: bytes = b""
    expires_at: datetime | None = None  # wall time, as a real network server counts it


class NetworkServer:
    """later(delay_s, call) runs call(city time) after a delay in city seconds."""

    def __init__(self, city: City, wire: Line, later: Later) -> None:
        self._city, self._wire, self._later = city, wire, later
        self._rng = np.random.default_rng([city.world.seed, 71])
        self.f_cnt: Counter[str] = Counter()
        self._f_cnt_down: Counter[str] = Counter()
        self._rssi: dict[tuple[str, str], int] = {}
        self._masts = {p.device.external_id: p for p in city.gateways.devices if p.device}

    def joins(self, t: float) -> None:
        """Every device joins the network once, when the city is first switched on."""
        for device in self._devices():
            unique = chirpstack.dedup_id("join", device.key, t)
            self._send(device, "join", chirpstack.join(device, t, unique=unique))

    def uplink(self, device: Proposal, t: float, values: dict[str, float], *, note: Note) -> None:
        """Publishes one frame as heard by all working gateways in range."""
        heard = self._heard(device)
        self.f_cnt[device.key] += 1 + self._unheard(heard)
        count = self.f_cnt[device.key]
        unique = chirpstack.dedup_id(device.key, count, t)
        body = chirpstack.uplink(device, t, values, f_cnt=count, heard=heard, unique=unique)
        self._send(device, "up", body, note=note)
        if count % 288 == 1:  # about once a day, as a device status request would bring
            battery = values.get("battery", 100.0)
            body = chirpstack.status(device, t, battery=battery, margin=round(self._rng.uniform(6, 18)), unique=unique)
            self._send(device, "status", body)

    def downlink(self, topic: str, payload: bytes) -> None:
        """Takes .../command/down: radiate, wait for the device, tell what came of it."""
        dev_eui = topic.split("/")[3]
        found = self._city.wire_id.get(dev_eui)
        if found is None:
            return
        command = msgspec.json.decode(payload, type=Downlink)
        device = self._city.kinds[found[0]].devices[found[1]]
        self._later(TXACK_S, lambda t: self._radiate(device, command, t))

    def _radiate(self, device: Proposal, command: Downlink, t: float) -> None:
        up = self._gateways_up(device)
        late = command.expires_at is not None and datetime.now(UTC) > command.expires_at
        if late or not up:
            self._send(device, "log", chirpstack.expired(device, t, queue_item_id=command.id))
            return
        self._f_cnt_down[device.key] += 1
        count = self._f_cnt_down[device.key]
        body = chirpstack.txack(device, t, queue_item_id=command.id, f_cnt_down=count, gateway_id=up[0])
        self._send(device, "txack", body)
        self._later(ACK_S - TXACK_S, lambda later: self._deliver(device, command, count, t=later))

    def _deliver(self, device: Proposal, command: Downlink, count: int, *, t: float) -> None:
        kind = self._city.kinds[device.cls]
        codec = codecs()[device.device.profile] if device.device else None
        if codec is None or codec.read is None:
            return
        try:
            action, args = codec.read(command.data, command.f_port)
        except BadInput:
            return  # a device is silent about bytes that it does not understand
        answer = kind.answer(kind.row[device.key], action, args, t=t)
        if not command.confirmed:
            return
        if answer is None:
            wait = ACK_TIMEOUT_S - ACK_S
            self._later(wait, lambda later: self._ack(device, command, count, answered=False, t=later))
        else:
            self._ack(device, command, count, answered=True, t=t)

    def _ack(self, device: Proposal, command: Downlink, count: int, *, answered: bool, t: float) -> None:
        unique = chirpstack.dedup_id("ack", command.id, count)
        body = chirpstack.ack(
            device, t, queue_item_id=command.id, acknowledged=answered, f_cnt_down=count, unique=unique
        )
        self._send(device, "ack", body)

    def _heard(self, device: Proposal) -> list[Heard]:
        views = []
        for gateway in self._gateways_up(device):
            rssi = self._rssi_dbm(device, gateway) + round(float(self._rng.normal(0, 2)))
            views.append(Heard(gateway, rssi, round(min(10.0, rssi - NOISE_DBM), 1)))
        return views

    def _rssi_dbm(self, device: Proposal, gateway: str) -> int:
        """By distance, and by what stands between: an offset of its own for each device."""
        if (device.key, gateway) not in self._rssi:
            mast = self._masts[gateway]
            east = ((device.lon or 0.0) - (mast.lon or 0.0)) * np.cos(np.radians(mast.lat or 0.0))
            away_m = METRES_PER_DEGREE * float(np.hypot(east, (device.lat or 0.0) - (mast.lat or 0.0)))
            shadow = float(np.random.default_rng(crc32(f"{device.key}{gateway}".encode())).normal(0, 4))
            self._rssi[device.key, gateway] = round(NEAR_DBM - 35.0 * np.log10(max(away_m, 30.0) / 100.0) + shadow)
        return self._rssi[device.key, gateway]

    def _unheard(self, heard: list[Heard]) -> int:
        """Frames before this one that nobody heard: seldom, and more where the best signal is weak."""
        margin = max((view.snr_db for view in heard), default=0.0) - SNR_NEEDED_DB
        chance = 0.004 + 0.2 / (1.0 + np.exp(margin))
        return int(self._rng.uniform() < chance)

    def _gateways_up(self, device: Proposal) -> list[str]:
        rows = self._city.gateways
        up = {p.device.external_id for p, ok in zip(rows.devices, rows.up, strict=True) if ok and p.device}
        wanted = device.device.attributes["gateways"] if device.device else []
        return [gateway for gateway in wanted if gateway in up]

    def _devices(self) -> list[Proposal]:
        kinds = (self._city.bins, self._city.lamps)
        return [p for kind in kinds for p in kind.devices if p.device and p.device.protocol == "chirpstack"]

    def _send(self, device: Proposal, event: str, body: bytes, *, note: Note | None = None) -> None:
        if device.device:
            application = device.device.attributes["application_id"]
            self._wire.publish(chirpstack.topic(application, device.device.external_id, event), body, note)
