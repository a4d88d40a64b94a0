"""What the registry already holds of the things that a network server knows, and what must not be lost of it. Pure."""

import msgspec

from citynet.model import Proposal
from citynet.registry import CityObject, Registry

# What the registry itself writes among the attributes of a device.
STATED = ("external_id", "protocol", "profile")


class Known:
    """The registry by the names that network servers use."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._objects = {one.key: one for one in registry.objects.values()}
        self._gateways = {
            str(one.attributes.get("gateway_id", "")).lower(): one
            for one in registry.objects.values()
            if one.class_ == "gateway"
        }

    def at(self, proposal: Proposal) -> CityObject | None:
        """The object that stands for the same thing, whoever has registered it."""
        if proposal.device is None:
            return self._gateways.get(proposal.attributes["gateway_id"]) or self._objects.get(proposal.key)
        device = self._registry.devices.get(proposal.device.external_id)
        if device is None:
            return None
        return self._registry.objects.get(device.point_id or 0) or self._objects.get(proposal.key)

    def merged(self, proposal: Proposal, at: CityObject) -> Proposal:
        """The proposal with all that people have added to the object: what the server does not know, it keeps."""
        keys = {number: one.key for number, one in self._registry.objects.items()}
        spec = proposal.device
        if spec is not None:
            told = self._registry.devices[spec.external_id].attributes
            kept = {name: value for name, value in told.items() if name not in STATED}
            spec = msgspec.structs.replace(spec, attributes={**kept, **spec.attributes})
        placed = proposal.lon is not None
        return msgspec.structs.replace(
            proposal,
            service=at.service,
            org=keys.get(at.org_id or 0),
            parent=keys.get(at.parent_id or 0),
            lon=proposal.lon if placed else at.lon,
            lat=proposal.lat if placed else at.lat,
            attributes={**at.attributes, **proposal.attributes},
            device=spec,
        )

    def same(self, proposal: Proposal, at: CityObject) -> bool:
        """Whether a merged proposal would change nothing."""
        told = (proposal.name_ru, proposal.name_en, proposal.lon, proposal.lat, proposal.attributes)
        if told != (at.name_ru, at.name_en, at.lon, at.lat, at.attributes):
            return False
        spec = proposal.device
        if spec is None:
            return True
        device = self._registry.devices[spec.external_id]
        known = {name: value for name, value in device.attributes.items() if name not in STATED}
        return (spec.profile, spec.attributes) == (device.profile, known)
