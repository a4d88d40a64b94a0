"""Gateways, devices and device profiles of ChirpStack as proposals to the registry. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from chirpstack_api import common

from citynet.catalog import Profile
from citynet.model import DeviceSpec, Proposal

SOURCE = "chirpstack"
REGIONS = ("EU868", "RU864")
# Tags of ChirpStack's device profiles and devices that speak to us.
PROFILE_TAG, CLASS_TAG, LANGUAGE_TAG = "citynet_profile", "citynet_class", "citynet_language"
LON_TAG, LAT_TAG = "lon", "lat"
DEFAULT_CLASS = "sensor"


def slug(name: str) -> str:
    """A profile's name as the registry writes names."""
    return re.sub(r"[^\w]+", "-", name.lower()).strip("-") or "unnamed"


def gateway(item: Any) -> Proposal:
    at = item.location
    placed = item.HasField("location") and (at.latitude or at.longitude)
    gateway_id = item.gateway_id.lower()
    return Proposal(
        key=f"{SOURCE}/gateway/{gateway_id}",
        cls="gateway",
        name_ru=item.name or gateway_id,
        name_en=item.name or gateway_id,
        lon=at.longitude if placed else None,
        lat=at.latitude if placed else None,
        attributes={"gateway_id": gateway_id, "altitude": at.altitude} if placed else {"gateway_id": gateway_id},
    )


def profile_name(profile: Any, known: Mapping[str, Profile]) -> str:
    """The profile that a tag names, or one of the same name, or one of its own."""
    name = str(profile.tags.get(PROFILE_TAG, "")) or slug(profile.name)
    return name if name in known else f"{SOURCE}-{slug(profile.name)}"


def device(item: Any, profile: Any, application: str, *, known: Mapping[str, Profile]) -> Proposal:
    name = profile_name(profile, known)
    registered = known.get(name)
    cls = registered.class_ if registered else str(profile.tags.get(CLASS_TAG, DEFAULT_CLASS))
    place = _place(item.tags)
    eui = item.dev_eui.lower()
    return Proposal(
        key=f"{SOURCE}/device/{eui}",
        cls=cls,
        name_ru=item.name or eui,
        name_en=item.name or eui,
        lon=place[0] if place else None,
        lat=place[1] if place else None,
        attributes={"description": item.description} if item.description else {},
        device=DeviceSpec(
            external_id=eui, protocol="chirpstack", profile=name, attributes={"application_id": application}
        ),
    )


def _place(tags: Any) -> tuple[float, float] | None:
    try:
        lon, lat = float(tags[LON_TAG]), float(tags[LAT_TAG])
    except (KeyError, ValueError):
        return None
    return (lon, lat) if abs(lon) <= 180 and abs(lat) <= 90 else None


def radio(item: Any) -> dict[str, Any]:
    """What ChirpStack knows of the radio of a profile's devices; a region that we have no duty cycle of is left out."""
    region = common.Region.Name(item.region)
    said = {"radio_class": "C" if item.supports_class_c else "B" if item.supports_class_b else "A"}
    return said | ({"region": region} if region in REGIONS else {})


def profile(item: Any) -> dict[str, Any]:
    """A new profile; its map is proposed when its devices have been heard."""
    return {
        "class": str(item.tags.get(CLASS_TAG, DEFAULT_CLASS)),
        "protocol": SOURCE,
        "language": str(item.tags.get(LANGUAGE_TAG, "")),
        "interval_s": item.uplink_interval or 3600,
        "map": {},
        **radio(item),
    }
