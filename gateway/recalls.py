"""Takes back what network servers hold of commands that people no longer want; a lane of app.py.

A command is withdrawn only when it is proven that nothing of it was radiated; else it says why it could not be.
"""

from dataclasses import dataclass, field
from uuid import UUID

import httpx
import msgspec
import structlog

from citynet.model import Receipt
from citynet.part import Part
from citynet.registry import Device
from gateway.answers import QUEUE_ITEM, SQL
from gateway.chirpstack.road import Road
from gateway.directory import Directory
from gateway.quarantine import clean
from gateway.things_stack import recall as things_stack
from gateway.things_stack.orders import Api
from gateway.wire import Told

log = structlog.get_logger()
LOOK_S = 2.0
OTHERS, LEFT = Told("kept", "others"), Told("kept", "left")


@dataclass
class RecallLane:
    """Asks the network servers, one device after the other; what cannot be known now is asked again."""

    part: Part
    directory: Directory
    road: Road
    apis: dict[str, Api]
    answered: set[UUID] = field(default_factory=set)  # ingest may not have stored the answers yet

    async def run(self) -> None:
        """Work until the part stops. Raises Unavailable: then the wishes wait in the database."""
        async with httpx.AsyncClient(timeout=things_stack.TIMEOUT_S, follow_redirects=False) as client:
            while not self.part.stopping.is_set():
                rows = await self.part.db.rows(SQL["recalls"], {"now": self.part.clock.now()})
                self.answered &= {row["command_id"] for row in rows}
                for row in rows:
                    device = await self.directory.by_id(row["device_id"])
                    if device and row["command_id"] not in self.answered:
                        await self._recall(client, device, row["command_id"], item=row["item"])
                await self.part.pause(LOOK_S)

    async def _recall(self, client: httpx.AsyncClient, device: Device, command_id: UUID, *, item: str | None) -> None:
        # Nothing new goes to the device meanwhile: it would be thrown away with what is taken back.
        async with self.road.turn(device.external_id):
            alone = await self.part.db.row(SQL["alone"], {"command_id": command_id, "device_id": device.device_id})
            if alone is None or not alone["alone"]:
                told: Told | None = OTHERS
            elif device.protocol == "chirpstack":
                told = await self.road.recall(device, (item or f"{command_id}").removeprefix(QUEUE_ITEM))
            elif device.protocol == "things_stack":
                told = await things_stack.recall(client, self.apis, device, command_id=command_id)
            else:
                told = LEFT
            if told:
                await self._tell(command_id, told)

    async def _tell(self, command_id: UUID, told: Told) -> None:
        receipt = Receipt(command_id=command_id, kind=told.kind, time=self.part.clock.now(), detail=clean(told.detail))
        msg_id = f"{command_id}-{told.kind}-{told.detail}"
        await self.part.bus.publish(f"receipts.{command_id}", msgspec.json.encode(receipt), msg_id=msg_id)
        self.answered.add(command_id)
        self.part.counters[f"commands_{told.kind}"] += 1
        log.info("command", id=str(command_id), kind=told.kind, detail=told.detail)
