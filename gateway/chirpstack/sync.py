"""Reads gateways, devices and device profiles of ChirpStack and proposes to the registry what is new or has changed.

Called by `citynet sync chirpstack` and, from time to time, by the gateway. Whose word counts: decisions 0028, 0038."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from citynet import registry
from citynet.catalog import Profile
from citynet.db import Database, Row, named_sql
from citynet.errors import ConfigError
from citynet.model import Proposal
from citynet.settings import Settings
from gateway.chirpstack import proposals
from gateway.chirpstack.client import Client
from gateway.chirpstack.known import Known

SQL = named_sql(Path(__file__).parents[1] / "queries.sql")
KINDS = ("gateways", "profiles", "devices")
COMPARED_AT_ONCE = 300
HEARD_MAX = 50  # devices of a profile whose frames may show what it measures


@dataclass
class Found:
    """What ChirpStack knows that the registry does not; counts of all that was read, by kind and word.

    unmapped: profiles without a map, with some of their devices.
    """

    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    codecs: dict[str, str] = field(default_factory=dict)
    objects: list[Proposal] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {k: Counter() for k in KINDS})
    kept: list[str] = field(default_factory=list)
    unmapped: dict[str, list[str]] = field(default_factory=dict)

    def count(self, kind: str, word: str) -> None:
        """One more thing of a kind that is new, changed, same or kept."""
        self.counts[kind][word] += 1

    def report(self) -> dict[str, Any]:
        """Counts and names for people and machines."""
        changes = [
            *(f"profile/{name}" for name in self.profiles),
            *(f"codec/{name}" for name in self.codecs),
            *(one.key for one in self.objects),
        ]
        return {"read": {k: dict(c) for k, c in self.counts.items()}, "changes": changes, "kept": self.kept}


@dataclass
class Reader:
    """One look at all of the configured tenant. since: what ChirpStack has not touched from then on is as it was."""

    client: Client
    db: Database
    settings: Settings
    since: datetime | None = None
    found: Found = field(default_factory=Found)
    profiles: dict[str, Profile] = field(default_factory=dict)
    scripts: dict[str, Row] = field(default_factory=dict)
    _theirs: dict[str, Any] = field(default_factory=dict)

    async def read(self) -> Found:
        """Compare with the registry. Raises Refused, Unavailable, ConfigError."""
        tenant = self.settings.chirpstack_tenant
        if not tenant:
            raise ConfigError("whose devices? set CITYNET_CHIRPSTACK_TENANT to the id of the tenant in ChirpStack")
        rows = await self.db.rows(SQL["profiles"])
        self.profiles = {row["name"]: Profile.model_validate(row["body"]) for row in rows}
        self.scripts = {row["profile"]: row for row in await self.db.rows(SQL["written"], [])}
        async for some in _pieces(self.client.gateways(tenant)):
            await self._compare("gateways", [proposals.gateway(one) for one in some if self._touched(one)], some)
        for application in [one async for one in self._applications(tenant)]:
            async for some in _pieces(self.client.devices(application)):
                made = [await self._device(one, application) for one in some]
                touched = [one for one, item in zip(made, some, strict=True) if self._touched(item)]
                await self._compare("devices", touched, some)
        return self.found

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
        proposal = proposals.device(item, profile, application, known=self.profiles)
        assert proposal.device
        heard = self.found.unmapped.get(proposal.device.profile)
        if heard is not None and len(heard) < HEARD_MAX:
            heard.append(proposal.device.external_id)
        return proposal

    async def _compare(self, kind: str, some: list[Proposal], read: list[Any]) -> None:
        self.found.counts[kind]["same"] += len(read) - len(some)
        known = Known(
            await registry.some(
                self.db,
                devices=[one.device.external_id for one in some if one.device],
                keys=[one.key for one in some],
                gateways=[one.attributes["gateway_id"] for one in some if not one.device],
            )
        )
        for proposal in some:
            _compare(self.found, known, kind=kind, proposal=proposal)
        self.found.counts[kind] += Counter()  # drops what is zero

    def _compare_profile(self, profile: Any) -> None:
        """A profile of our own making takes codec and radio of ChirpStack; what people have mapped in it stays."""
        name = proposals.profile_name(profile, self.profiles)
        if not name.startswith(f"{proposals.SOURCE}-"):
            self.found.count("profiles", "kept")
            return
        known, script = self.profiles.get(name), profile.payload_codec_script
        body = proposals.profile(profile)
        if known is not None:
            before = known.model_dump(mode="json", by_alias=True)
            body = before | proposals.radio(profile)
        word = "new" if known is None else "changed" if body != before else "same"
        ours = self.scripts.get(name)
        if script.strip() and (ours is None or (script != ours["source"] and not ours["by_person"])):
            self.found.codecs[name] = script
            word = "changed" if word == "same" else word
        if known is None or body != before:
            self.found.profiles[name] = body
        if not body["map"]:
            self.found.unmapped[name] = []
        self.found.count("profiles", word)


async def read(client: Client, database: Database, settings: Settings, *, since: datetime | None = None) -> Found:
    """What is new or changed of the configured tenant. Raises Refused, Unavailable, ConfigError."""
    return await Reader(client, database, settings, since).read()


async def _pieces(items: AsyncIterator[Any]) -> AsyncIterator[list[Any]]:
    piece: list[Any] = []
    async for item in items:
        piece.append(item)
        if len(piece) == COMPARED_AT_ONCE:
            yield piece
            piece = []
    if piece:
        yield piece


def _compare(found: Found, known: Known, *, kind: str, proposal: Proposal) -> None:
    at = known.at(proposal)
    if at is None:
        found.count(kind, "new")
        found.objects.append(proposal)
    elif at.key != proposal.key:
        found.count(kind, "kept")  # registered by somebody else, whose word counts
        found.kept.append(proposal.key)
    elif known.same(proposal := known.merged(proposal, at), at):
        found.count(kind, "same")
    else:
        found.count(kind, "changed")
        found.objects.append(proposal)
