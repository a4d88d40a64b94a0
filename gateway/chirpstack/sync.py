"""Reads gateways, devices and device profiles of ChirpStack and proposes to the registry what is new or has changed.

Called by `citynet sync chirpstack` and, from time to time, by the gateway."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from citynet.db import Database
from citynet.errors import ConfigError
from citynet.model import Proposal
from citynet.settings import Settings
from gateway.chirpstack import proposals
from gateway.chirpstack.client import Client
from gateway.chirpstack.events import read as read_event
from gateway.sync.found import Found, Registered, pieces
from gateway.sync.network import Network, Said
from gateway.wire import Radio, moment_us


@dataclass
class Reader:
    """One look at all of the configured tenant. since: what ChirpStack has not touched from then on is as it was."""

    client: Client
    registered: Registered
    settings: Settings
    since: datetime | None = None
    _theirs: dict[str, Any] = field(default_factory=dict)

    async def read(self) -> Found:
        """Compare with the registry. Raises Refused, Unavailable, ConfigError."""
        tenant = self.settings.chirpstack_tenant
        if not tenant:
            raise ConfigError("whose devices? set CITYNET_CHIRPSTACK_TENANT to the id of the tenant in ChirpStack")
        await self.registered.open()
        async for some in pieces(self.client.gateways(tenant)):
            touched = [proposals.gateway(one) for one in some if self._touched(one)]
            await self.registered.compare("gateways", touched, untouched=len(some) - len(touched))
        for application in [one async for one in self._applications(tenant)]:
            async for some in pieces(self.client.devices(application)):
                made = [await self._device(one, application) for one in some]
                touched = [one for one, item in zip(made, some, strict=True) if self._touched(item)]
                await self.registered.compare("devices", touched, untouched=len(some) - len(touched))
        return self.registered.found

    async def _applications(self, tenant: str) -> AsyncIterator[str]:
        wanted = [one.strip() for one in self.settings.chirpstack_applications.split(",") if one.strip()]
        for application in wanted:
            yield application
        if not wanted:
            async for found in self.client.applications(tenant):
                yield found.id

    def _touched(self, item: Any) -> bool:
        """Whether an item may have changed; an item without a time is looked at."""
        if self.since is None or not item.HasField("updated_at"):
            return True
        return bool(item.updated_at.ToMilliseconds() >= self.since.timestamp() * 1000)

    async def _device(self, item: Any, application: str) -> Proposal:
        profile = self._theirs.get(item.device_profile_id)
        if profile is None:
            profile = self._theirs[item.device_profile_id] = await self.client.profile(item.device_profile_id)
            self._compare_profile(profile)
        proposal = proposals.device(item, profile, application, known=self.registered.profiles)
        self.registered.heard(proposal)
        return proposal

    def _compare_profile(self, profile: Any) -> None:
        name = proposals.profile_name(profile, self.registered.profiles)
        if not name.startswith(f"{proposals.SOURCE}-"):
            self.registered.count_profile(name, "kept")
            return
        body, told = proposals.profile(profile), proposals.radio(profile)
        self.registered.compare_profile(name, body, told=told, script=profile.payload_codec_script)


async def look(db: Database, settings: Settings, *, since: datetime | None = None) -> Found:
    """What is new or changed of the configured tenant. Raises Refused, Unavailable, ConfigError."""
    client = Client(settings)
    try:
        return await Reader(client, Registered(db, Found(proposals.SOURCE)), settings, since).read()
    finally:
        await client.close()


def said(body: bytes, settings: Settings) -> Said:
    """The uplink of an event `up`. Raises BadInput."""
    event, decoded = read_event("up", body, settings.json_depth)
    return Said(Radio(moment_us(event.time), event.f_port, event.data) if event.data else None, decoded)


NETWORK = Network(proposals.SOURCE, "ChirpStack", "up.*.{}.chirpstack.*.up", look, said)
