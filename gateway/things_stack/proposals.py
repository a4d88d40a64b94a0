"""Gateways, devices and kinds of devices of The Things Stack as proposals to the registry. Pure."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from citynet.catalog import Profile
from citynet.model import DeviceSpec, Proposal
from gateway.things_stack.client import Item, Location, Version

SOURCE, PREFIX = "things_stack", "things-stack"
# Attributes of The Things Stack's devices that speak to us; it allows small letters, digits and dashes in names.
PROFILE, CLASS, LANGUAGE = "citynet-profile", "citynet-class", "citynet-language"
OURS = (PROFILE, CLASS, LANGUAGE)
DEFAULT_CLASS = "sensor"
BANDS = {"EU_863_870": "EU868", "RU_864_870": "RU864"}
VERSION = {
    "manufacturer": "brand_id",
    "model": "model_id",
    "hardware": "hardware_version",
    "firmware": "firmware_version",
}


def slug(name: str) -> str:
    """A profile's name as the registry writes names."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unnamed"


def gateway(item: Item) -> Proposal:
    """A gateway, known by its EUI as in the metadata of uplinks."""
    number = (item.ids.eui or item.ids.gateway_id).lower()
    at = next((antenna.location for antenna in item.antennas if antenna.location), None)
    place = _degrees(at)
    more = {"altitude": at.altitude} if at and place else {}
    return Proposal(
        key=f"{SOURCE}/gateway/{number}",
        cls="gateway",
        name_ru=item.name or item.ids.gateway_id,
        name_en=item.name or item.ids.gateway_id,
        lon=place[0] if place else None,
        lat=place[1] if place else None,
        attributes={"gateway_id": number, **more},
    )


def base_name(item: Item, application: str, known: Mapping[str, Profile]) -> str:
    """The profile that an attribute names, or one of the model's name, or one of its own."""
    told, version = item.attributes.get(PROFILE, ""), item.version_ids
    if told:
        return told if told in known else f"{PREFIX}-{slug(told)}"
    if not version.model_id:
        return f"{PREFIX}-{slug(application.partition('@')[0])}"
    for name in (slug(f"{version.brand_id}-{version.model_id}"), slug(version.model_id)):
        if name in known:
            return name
    parts = (version.brand_id, version.model_id, version.firmware_version)
    return f"{PREFIX}-{slug('-'.join(part for part in parts if part))}"


def profile_name(base: str, script: str, usual: str) -> str:
    """A kind of device whose formatter is not the usual one of its model or application is a kind of its own."""
    if script in ("", usual):
        return base
    return f"{base}-{hashlib.sha256(script.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"


def device(item: Item, profile: str, application: str, *, known: Mapping[str, Profile]) -> Proposal:
    """A device under the name that its topics carry."""
    registered, name = known.get(profile), item.ids.device_id
    place = _place(item.locations)
    told = {"application_id": application, "dev_eui": item.ids.dev_eui.lower()}
    told |= {ours: getattr(item.version_ids, theirs) for ours, theirs in VERSION.items()}
    labels = {key: value for key, value in item.attributes.items() if key not in OURS}
    return Proposal(
        key=f"{SOURCE}/device/{name}",
        cls=registered.class_ if registered else item.attributes.get(CLASS, DEFAULT_CLASS),
        name_ru=item.name or name,
        name_en=item.name or name,
        lon=place[0] if place else None,
        lat=place[1] if place else None,
        attributes={"description": item.description} if item.description else {},
        device=DeviceSpec(
            external_id=name,
            protocol=SOURCE,
            profile=profile,
            attributes={k: v for k, v in told.items() if v} | ({"labels": labels} if labels else {}),
        ),
    )


def radio(item: Item | None, version: Version) -> dict[str, Any]:
    """Class and region; a region that we have no duty cycle of, and what the network server does not say, left out."""
    band = version.band_id or (item.frequency_plan_id if item else "")
    region = next((ours for theirs, ours in BANDS.items() if band.startswith(theirs)), None)
    said: dict[str, Any] = {"region": region} if region else {}
    if item is not None:
        said["radio_class"] = "C" if item.supports_class_c else "B" if item.supports_class_b else "A"
    return said


def profile(item: Item, told: dict[str, Any]) -> dict[str, Any]:
    """A new profile; its map is proposed when its devices have been heard."""
    return {
        "class": item.attributes.get(CLASS, DEFAULT_CLASS),
        "protocol": SOURCE,
        "language": item.attributes.get(LANGUAGE, ""),
        "map": {},
        **told,
    }


def _place(locations: Mapping[str, Location]) -> tuple[float, float] | None:
    """The place that a person has set, else any."""
    at = locations.get("user") or next(iter(locations.values()), None)
    return _degrees(at)


def _degrees(at: Location | None) -> tuple[float, float] | None:
    if at is None or not (at.latitude or at.longitude):
        return None
    return (at.longitude, at.latitude) if abs(at.longitude) <= 180 and abs(at.latitude) <= 90 else None
