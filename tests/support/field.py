"""Devices of the simulators in the registry, with the tokens that they were made with."""

from collections.abc import Sequence

import msgspec

from citynet.catalog import catalog
from citynet.db import Database
from citynet.model import Proposal
from citynet.settings import Settings
from simulators import registration
from situation_center import credentials, registry_write


async def admit(database: Database, settings: Settings, devices: Sequence[Proposal]) -> None:
    """Registers devices without what they hang on, and their tokens."""
    alone = [msgspec.structs.replace(one, parent=None, org=None) for one in devices]
    for request in registration.requests("test", alone, settings):
        await registry_write.apply(database, request, catalog())
        await credentials.enrol(database, request.tokens, by="test")
