"""Maps for profiles that came with a synchronisation: from what their devices have said, by names and units.

Decision 0038. Called after a synchronisation and until the devices have been heard."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from citynet.bus import NatsBus
from citynet.catalog import Profile, catalog
from citynet.db import Database
from citynet.errors import BadInput
from citynet.settings import Settings
from gateway import scripted
from gateway.codecs import Codec
from gateway.codecs.pool import Pool
from gateway.devices import codec_of
from gateway.normalise import Known
from gateway.normalise.maps import profile_map
from gateway.sync.found import SQL, Found
from gateway.sync.network import Network, Said
from gateway.wire import subject_token

log = structlog.get_logger()
OUTPUTS = 10  # of different devices are enough
# What a device family that is not ours may do to bytes that it does not expect.
FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error)


@dataclass(frozen=True)
class Ears:
    """What hears the devices of one network server: the streams, the profiles and what decodes for them."""

    network: Network
    bus: NatsBus
    pool: Pool
    settings: Settings

    async def outputs(self, profile: Profile, script: Codec | None, devices: Sequence[str]) -> list[Any]:
        """What the newest uplinks of these devices say, decoded as the road of uplinks would."""
        outputs: list[Any] = []
        for device in devices:
            body = await self.bus.last("UPLINKS", self.network.uplink.format(subject_token(device)))
            if body is None:
                continue
            try:
                said = await self._said(profile, script, self.network.read(body, self.settings))
            except (BadInput, *FAULTS):
                continue  # the road of uplinks says why
            if isinstance(said, dict):
                outputs.append(said)
            if len(outputs) == OUTPUTS:
                break
        return outputs

    async def _said(self, profile: Profile, script: Codec | None, said: Said) -> Any:
        radio, family = said.radio, codec_of(profile, profile.name, {})
        if script and radio:
            call = scripted.call(radio, (radio.time or 0) // 1000, None)
            (result,) = await self.pool.run(script, "uplink", [call])
            return msgspec.to_builtins(scripted.output(result).data)
        if said.decoded or family is None or radio is None:
            return said.decoded
        return family.decode(radio.data, radio.f_port)


def sector_of(profile: Profile) -> str:
    """The city service whose objects have the class of a profile: it decides between readings of bare words."""
    return next((one.name for one in catalog().services.values() if profile.class_ in one.classes), "")


async def propose(db: Database, ears: Ears, unmapped: Mapping[str, Sequence[str]]) -> Found:
    """Profiles with the maps that the last uplinks of their devices suggest; those not heard are left out."""
    found = Found(ears.network.source)
    if not unmapped:
        return found
    profiles = {row["name"]: Profile.model_validate(row["body"]) for row in await db.rows(SQL["profiles"])}
    scripts = {row["profile"]: Codec(row["source"], row["version"]) for row in await db.rows(SQL["scripts"])}
    for name, devices in unmapped.items():
        profile = profiles.get(name)
        if profile is not None and profile.map:
            found.kept.append(name)  # a person was faster
        if profile is None or profile.map:
            continue
        outputs = await ears.outputs(profile, scripts.get(name), devices)
        # What is guessed waits for a person: the pipeline maps by no guess.
        known = Known(sector_of(profile), guesses=False)
        made, doubtful = profile_map((one, known) for one in outputs)
        if made:
            found.profiles[name] = profile.model_dump(mode="json", by_alias=True) | {"map": made}
            log.info("a map was proposed", profile=name, keys=sorted(made), doubtful=doubtful, outputs=len(outputs))
    return found
