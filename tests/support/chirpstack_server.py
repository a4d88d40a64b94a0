"""A ChirpStack for tests: its own service classes on a real port, with lists in pages, queues and a key to be shown.

It behaves as ChirpStack v4 does where that matters: a queue item gets an id of the server, whatever the client says."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from chirpstack_api import api, common
from google.protobuf.empty_pb2 import Empty
from grpc import StatusCode

TOKEN = "key-of-the-test"
TENANT, APPLICATION_A, APPLICATION_B = (str(uuid.UUID(int=n)) for n in (1, 2, 3))


@dataclass
class Store:
    """What this ChirpStack knows. fault, when set, is asked before each call by the method's name."""

    gateways: list[Any] = field(default_factory=list)
    applications: list[Any] = field(default_factory=list)
    devices: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    profiles: dict[str, Any] = field(default_factory=dict)
    queue: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    groups: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    classes: dict[str, Any] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)  # last uplink
    calls: list[str] = field(default_factory=list)
    fault: Callable[[str], tuple[StatusCode, bool] | None] = lambda _: None
    silent: set[str] = field(default_factory=set)

    async def enter(self, name: str, context: Any) -> None:
        """The door of every method: the key, then a planted fault that comes before the work."""
        self.calls.append(name)
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {TOKEN}":
            await context.abort(StatusCode.UNAUTHENTICATED, "invalid token")
        fault = self.fault(name)
        if fault and not fault[1]:
            await context.abort(fault[0], "planted")

    async def leave(self, name: str, context: Any) -> None:
        """A planted fault that comes after the work: done, but nobody hears of it."""
        fault = self.fault(name)
        if fault and fault[1]:
            await context.abort(fault[0], "planted")
        if name in self.silent:
            await asyncio.Event().wait()


def page(items: list[Any], request: Any) -> list[Any]:
    return items[request.offset : request.offset + request.limit]


class Devices(api.DeviceServiceServicer):  # type: ignore[misc]
    """Lists and queues of devices."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def List(self, request: Any, context: Any) -> Any:
        await self.store.enter("List", context)
        found = self.store.devices[request.application_id]
        return api.ListDevicesResponse(total_count=len(found), result=page(found, request))

    async def Enqueue(self, request: Any, context: Any) -> Any:
        await self.store.enter("Enqueue", context)
        item = request.queue_item
        known = {one.dev_eui for devices in self.store.devices.values() for one in devices}
        if item.dev_eui not in known:
            await context.abort(StatusCode.NOT_FOUND, f"Object does not exist (id: {item.dev_eui})")
        if request.flush_queue:
            self.store.queue[item.dev_eui].clear()
        stored = api.DeviceQueueItem()
        stored.CopyFrom(item)
        stored.id = str(uuid.uuid4())
        stored.expires_at.nanos -= stored.expires_at.nanos % 1000  # PostgreSQL keeps microseconds
        self.store.queue[item.dev_eui].append(stored)
        await self.store.leave("Enqueue", context)
        return api.EnqueueDeviceQueueItemResponse(id=stored.id)

    async def Get(self, request: Any, context: Any) -> Any:
        await self.store.enter("Get", context)
        return api.GetDeviceResponse(
            device=api.Device(dev_eui=request.dev_eui),
            class_enabled=self.store.classes.get(request.dev_eui, common.DeviceClass.CLASS_A),
            last_seen_at=self.store.seen.get(request.dev_eui),
        )

    async def GetQueue(self, request: Any, context: Any) -> Any:
        await self.store.enter("GetQueue", context)
        found = self.store.queue[request.dev_eui]
        return api.GetDeviceQueueItemsResponse(total_count=len(found), result=found)

    async def FlushQueue(self, request: Any, context: Any) -> Any:
        await self.store.enter("FlushQueue", context)
        self.store.queue[request.dev_eui].clear()
        return Empty()


class Groups(api.MulticastGroupServiceServicer):  # type: ignore[misc]
    """Queues of multicast groups."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def Enqueue(self, request: Any, context: Any) -> Any:
        await self.store.enter("GroupEnqueue", context)
        stored = api.MulticastGroupQueueItem()
        stored.CopyFrom(request.queue_item)
        stored.f_cnt = 7 + len(self.store.groups[stored.multicast_group_id])
        self.store.groups[stored.multicast_group_id].append(stored)
        await self.store.leave("GroupEnqueue", context)
        return api.EnqueueMulticastGroupQueueItemResponse(f_cnt=stored.f_cnt)

    async def ListQueue(self, request: Any, context: Any) -> Any:
        await self.store.enter("ListQueue", context)
        return api.ListMulticastGroupQueueResponse(items=self.store.groups[request.multicast_group_id])

    async def FlushQueue(self, request: Any, context: Any) -> Any:
        await self.store.enter("GroupFlushQueue", context)
        self.store.groups[request.multicast_group_id].clear()
        return Empty()


class Gateways(api.GatewayServiceServicer):  # type: ignore[misc]
    """Gateways of the tenant."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def List(self, request: Any, context: Any) -> Any:
        await self.store.enter("ListGateways", context)
        found = [one for one in self.store.gateways if one.tenant_id == request.tenant_id]
        return api.ListGatewaysResponse(total_count=len(found), result=page(found, request))


class Profiles(api.DeviceProfileServiceServicer):  # type: ignore[misc]
    """Device profiles with their codecs."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def Get(self, request: Any, context: Any) -> Any:
        await self.store.enter("GetProfile", context)
        return api.GetDeviceProfileResponse(device_profile=self.store.profiles[request.id])


class Applications(api.ApplicationServiceServicer):  # type: ignore[misc]
    """Applications of the tenant."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def List(self, request: Any, context: Any) -> Any:
        await self.store.enter("ListApplications", context)
        found = self.store.applications
        return api.ListApplicationsResponse(total_count=len(found), result=page(found, request))


class Server:
    """The server on a port of its own."""

    def __init__(self, store: Store) -> None:
        self.store, self.port = store, 0

    @property
    def url(self) -> str:
        """For CITYNET_CHIRPSTACK_URL."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen, on the same port as before after a stop."""
        self._server = grpc.aio.server()
        api.add_DeviceServiceServicer_to_server(Devices(self.store), self._server)
        api.add_MulticastGroupServiceServicer_to_server(Groups(self.store), self._server)
        api.add_GatewayServiceServicer_to_server(Gateways(self.store), self._server)
        api.add_DeviceProfileServiceServicer_to_server(Profiles(self.store), self._server)
        api.add_ApplicationServiceServicer_to_server(Applications(self.store), self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        """Break all calls off."""
        await self._server.stop(None)
