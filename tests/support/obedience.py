"""Simulated devices that obey, refuse, are late or silent by a script, and remember what really happened."""

import asyncio
import queue
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from citynet.bus import NatsBus
from citynet.errors import Unavailable
from gateway.devices import codecs
from gateway.fetch import ASK, TOLD, Ask, Handed
from tests.support.behaviours import Behaviour
from tests.support.gateway import APPLICATION, Mqtt


@dataclass
class Field:
    """All devices on two connections or fetching by themselves, and the truth about them."""

    fleet: Mqtt
    network: Mqtt
    now: Callable[[], datetime]
    bus: NatsBus
    fetching: Sequence[str]  # devices that come for their commands, as HTTP push does it for them
    script: dict[str, Behaviour] = field(default_factory=dict)
    heard: Counter[str] = field(default_factory=Counter)  # command -> messages that reached the device
    obeyed: set[str] = field(default_factory=set)
    said: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    later: list[Callable[[], None]] = field(default_factory=list)

    async def step(self) -> int:
        """Let devices take what has come; the number of messages."""
        return await asyncio.to_thread(self._step) + sum([await self._fetch(one) for one in self.fetching])

    async def _fetch(self, device: str) -> int:
        """One look at what waits for a device; push then says that it was handed over."""
        try:
            body = await self.bus.request(ASK, msgspec.json.encode(Ask(device)), timeout_s=2)
            orders = msgspec.json.decode(body)["commands"]
            for order in orders:
                await asyncio.to_thread(self._native, f"devices/{device}", order)
            if orders:
                handed = Handed(device, [uuid.UUID(order["command_id"]) for order in orders], left=True)
                await self.bus.request(TOLD, msgspec.json.encode(handed), timeout_s=2)
        except Unavailable:
            return 0
        return len(orders)

    def _step(self) -> int:
        count = 0
        for wire, take in ((self.fleet, self._native), (self.network, self._radio)):
            while True:
                try:
                    topic, body = wire.inbox.get_nowait()
                except queue.Empty:
                    break
                take(topic, msgspec.json.decode(body))
                count += 1
        return count

    async def wake(self) -> None:
        """The deadline is over: what was late happens now."""
        work, self.later = self.later, []
        await asyncio.to_thread(lambda: [one() for one in work])

    def _when(self, moment: str, work: Callable[[], None]) -> None:
        if moment == "now":
            work()
        elif moment == "late":
            self.later.append(work)

    def _native(self, topic: str, order: dict[str, Any]) -> None:
        device, command = topic.split("/")[1], order["command_id"]
        behaviour = self.script[device]
        self.heard[command] += 1
        level = order["args"].get("level", 0.0)
        self._when(behaviour.hears, lambda: self._react(device, command, behaviour, level=level))

    def _react(self, device: str, command: str, behaviour: Behaviour, *, level: float) -> None:
        if behaviour.obeys:
            self.obeyed.add(command)
        if behaviour.shows:
            values = {"time": self.now().isoformat(), "values": {"level": level}}
            self.fleet.publish(f"devices/{device}/up", values)
        answer = {"command_id": command, "status": behaviour.answer}

        def tell() -> None:
            self.said[command].add(behaviour.answer)
            for number in range(behaviour.times):
                self.fleet.publish(f"devices/{device}/event", {**answer, "detail": f"{number or ''}"})

        self._when(behaviour.answers, tell)

    def _radio(self, topic: str, order: dict[str, Any]) -> None:
        device, command = order["devEui"], order["id"]
        behaviour = self.script[device]
        self.heard[command] += 1
        read = codecs()["lamp-lora"].read
        assert read is not None
        _, args = read(msgspec.convert(order["data"], bytes), order["fPort"])
        if behaviour.obeys:
            self.obeyed.add(command)
        info = {"deviceInfo": {"devEui": device}, "time": self.now().isoformat()}
        for event in behaviour.events:
            self._network_event(device, command, event, info=info)
        if behaviour.shows:
            self._tell(device, "up", {**info, "fPort": 20, "fCnt": self.heard.total(), "object": args})

    def _network_event(self, device: str, command: str, event: str, *, info: dict[str, Any]) -> None:
        match event:
            case "txack":
                self.said[command].add("radiated")
                self._tell(device, "txack", {**info, "queueItemId": command, "gatewayId": "gw"})
            case "ack" | "nack":
                self.said[command] |= {"acknowledged"} if event == "ack" else set()
                self._tell(device, "ack", {**info, "queueItemId": command, "acknowledged": event == "ack"})
            case "expired":
                self.said[command].add("expired")
                context = {"queue_item_id": command}
                self._tell(device, "log", {**info, "level": "ERROR", "code": "EXPIRED", "context": context})

    def _tell(self, device: str, event: str, body: dict[str, Any]) -> None:
        self.network.publish(f"application/{APPLICATION}/device/{device}/event/{event}", body)


def better_than_reality(state: str, command: str, truth: Field, *, radio: bool) -> str:
    """What is wrong with showing a state of a command; empty when reality is at least as good."""
    heard, obeyed, said = truth.heard[command], command in truth.obeyed, truth.said[command]
    wrong = {
        "sent": not heard,
        "acknowledged": "acknowledged" not in said,
        "confirmed": not obeyed,
        "rejected": "rejected" not in said or obeyed,
        "failed": "failed" not in said,
        "expired": obeyed or (heard > 0 and not (radio and "expired" in said)),
        "cancelled": heard > 0,
    }
    facts = f"heard {heard} times, obeyed {obeyed}, said {sorted(said)}"
    return f"{command} is shown as {state}: {facts}" if wrong.get(state) else ""
