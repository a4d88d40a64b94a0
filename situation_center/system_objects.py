"""The objects of the system itself, on which incidents about it are. Registered by the worker when it starts."""

from citynet.catalog import catalog
from citynet.model import Proposal, ProposalRequest
from situation_center import registry_write
from situation_center.store import Center

# Key -> name in Russian and English.
NAMES = {
    "system/sign_in": ("Служба входа устройств", "Device sign-in service"),
    "system/archive": ("Архив сырых кадров", "Archive of raw frames"),
    "system/disk_database": ("Диск базы данных", "Disk of the database"),
    "system/disk_broker": ("Диск брокера", "Disk of the broker"),
}


async def register(center: Center) -> None:
    """Propose all of them; what is there already stays."""
    objects = [Proposal(key=key, cls="system", name_ru=ru, name_en=en) for key, (ru, en) in NAMES.items()]
    await registry_write.apply(center, ProposalRequest("system", objects), catalog())
