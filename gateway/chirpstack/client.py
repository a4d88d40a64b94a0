"""ChirpStack's gRPC API as we need it: queues of devices and multicast groups, and lists to synchronise from."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any, NamedTuple

from chirpstack_api import api
from google.protobuf.timestamp_pb2 import Timestamp

from citynet.errors import Unavailable
from citynet.settings import Settings
from gateway.chirpstack.connection import Uncertain, api_key, call, channel

PAGE = 100
LIST_TIMEOUT_S = 20.0


class Item(NamedTuple):
    """A downlink as ChirpStack queues it. group = a multicast group instead of a device."""

    target: str
    group: bool
    f_port: int
    data: bytes
    confirmed: bool
    expires_at: datetime
    replace: bool = False  # whether what waits for the same device is thrown away


class Client:
    """A connection to the API; it connects when first asked and again whenever it must. Close it."""

    def __init__(self, settings: Settings) -> None:
        self._channel = channel(settings)
        self._metadata = (("authorization", f"Bearer {api_key(settings)}"),)
        self._devices = api.DeviceServiceStub(self._channel)
        self._groups = api.MulticastGroupServiceStub(self._channel)
        self._gateways = api.GatewayServiceStub(self._channel)
        self._profiles = api.DeviceProfileServiceStub(self._channel)
        self._applications = api.ApplicationServiceStub(self._channel)

    async def close(self) -> None:
        """End the connection."""
        await self._channel.close()

    async def reach(self, timeout_s: float) -> bool:
        """Whether a connection stands within the time; nothing has been asked yet."""
        try:
            await asyncio.wait_for(self._channel.channel_ready(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def _call(self, method: Callable[..., Awaitable[Any]], request: Any, timeout_s: float) -> Any:
        return await call(method, request, metadata=self._metadata, timeout=timeout_s)

    async def enqueue(self, item: Item, *, timeout_s: float) -> str:
        """Queue a downlink; its id, of a multicast group its frame counter. Raises Refused, Uncertain."""
        expires = _timestamp(item.expires_at)
        if item.group:
            if item.replace:
                await self.flush(item, timeout_s=timeout_s)
            group_item = api.MulticastGroupQueueItem(
                multicast_group_id=item.target, f_port=item.f_port, data=item.data, expires_at=expires
            )
            answer = await self._call(
                self._groups.Enqueue, api.EnqueueMulticastGroupQueueItemRequest(queue_item=group_item), timeout_s
            )
            return str(answer.f_cnt)
        device_item = api.DeviceQueueItem(
            dev_eui=item.target, confirmed=item.confirmed, f_port=item.f_port, data=item.data, expires_at=expires
        )
        request = api.EnqueueDeviceQueueItemRequest(queue_item=device_item, flush_queue=item.replace)
        return str((await self._call(self._devices.Enqueue, request, timeout_s)).id)

    async def find(self, item: Item, *, timeout_s: float) -> str | None:
        """The same downlink in the queue, by its bytes and the microsecond of its end; see decision 0028."""
        if item.group:
            group_request = api.ListMulticastGroupQueueRequest(multicast_group_id=item.target)
            queued = (await self._call(self._groups.ListQueue, group_request, timeout_s)).items
        else:
            queued = await self.queue(item.target, timeout_s=timeout_s)
        for one in queued:
            if (one.f_port, one.data) == (item.f_port, item.data) and _same_moment(one.expires_at, item.expires_at):
                return str(one.f_cnt if item.group else one.id)
        return None

    async def queue(self, dev_eui: str, *, timeout_s: float) -> list[Any]:
        """DeviceQueueItem of a device, oldest first. Raises Refused, Uncertain."""
        request = api.GetDeviceQueueItemsRequest(dev_eui=dev_eui)
        return list((await self._call(self._devices.GetQueue, request, timeout_s)).result)

    async def device(self, dev_eui: str, *, timeout_s: float) -> Any:
        """GetDeviceResponse: class and last uplink. Raises Refused, Uncertain."""
        return await self._call(self._devices.Get, api.GetDeviceRequest(dev_eui=dev_eui), timeout_s)

    async def flush(self, item: Item, *, timeout_s: float) -> None:
        """Throw away what waits for the device or group of an item. Raises Refused, Uncertain."""
        if item.group:
            request = api.FlushMulticastGroupQueueRequest(multicast_group_id=item.target)
            await self._call(self._groups.FlushQueue, request, timeout_s)
        else:
            await self.flush_device(item.target, timeout_s=timeout_s)

    async def flush_device(self, dev_eui: str, *, timeout_s: float) -> None:
        """Throw away all that waits for a device. Raises Refused, Uncertain."""
        await self._call(self._devices.FlushQueue, api.FlushDeviceQueueRequest(dev_eui=dev_eui), timeout_s)

    async def _list(self, method: Callable[..., Awaitable[Any]], kind: Any, **words: str) -> AsyncIterator[Any]:
        """All items of a paged list; one that grows meanwhile is read to its new end."""
        offset = 0
        while True:
            answer = await self._read(method, kind(limit=PAGE, offset=offset, **words))
            for item in answer.result:
                yield item
            offset += len(answer.result)
            if not answer.result or offset >= answer.total_count:
                return

    async def _read(self, method: Callable[..., Awaitable[Any]], request: Any) -> Any:
        try:
            return await self._call(method, request, LIST_TIMEOUT_S)
        except Uncertain as error:
            raise Unavailable(str(error)) from error  # nothing is changed by reading

    def gateways(self, tenant_id: str) -> AsyncIterator[Any]:
        """GatewayListItem of the tenant. Raises Refused, Unavailable."""
        return self._list(self._gateways.List, api.ListGatewaysRequest, tenant_id=tenant_id)

    def applications(self, tenant_id: str) -> AsyncIterator[Any]:
        """ApplicationListItem of the tenant. Raises Refused, Unavailable."""
        return self._list(self._applications.List, api.ListApplicationsRequest, tenant_id=tenant_id)

    def devices(self, application_id: str) -> AsyncIterator[Any]:
        """DeviceListItem of an application. Raises Refused, Unavailable."""
        return self._list(self._devices.List, api.ListDevicesRequest, application_id=application_id)

    async def profile(self, profile_id: str) -> Any:
        """A DeviceProfile with its codec. Raises Refused, Unavailable."""
        return (await self._read(self._profiles.Get, api.GetDeviceProfileRequest(id=profile_id))).device_profile


def _timestamp(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def _same_moment(told: Timestamp, moment: datetime) -> bool:
    # Databases keep microseconds or milliseconds of it.
    return bool(abs(told.ToMilliseconds() - _timestamp(moment).ToMilliseconds()) <= 1)
