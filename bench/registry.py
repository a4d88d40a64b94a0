"""Benchmark `registry`: a file of 100,000 devices checked, taken in and given back; then searches in the list."""

import asyncio
import csv
import resource
import time
from pathlib import Path
from zoneinfo import ZoneInfo

from bench import city as cities
from bench.frame import BENCHMARKS, Report
from citynet.access import Actor
from citynet.catalog import catalog
from citynet.db import Database, dsn
from citynet.settings import Settings
from situation_center import registry_write
from situation_center.reference import exporting, importing
from situation_center.reference.outcome import SQL, Outcome, Work
from situation_center.views.registry import Filter, registry_page

DEVICES, DEVICES_QUICK = 100_000, 5_000
ROUNDS = 5
KINDS = (("lamp", "lamp-lora", "lighting"), ("water_meter", "water-meter", "water"), ("bin", "bin-lora", "waste"))
HEAD = ("key", "class", "name_ru", "service", "lon", "lat", "address", "tags", "external_id", "profile")
WHO = Actor(1, "bench", "administrator")
SEARCHES = {
    "first_page": Filter(),
    "eui": Filter(text="70b3d57e00000abc"),
    "word_of_all": Filter(text="объект"),
    "address": Filter(text="советов, д. 17"),
    "no_hit": Filter(text="zzzzzz"),
    "class": Filter(cls="water_meter"),
    "profile": Filter(profile="bin-lora"),
    "state_none": Filter(life_cycle="retired"),
    "two_filters": Filter(text="мира", service="water"),
}


def write_fleet(path: Path, devices: int) -> None:
    """A file of so many devices of three kinds, in Windows-1251 with semicolons."""
    with path.open("w", encoding="cp1251", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(HEAD)
        for n in range(devices):
            cls, profile, service = KINDS[n % 3]
            eui = f"70b3d57e{n:08x}"
            street = "Мира" if n % 2 else "Советов"
            place = (f"{37.6 + n % 997 / 3000:.6f}", f"{44.6 + n % 613 / 3000:.6f}")
            row = (
                f"{cls}/{eui}",
                cls,
                f"Объект {n}",
                service,
                *place,
                f"ул. {street}, д. {n % 500}",
                f"партия {n % 10}",
            )
            writer.writerow((*row, eui, profile))


async def _pass(db: Database, path: Path, *, apply: bool) -> tuple[Outcome, float]:
    async with db.transaction("part:bench") as conn:
        given = {"actor": "part:bench", "file_name": path.name, "body": None}
        row = await (await conn.execute(SQL["add_job"], given)).fetchone()
    assert row is not None
    work = Work(row["import_id"], catalog(), ZoneInfo("Europe/Moscow"), "part:bench")
    began = time.perf_counter()
    outcome = await importing.run(db, work, path, apply=apply)
    return outcome, time.perf_counter() - began


async def _measure(settings: Settings, path: Path, devices: int) -> dict[str, float]:
    db = await Database(dsn(settings, "center"), size=2).open()
    try:
        await registry_write.seed_catalog(db, catalog())
        write_fleet(path, devices)
        checked, check_s = await _pass(db, path, apply=False)
        taken, apply_s = await _pass(db, path, apply=True)
        if checked.rejected or not taken.applied:
            raise RuntimeError(f"the fleet was refused: {checked.reasons}")
        began = time.perf_counter()
        size = sum([len(piece) async for piece in exporting.as_csv(db, exporting.EVERYTHING)])
        figures = {
            "check_s": check_s,
            "apply_s": apply_s,
            "export_s": time.perf_counter() - began,
            "export_bytes": size,
        }
        for name, wanted in SEARCHES.items():
            figures[f"search_{name}_ms"] = await _search(db, wanted)
        figures["memory_peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        return figures
    finally:
        await db.close()


async def _search(db: Database, wanted: Filter) -> float:
    """The median of some rounds; the first one counts too."""
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await registry_page(db, WHO, wanted)
        found.append((time.perf_counter() - began) * 1000)
    return sorted(found)[ROUNDS // 2]


@BENCHMARKS.register("registry")
def registry(quick: bool) -> Report:
    """Seconds to check, take in and export a fleet; milliseconds of each search in it; memory of the process."""
    devices = DEVICES_QUICK if quick else DEVICES
    with cities.running(("worker",)) as city:
        path = city.settings.home / "fleet.csv"
        figures = asyncio.run(_measure(city.settings, path, devices))
    return Report({}, figures, {"devices": devices, "rounds": ROUNDS})
