"""Downlinks to ChirpStack by its gRPC API: what became of each is told by what the server said, never guessed better.

The server gives its queue items ids of its own; decision 0028 says how they find back to our commands."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID
from weakref import WeakValueDictionary

import msgspec

from citynet.errors import ConfigError
from citynet.model import Command, ReceiptKind
from citynet.registry import Device
from citynet.settings import Settings
from gateway.answers import QUEUE_ITEM
from gateway.chirpstack import recall
from gateway.chirpstack.client import Client, Item
from gateway.chirpstack.connection import Refused, Uncertain
from gateway.wire import Told

CALL_S, LOOK_S, ITEMS_KEPT = 10.0, 5.0, 10_000
Receipts = list[tuple[ReceiptKind, str]]


class Body(msgspec.Struct, rename="camel"):
    """The downlink as gateway/protocols/chirpstack.py writes it."""

    dev_eui: str
    confirmed: bool
    f_port: int
    data: bytes
    expires_at: datetime


def _item(command: Command, payload: bytes) -> Item:
    body = msgspec.json.decode(payload, type=Body)
    told, group = command.attributes, str(command.attributes.get("multicast_group_id", ""))
    return Item(
        target=group or body.dev_eui,
        group=bool(group),
        f_port=body.f_port,
        data=body.data,
        confirmed=body.confirmed,
        expires_at=body.expires_at,
        replace=told.get("downlink_queue") == "replace",
    )


@dataclass
class Road:
    """The connection, made when first needed. items: ids of ChirpStack's queue -> our commands, the newest of them."""

    settings: Settings
    items: dict[UUID, UUID] = field(default_factory=dict)
    _client: Client | None = None
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def turn(self, external_id: str) -> asyncio.Lock:
        """To be held while something is handed over for a device, or taken back from its queue."""
        return self._turns.setdefault(external_id, asyncio.Lock())

    def takes(self, command: Command) -> bool:
        """Whether this command goes by the API: multicast always, a device by its attribute or the setting."""
        told, usual = command.attributes, self.settings.chirpstack_downlink
        wanted = bool(told.get("multicast_group_id")) or told.get("downlink", usual) == "grpc"
        return command.protocol == "chirpstack" and wanted

    async def send(self, command: Command, payload: bytes, *, left_s: float) -> Receipts:
        """Queue a downlink within the wall seconds that are left; receipts in their order."""
        item = _item(command, payload)
        try:
            client = self._open()
            if not await client.reach(left_s):
                return [("expired", "ChirpStack could not be reached before the deadline")]
            return self._proof(command, item, await client.enqueue(item, timeout_s=min(left_s, CALL_S)))
        except ConfigError as error:
            return [("failed", str(error))]
        except Refused as error:
            return [("failed" if error.ours else "rejected", str(error))]
        except Uncertain as error:
            return await self.look_up(command, payload, otherwise=str(error))

    async def look_up(self, command: Command, payload: bytes, *, otherwise: str) -> Receipts:
        """What the queue shows of a downlink that may have arrived. Not there may mean: sent already."""
        item = _item(command, payload)
        try:
            client = self._open()
            found = await client.find(item, timeout_s=LOOK_S) if await client.reach(LOOK_S) else None
        except (ConfigError, Refused, Uncertain) as error:
            return [("unknown", f"{otherwise}; {error}")]
        return [("unknown", otherwise)] if found is None else self._proof(command, item, found)

    async def recall(self, device: Device, item: str) -> Told | None:
        """Take a queue item back; None when that is not known now and may be asked again."""
        if device.attributes.get("multicast_group_id"):
            return Told("kept", "multicast")
        try:
            client = self._open()
            return await recall.recall(client, device.external_id, item) if await client.reach(LOOK_S) else None
        except ConfigError:
            return Told("kept", "no_api")
        except Refused as error:
            return Told("kept", str(error))
        except Uncertain:
            return None

    def _proof(self, command: Command, item: Item, number: str) -> Receipts:
        if item.group:
            return [("queued", f"multicast frame {number}"), ("sent", "")]
        self.items[UUID(number)] = command.command_id
        if len(self.items) > ITEMS_KEPT:
            del self.items[next(iter(self.items))]
        return [("queued", f"{QUEUE_ITEM}{number}"), ("sent", "")]

    def _open(self) -> Client:
        self._client = self._client or Client(self.settings)
        return self._client

    async def close(self) -> None:
        """End the connection, if there is one."""
        if self._client:
            await self._client.close()
