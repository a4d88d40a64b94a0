"""Reads gateways, devices and device profiles of ChirpStack and proposes to the registry what is new or has changed.

Called by `citynet sync chirpstack` and, from time to time, by the gateway. Decision 0028 says whose word counts."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from citynet.errors import ConfigError
from citynet.model import Proposal
from citynet.registry import Registry
from citynet.settings import Settings
from gateway.chirpstack import proposals
from gateway.chirpstack.client import Client
from gateway.chirpstack.known import Known

KINDS = ("gateways", "profiles", "devices")


@dataclass
class Found:
    """What ChirpStack knows that the registry does not; counts of all that was read, by kind and word."""

    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: list[Proposal] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {k: Counter() for k in KINDS})
    kept: list[str] = field(default_factory=list)

    def count(self, kind: str, word: str) -> None:
        """One more thing of a kind that is new, changed, same or kept."""
        self.counts[kind][word] += 1

    def report(self) -> dict[str, Any]:
        """Counts and names for people and machines."""
        changes = [*(f"profile/{name}" for name in self.profiles), *(one.key for one in self.objects)]
        return {"read": {k: dict(c) for k, c in self.counts.items()}, "changes": changes, "kept": self.kept}


async def read(client: Client, known: Registry, settings: Settings) -> Found:
    """Compare all of the configured tenant with the registry. Raises Refused, Unavailable, ConfigError."""
    tenant = settings.chirpstack_tenant
    if not tenant:
        raise ConfigError("whose devices? set CITYNET_CHIRPSTACK_TENANT to the id of the tenant in ChirpStack")
    found = Found()
    there = Known(known)
    async for gateway in client.gateways(tenant):
        _compare(found, there, kind="gateways", proposal=proposals.gateway(gateway))
    profiles: dict[str, Any] = {}
    for application in [one async for one in _applications(client, settings)]:
        async for device in client.devices(application):
            profile = profiles.get(device.device_profile_id)
            if profile is None:
                profile = profiles[device.device_profile_id] = await client.profile(device.device_profile_id)
                _compare_profile(found, known, profile)
            proposal = proposals.device(device, profile, application, known=known)
            _compare(found, there, kind="devices", proposal=proposal)
    return found


async def _applications(client: Client, settings: Settings) -> Any:
    wanted = [one.strip() for one in settings.chirpstack_applications.split(",") if one.strip()]
    if wanted:
        for application in wanted:
            yield application
        return
    async for application in client.applications(settings.chirpstack_tenant):
        yield application.id


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


def _compare_profile(found: Found, known: Registry, profile: Any) -> None:
    """A profile of our own making takes the codec of ChirpStack; what people have mapped in it stays."""
    name = proposals.profile_name(profile, known)
    if not name.startswith(f"{proposals.SOURCE}-"):
        found.count("profiles", "kept")
        return
    version = known.profiles.get(name)
    if version is not None:
        if version[1].codec_script == (script := profile.payload_codec_script):
            found.count("profiles", "same")
            return
        body = version[1].model_dump(mode="json", by_alias=True) | {"codec_script": script}
    else:
        body = proposals.profile(profile)
    found.count("profiles", "new" if version is None else "changed")
    found.profiles[name] = body
