"""The one policy: may this actor do this action on this object? Everything that is not allowed is forbidden."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from citynet.errors import Forbidden

SIGNED_IN = frozenset({"screen.open", "account.own", "registry.read", "reading.read", "incident.read", "command.read"})
OPERATE = SIGNED_IN | {
    "incident.acknowledge", "incident.take", "incident.comment", "incident.resolve", "incident.shelve",
    "incident.assign", "incident.dispatch", "incident.start", "command.request", "command.cancel", "pipeline.read",
    "camera.view",
}  # fmt: skip
LEAD = OPERATE | {
    "incident.merge", "incident.split", "incident.verify", "incident.close", "incident.false_alarm",
    "incident.reopen", "incident.priority", "command.approve", "rule.write", "quarantine.read",
    "quarantine.replay",
}  # fmt: skip
# Role -> actions. Roles are those of CONTRACTS.md section 8.
POLICY: dict[str, frozenset[str]] = {
    "operator": frozenset(OPERATE),
    "senior_operator": frozenset(LEAD),
    "utility_dispatcher": frozenset(OPERATE),
    "brigade": frozenset(
        {
            "screen.open",
            "account.own",
            "incident.read",
            "incident.start",
            "incident.comment",
            "incident.resolve",
            "device.install",
        }
    ),
    "executive": frozenset(SIGNED_IN | {"report.read"}),
    "administrator": frozenset(
        LEAD
        | {
            "account.write",
            "registry.write",
            "device.install",
            "codec.write",
            "credential.write",
            "webhook.write",
            "audit.read",
            "setting.write",
            "report.read",
        }
    ),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person with a role, limited to services and organisation where those are given."""

    account_id: int
    login: str
    role: str
    org_id: int | None = None
    services: frozenset[str] = field(default_factory=frozenset)
    zone_ids: frozenset[int] = field(default_factory=frozenset)
    language: str = "ru"
    theme: str = "dark"

    @property
    def name(self) -> str:
        """The name under which audit and history know the actor."""
        return f"person:{self.login}"


def allowed(actor: Actor, action: str, obj: Mapping[str, Any] | None = None) -> bool:
    """Whether actor may do action; obj has service, org_id and zone_ids where the thing has them."""
    if action not in POLICY.get(actor.role, frozenset()):
        return False
    if obj is None:
        return True
    service = obj.get("service")
    if actor.services and service is not None and service not in actor.services:
        return False
    zones = obj.get("zone_ids") or []
    return not (actor.zone_ids and zones and not actor.zone_ids.intersection(zones))


def require(actor: Actor, action: str, obj: Mapping[str, Any] | None = None) -> None:
    """Raise Forbidden with a clear word when allowed() is false."""
    if not allowed(actor, action, obj):
        place = f" on {obj['service']}" if obj and obj.get("service") else ""
        raise Forbidden(f"the role {actor.role} has no right {action}{place}: ask an administrator")
