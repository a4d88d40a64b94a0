"""Maps for profiles that came with a synchronisation: from what their devices have said, by names and units.

Decision 0038. Called after a synchronisation and until the devices have been heard."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog

from citynet.bus import NatsBus
from citynet.catalog import Profile
from citynet.db import Database
from citynet.errors import BadInput
from citynet.settings import Settings
from gateway import scripted
from gateway.chirpstack.events import read
from gateway.chirpstack.forms import Event
from gateway.chirpstack.sync import SQL, Found
from gateway.codecs import Codec
from gateway.codecs.pool import Pool
from gateway.normalise.maps import profile_map
from gateway.wire import Radio, moment_us, subject_token

log = structlog.get_logger()
OUTPUTS = 10  # of different devices are enough
UPLINK = "up.*.{}.chirpstack.*.up"


async def propose(
    db: Database, bus: NatsBus, pool: Pool, *, unmapped: Mapping[str, Sequence[str]], settings: Settings
) -> Found:
    """Profiles with the maps that the last uplinks of their devices suggest; those not heard are left out."""
    found = Found()
    if not unmapped:
        return found
    profiles = {row["name"]: Profile.model_validate(row["body"]) for row in await db.rows(SQL["profiles"])}
    scripts = {row["profile"]: Codec(row["source"], row["version"]) for row in await db.rows(SQL["scripts"])}
    for name, devices in unmapped.items():
        profile = profiles.get(name)
        if profile is None or profile.map:
            continue
        outputs = await _outputs(bus, pool, scripts.get(name), devices=devices, depth_max=settings.json_depth)
        # What is guessed waits for a person: the pipeline maps by no guess.
        made, doubtful = profile_map(((one, "") for one in outputs), guesses=False)
        if made:
            found.profiles[name] = profile.model_dump(mode="json", by_alias=True) | {"map": made}
            log.info("a map was proposed", profile=name, keys=sorted(made), doubtful=doubtful, outputs=len(outputs))
    return found


async def _outputs(
    bus: NatsBus, pool: Pool, script: Codec | None, *, devices: Sequence[str], depth_max: int
) -> list[Any]:
    """What the newest uplinks of these devices say, decoded by the script or, without one, by the network."""
    outputs: list[Any] = []
    for device in devices:
        body = await bus.last("UPLINKS", UPLINK.format(subject_token(device)))
        if body is None:
            continue
        try:
            event, decoded = read("up", body, depth_max)
            said = await _said(pool, script, event) if script else decoded
        except BadInput:
            continue  # the road of uplinks says why
        if isinstance(said, dict):
            outputs.append(said)
        if len(outputs) == OUTPUTS:
            break
    return outputs


async def _said(pool: Pool, script: Codec, event: Event) -> Any:
    radio = Radio(moment_us(event.time), event.f_port, event.data)
    call = scripted.call(radio, (radio.time or 0) // 1000, None)
    (result,) = await pool.run(script, "uplink", [call])
    return msgspec.to_builtins(scripted.output(result).data)
