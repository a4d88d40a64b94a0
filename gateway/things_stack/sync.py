"""Reads gateways and devices of The Things Stack and proposes to the registry what is new or has changed.

Called by `citynet sync things-stack` and, where it is wished, from time to time by the gateway."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from citynet.db import Database
from citynet.errors import ConfigError
from citynet.model import Proposal
from citynet.settings import Settings
from gateway.protocols.things_stack import read as read_message
from gateway.sync.found import Found, Registered, pieces
from gateway.sync.network import Network, Said
from gateway.things_stack import proposals
from gateway.things_stack.client import REPOSITORY, Client, Formatters, Item, Version
from gateway.things_stack.orders import apis
from gateway.wire import Radio, moment_us

AT_ONCE = 8


@dataclass
class Reader:
    """One look at one application. since: what the identity server has not touched from then on is as it was."""

    client: Client
    registered: Registered
    since: datetime | None = None
    seen: set[str] = field(default_factory=set)  # devices, of this look
    default: Formatters = field(default_factory=Formatters)
    _codecs: dict[Version, str] = field(default_factory=dict)
    _scripts: dict[str, str] = field(default_factory=dict)  # of profiles that were compared
    _asking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def read(self) -> None:
        """Compare with the registry. Raises ConfigError, Unavailable."""
        try:
            self.default = await self.client.default_formatters()
        except ConfigError as error:  # reading it takes the right to edit it, which not everybody will give
            doubt = f"{self.client.application}: its own formatter is unknown: {error}"
            self.registered.found.doubts.append(doubt[:300])
        async for some in pieces(self.client.devices()):
            touched = [one for one in some if self._first(one) and self._touched(one)]
            told = await asyncio.gather(*(self._formatters(one) for one in touched))
            made = [await self._device(one, of) for one, of in zip(touched, told, strict=True)]
            await self.registered.compare("devices", made, untouched=len(some) - len(made))

    async def gateways(self) -> None:
        """Those that the second key sees, where there is one."""
        if self.client.api.gateway_key:
            async for some in pieces(self.client.gateways()):
                await self.registered.compare("gateways", [proposals.gateway(one) for one in some])

    def _first(self, item: Item) -> bool:
        """Whether no other application has a device of this name: in the city it can stand for one only."""
        first = item.ids.device_id not in self.seen
        self.seen.add(item.ids.device_id)
        if not first:
            self._doubt(item, f"left out of {self.client.application}: another application has a device of this name")
        return first

    def _touched(self, item: Item) -> bool:
        if self.since is None or not item.updated_at:
            return True
        try:
            return datetime.fromisoformat(item.updated_at) >= self.since
        except (ValueError, TypeError):  # no time that can be compared
            return True

    async def _formatters(self, item: Item) -> Formatters:
        """What decodes the payloads of a device; nothing where only another server could say."""
        if not self._ours(item):
            return Formatters()  # the profile of somebody else, with what decodes it
        if not self.client.serves(item.application_server_address):
            self._doubt(item, f"its application server is {item.application_server_address}: its formatter is unknown")
            return Formatters()
        async with self._asking:
            return await self.client.formatters(item.ids.device_id) or self.default

    def _ours(self, item: Item) -> bool:
        base = proposals.base_name(item, self.client.application, self.registered.profiles)
        return base.startswith(f"{proposals.PREFIX}-")

    def _doubt(self, item: Item, words: str) -> None:
        self.registered.found.doubts.append(f"{proposals.SOURCE}/device/{item.ids.device_id}: {words}"[:300])

    async def _device(self, item: Item, formatters: Formatters) -> Proposal:
        known, application = self.registered.profiles, self.client.application
        name, script = proposals.base_name(item, application, known), await self._script(item, formatters)
        if self._ours(item):
            if proposals.PROFILE not in item.attributes:
                name = proposals.profile_name(name, script, await self._usual(item, script))
            await self._compare_profile(name, item, script)
        elif name not in self._scripts:
            self._scripts[name] = ""
            self.registered.count_profile(name, "kept")
        proposal = proposals.device(item, name, application, known=known)
        self.registered.heard(proposal)
        return proposal

    async def _script(self, item: Item, formatters: Formatters) -> str:
        if formatters.up_formatter == REPOSITORY:
            return await self._codec(item.version_ids)
        return formatters.script

    async def _usual(self, item: Item, script: str) -> str:
        """The script that devices of this model, or of this application, have unless they are told otherwise."""
        if not script:
            return ""
        return await self._codec(item.version_ids) if item.version_ids.model_id else self.default.script

    async def _codec(self, version: Version) -> str:
        if version not in self._codecs:
            self._codecs[version] = await self.client.codec(version)
        return self._codecs[version]

    async def _compare_profile(self, name: str, item: Item, script: str) -> None:
        if name in self._scripts:
            if script != self._scripts[name]:
                self._doubt(item, f"another formatter than the first device of profile {name}")
            return
        self._scripts[name] = script
        here = self.client.serves(item.network_server_address)
        told = proposals.radio(await self.client.radio(item.ids.device_id) if here else None, item.version_ids)
        body = proposals.profile(item, told)
        self.registered.compare_profile(name, body, told=told, script=script)


async def look(db: Database, settings: Settings, *, since: datetime | None = None) -> Found:
    """What is new or changed of all applications that the setting names. Raises ConfigError, Unavailable."""
    known = apis(settings)
    if not known:
        raise ConfigError("which application? set CITYNET_THINGS_STACK_API, see docs/how-to/things-stack.md")
    registered, keys, devices = Registered(db, Found(proposals.SOURCE)), set[str](), set[str]()
    await registered.open()
    for application, api in known.items():
        client = Client(application, api)
        try:
            reader = Reader(client, registered, since, devices)
            if api.gateway_key not in keys:
                keys.add(api.gateway_key)
                await reader.gateways()
            await reader.read()
        finally:
            await client.close()
    return registered.found


def said(body: bytes, settings: Settings) -> Said:
    """The uplink of a message. Raises BadInput."""
    message, free = read_message(body, settings)
    up = message.uplink_message
    if up is None:
        return Said(None, None)
    time = moment_us(up.received_at or message.received_at)
    return Said(Radio(time, up.f_port, up.frm_payload) if up.frm_payload else None, free.get("decoded_payload"))


NETWORK = Network(proposals.SOURCE, "The Things Stack", "up.*.{}.things_stack.*.up", look, said)
