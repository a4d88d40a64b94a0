"""The living fleet: reports what is due, answers commands, plants faults. The clock and the wires are given."""

import asyncio
import heapq
import itertools
from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import structlog

from citynet.clock import Clock
from citynet.model import Proposal
from citynet.settings import Settings
from simulators.faults import FaultLine
from simulators.ledger import Ledger, Note
from simulators.network_server import NetworkServer
from simulators.physics.city import City
from simulators.physics.kind import Answer, Args, Kind
from simulators.physics.rhythm import Array
from simulators.wires import connect

log = structlog.get_logger()
TICK_S = 0.1
RESPONSE_S = 1.0  # city seconds from a command to the device's answer
REMEMBERED_COMMANDS = 2_000
REPORTS_HELD = 20  # what a device without a connection keeps for later; then it forgets


class Order(msgspec.Struct):
    """What arrives on devices/<id>/down/command."""

    command_id: str
    action: str
    args: Args = msgspec.field(default_factory=dict)
    deadline: str | float | None = None


class Fleet:
    """All devices of the city on their wires; recorded ones have theirs too, and are played by others."""

    def __init__(
        self,
        settings: Settings,
        city: City,
        clock: Clock,
        *,
        line: FaultLine | None,
        ledger: Ledger,
        recorded: Sequence[Proposal] = (),
    ) -> None:
        self.city, self.clock, self.ledger, self._line = city, clock, ledger, line
        self._plans: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = itertools.count()
        self._answered: OrderedDict[str, Answer | None] = OrderedDict()
        self._due: dict[str, Array] = {}
        self._last_second: dict[str, int] = {}
        devices = [*(device for kind in city.kinds.values() for device in kind.devices), *recorded]
        self.wires = connect(settings, "citynet", devices=devices, ledger=ledger, on_message=self._take)
        self.radio = NetworkServer(city, self.wires.radio, self._later)
        self._start_rhythm(self._now())

    def set_clock(self, clock: Clock, line: FaultLine | None) -> None:
        """Lives on by another clock, with a new time line of faults."""
        self.clock, self._line = clock, line
        self._start_rhythm(self._now())

    def _now(self) -> float:
        return self.clock.now().timestamp()

    def _later(self, delay_s: float, call: Callable[[float], None]) -> None:
        heapq.heappush(self._plans, (self._now() + delay_s, next(self._order), call))

    def _start_rhythm(self, t: float) -> None:
        for cls, kind in self.city.kinds.items():
            missed = np.ceil((t - kind.offset_s) / kind.interval_s)
            self._due[cls] = missed * kind.interval_s + kind.offset_s

    # ---------------------------------------------------------------- reports

    async def run(self, stopping: asyncio.Event) -> None:
        """Ticks until stopping is set; the wires must have been started."""
        while not stopping.is_set():
            await self.wires.room()
            self.tick(self._now())
            await asyncio.sleep(TICK_S)

    def tick(self, t: float) -> None:
        """Everything that is due at city time t."""
        for fault in self._line.apply(self.city, t) if self._line else ():
            log.info("fault planted", kind=fault.kind, object=fault.key)
        while self._plans and self._plans[0][0] <= t:
            heapq.heappop(self._plans)[2](t)
        for cls, kind in self.city.kinds.items():
            self._report(cls, kind, t)

    def _report(self, cls: str, kind: Kind, t: float) -> None:
        due = self._due[cls]
        rows = np.flatnonzero(due <= t)
        at_once = kind.urgent(t)
        if not len(rows) and not len(at_once):
            return
        values = {key: np.round(column, kind.digits) for key, column in kind.now(t).items()}
        alive = kind.alive(t)
        for row in rows:
            # After a pause only the newest report is made up for.
            missed = np.floor((t - due[row]) / kind.interval_s)
            if alive[row]:
                self._publish(kind.devices[row], int(due[row] + missed * kind.interval_s), columns=values, row=int(row))
            due[row] += (missed + 1) * kind.interval_s
        for row in at_once:
            self._publish(kind.devices[row], int(t), columns=values, row=int(row))

    def _publish(self, device: Proposal, second: int, *, columns: dict[str, Array], row: int) -> None:
        spec = device.device
        if spec is None:
            return
        second = max(second, self._last_second.get(spec.external_id, 0) + 1)
        self._last_second[spec.external_id] = second
        values = {key: float(column[row]) for key, column in columns.items()}
        note = Note(spec.external_id, (second * 1_000_000,), tuple(values), sample=tuple(values.values()))
        if spec.protocol == "chirpstack":
            self.radio.uplink(device, float(second), values, note=note)
            return
        wire = self.wires.of(spec.external_id)
        if not wire.connected and wire.outstanding >= REPORTS_HELD:
            return
        body = msgspec.json.encode({"time": second, "values": values})
        wire.publish(f"devices/{spec.external_id}/up", body, note)

    # ---------------------------------------------------------------- commands

    def _take(self, topic: str, payload: bytes) -> None:
        try:
            if topic.startswith("application/"):
                self.radio.downlink(topic, payload)
            else:
                self._order_in(topic.split("/")[1], msgspec.json.decode(payload, type=Order))
        except msgspec.MsgspecError as error:
            log.warning("order not understood", topic=topic, error=str(error))

    def _order_in(self, external_id: str, order: Order) -> None:
        found = self.city.wire_id.get(external_id)
        if found:
            kind = self.city.kinds[found[0]]
            self._later(RESPONSE_S, lambda t: self._obey(kind, found[1], order, t=t))

    def _obey(self, kind: Kind, row: int, order: Order, *, t: float) -> None:
        """A device does each command id once and repeats its answer when asked again."""
        if order.command_id not in self._answered:
            self._answered[order.command_id] = kind.answer(row, order.action, order.args, t=t)
            if len(self._answered) > REMEMBERED_COMMANDS:
                self._answered.popitem(last=False)
        answer, spec = self._answered[order.command_id], kind.devices[row].device
        if answer is None or spec is None:
            return
        status = "acknowledged" if answer.accepted else "rejected"
        body = {"command_id": order.command_id, "status": status, "detail": answer.detail, "time": round(t, 3)}
        topic = f"devices/{spec.external_id}/event"
        self.wires.of(spec.external_id).publish(topic, msgspec.json.encode(body), None)
