"""Watches the disks of the database and of the broker where this machine sees them: tells in time that one fills up,
and lets ingest take no more readings before the database has no room; they wait in the broker (decision 0049)."""

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from citynet.part import Part
from citynet.settings import Settings
from ingest.lane import AWAY
from ingest.telling import State, tell

log = structlog.get_logger()
LOOK_S = 1.0
SHORT, FULL = "system.disk_short", "system.disk_full"
CALM = 2.0  # percent below the alarm that count as well again
ROOM = 1.2  # so many times the room at which taking stops lets it go on
NAMES = {"database": ("базы данных", "of the database"), "broker": ("брокера", "of the broker")}
SHORT_WORDS = (
    "Диск {name} заполнен на {percent:.0f} %, свободно {free} ГБ",
    "The disk {name} is {percent:.0f} % full, {free} GB are free",
)
SHORT_BACK = ("Вернулось к норме: на диске {name} есть место", "Back to normal: the disk {name} has room")
FULL_WORDS = (
    "Приём показаний остановлен: на диске {name} осталось {free} ГБ. Показания ждут в брокере и не теряются",
    "No readings are taken: the disk {name} has {free} GB left. Readings wait in the broker, none is lost",
)
FULL_BACK = (
    "Приём показаний продолжается: на диске {name} есть место",
    "Readings are taken again: the disk {name} has room",
)


def folders(settings: Settings) -> dict[str, Path]:
    """A folder on the disk of each server: the one that is given, else that of a bundled server."""
    servers = {
        "database": (settings.database_disk, settings.database_url, "postgres"),
        "broker": (settings.broker_disk, settings.nats_url, "nats"),
    }
    return {
        name: Path(given) if given else settings.home / own
        for name, (given, outside, own) in servers.items()
        if given or not outside
    }


@dataclass
class Disk:
    """What was seen of one disk. full: so little room that nothing more may be written."""

    name: str
    folder: Path
    used: float = 0.0
    free_bytes: int = 0
    short: bool = False
    full: bool = False
    told: tuple[bool, bool] | None = None

    def look(self, settings: Settings) -> None:
        """Raises OSError when the folder cannot be looked at."""
        usage = shutil.disk_usage(self.folder)
        self.free_bytes, room = usage.free, usage.used + usage.free
        self.used = usage.used / room if room else 1.0
        alarm = settings.disk_alarm_percent / 100
        self.short = self.used >= alarm - (CALM / 100 if self.short else 0.0)
        # A tenth of a small disk is enough.
        least = min(settings.disk_stop_free_bytes, room / 10)
        self.full = usage.free < least * (ROOM if self.full else 1.0)


@dataclass
class Watch:
    """Looks every second. The part's `room` says whether lanes with many bytes may take."""

    part: Part
    disks: list[Disk] = field(init=False)

    def __post_init__(self) -> None:
        self.disks = [Disk(name, folder) for name, folder in folders(self.part.settings).items()]

    async def run(self) -> None:
        """Watch until the part stops; whatever a predecessor saw is forgotten."""
        self.part.room.set()
        while not self.part.stopping.is_set():
            for disk in self.disks:
                await self._look(disk)
                if disk.told != (disk.short, disk.full):
                    await self._tell(disk)
            await self.part.pause(LOOK_S)

    async def _look(self, disk: Disk) -> None:
        try:
            await asyncio.to_thread(disk.look, self.part.settings)
        except OSError as error:
            log.debug("a disk cannot be watched", disk=disk.name, folder=str(disk.folder), error=str(error))
            return
        self.part.gauges[f"disk_{disk.name}_used"] = 100 * disk.used
        self.part.gauges[f"disk_{disk.name}_free_bytes"] = float(disk.free_bytes)
        if disk.name == "database" and disk.full == self.part.room.is_set():
            self._gate(disk)

    def _gate(self, disk: Disk) -> None:
        if disk.full:
            self.part.room.clear()
            log.error("no readings are taken: the disk of the database is nearly full", free_bytes=disk.free_bytes)
        else:
            self.part.room.set()
            log.info("readings are taken again: the disk of the database has room", free_bytes=disk.free_bytes)
        self.part.gauges["taking"] = float(not disk.full)

    async def _tell(self, disk: Disk) -> None:
        """A database that is away, or an object that is not registered yet, is told at the next look."""
        now = (disk.short, disk.full)
        states = {SHORT: _state(disk, bad=disk.short, why=SHORT_WORDS, back=SHORT_BACK)}
        if disk.name == "database":
            states[FULL] = _state(disk, bad=disk.full, why=FULL_WORDS, back=FULL_BACK)
        try:
            said = [
                await tell(self.part, rule, key=f"system/disk_{disk.name}", state=state)
                for rule, state in states.items()
            ]
        except AWAY as error:
            log.warning("the state of a disk cannot be told", disk=disk.name, error=str(error).partition("\n")[0])
            return
        if all(said):
            disk.told = now


def _state(disk: Disk, *, bad: bool, why: tuple[str, str], back: tuple[str, str]) -> State:
    percent, free = 100 * disk.used, f"{disk.free_bytes / 1e9:.1f}"
    frees = (free.replace(".", ","), free)
    told = [
        text.format(name=n, percent=percent, free=f) for text, n, f in zip(why, NAMES[disk.name], frees, strict=True)
    ]
    calm = [text.format(name=n) for text, n in zip(back, NAMES[disk.name], strict=True)]
    return State(bad=bad, well=not bad, value=percent, why=(told[0], told[1]), back=(calm[0], calm[1]))
