"""What the tests of the situation centre share: a centre on the test's database, a small city, people, conditions."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from citynet import registry
from citynet.access import Actor
from citynet.bus import connect
from citynet.catalog import catalog
from citynet.db import Database, dsn
from citynet.model import DeviceSpec, Proposal, ProposalRequest
from citynet.registry import Registry
from citynet.settings import Settings
from situation_center import accounts, registry_write
from situation_center.store import Center, city_now

BOX = [[37.70, 44.70], [37.80, 44.70], [37.80, 44.75], [37.70, 44.75], [37.70, 44.70]]


class NobodyListens:
    """A bus for tests that look at the database only: what is pushed is kept."""

    def __init__(self) -> None:
        self.pushed: list[tuple[str, bytes]] = []

    async def push(self, subject: str, data: bytes) -> None:
        self.pushed.append((subject, data))


@asynccontextmanager
async def quiet_center(settings: Settings) -> AsyncIterator[Center]:
    center = Center(dsn(settings, "center"), NobodyListens(), settings)  # type: ignore[arg-type]
    await center.open()
    yield center
    await center.close()


@asynccontextmanager
async def live_center(settings: Settings) -> AsyncIterator[Center]:
    bus = await connect(settings, "center")
    center = Center(dsn(settings, "center"), bus, settings)
    await center.open()
    yield center
    await center.close()
    await bus.close()


def place(key: str, cls: str, *, at: tuple[float, float], **more: Any) -> Proposal:
    profile = more.pop("profile", None)
    protocol = more.pop("protocol", "native")
    spec = None
    if profile:
        spec = DeviceSpec(external_id=key.replace("/", "-"), protocol=protocol, profile=profile)
    lon, lat = at
    return Proposal(key=key, cls=cls, name_ru=f"Объект {key}", name_en=key, lon=lon, lat=lat, device=spec, **more)


def small_city() -> list[Proposal]:
    water = {"service": "water", "org": "org/water"}
    lights = {"service": "lighting", "org": "org/lighting"}
    waste = {"service": "waste", "org": "org/waste"}
    orgs = [
        Proposal(key=f"org/{n}", cls="organisation", name_ru=f"Служба {n}", name_en=n)
        for n in ("water", "lighting", "waste")
    ]
    area = Proposal(
        key="district/1",
        cls="district",
        name_ru="Район",
        name_en="District",
        geometry={"type": "Polygon", "coordinates": [BOX]},
    )
    return [
        *orgs,
        area,
        place("inlet/1", "district_inlet", at=(37.75, 44.72), profile="district-inlet", **water),
        place("valve/1", "valve", at=(37.751, 44.72), profile="valve", **water),
        place("cabinet/1", "cabinet", at=(37.76, 44.72), profile="lamp-cabinet", **lights),
        place("cabinet/2", "cabinet", at=(37.77, 44.72), **lights),
        *[
            place(
                f"lamp/{n}",
                "lamp",
                at=(37.76 + n / 1000, 44.72),
                profile="lamp",
                parent=f"cabinet/{1 if n < 6 else 2}",
                **lights,
            )
            for n in range(1, 9)
        ],
        place("gateway/1", "gateway", at=(37.78, 44.73), profile="lora-gateway", **waste),
        *[
            place(
                f"bin/{n}",
                "bin",
                at=(37.78, 44.73 + n / 1000),
                profile="bin-lora",
                protocol="chirpstack",
                parent="gateway/1",
                **waste,
            )
            for n in range(1, 6)
        ],
        place("air/1", "air_station", at=(37.75, 44.73), profile="air-station", service="air"),
        place("air/2", "air_station", at=(37.76, 44.74), profile="air-station", service="air"),
    ]


@dataclass
class Town:
    """A small city in a database: centre, ids by key, a connection with the rights of ingest."""

    center: Center
    ingest: Database
    ids: dict[str, int]
    registry: Registry

    def series(self, key: str, quantity: str) -> int:
        return self.registry.by_point[(self.ids[key], quantity, "")]

    async def now(self) -> datetime:
        async with self.center.reader() as conn:
            return await city_now(conn)

    async def condition(
        self, rule_id: str, key: str, *, ago_s: float = 0, state: str = "active", severity: str | None = None
    ) -> int:
        """A condition as ingest folds it; its id."""
        rule = catalog().rules[rule_id]
        opened = await self.now() - timedelta(seconds=ago_s)
        given = {
            "rule": rule_id,
            "object": self.ids[key],
            "signal": rule.signal,
            "severity": severity or rule.severity,
            "state": state,
            "opened": opened,
            "returned": opened if state == "returned" else None,
            "event": uuid.uuid4(),
        }
        async with self.ingest.transaction("part:ingest") as conn:
            row = await (await conn.execute(CONDITION, given)).fetchone()
        assert row
        return int(row["condition_id"])

    async def returned(self, condition_id: int, *, ago_s: float = 0) -> None:
        async with self.ingest.transaction("part:ingest") as conn:
            await conn.execute(
                "UPDATE condition SET state = 'returned', returned = %s, change = nextval('condition_change') "
                "WHERE condition_id = %s",
                [await self.now() - timedelta(seconds=ago_s), condition_id],
            )

    async def receipt(self, command_id: uuid.UUID, kind: str, detail: str = "") -> None:
        async with self.ingest.transaction("part:ingest") as conn:
            await conn.execute(
                "INSERT INTO receipt (command_id, kind, time, detail) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [command_id, kind, await self.now(), detail],
            )

    async def newest(self, key: str, quantity: str, value: float) -> None:
        now = datetime.now(UTC)
        async with self.ingest.transaction("part:ingest") as conn:
            await conn.execute(
                "INSERT INTO newest VALUES (%s, %s, %s, %s, 0, nextval('newest_change')) ON CONFLICT (series_id) "
                "DO UPDATE SET value = excluded.value, time = excluded.time, change = excluded.change",
                [self.series(key, quantity), now, now, value],
            )


CONDITION = """
INSERT INTO condition (rule_id, rule_version, object_id, signal, severity, state, opened, returned, first_seen,
  last_seen, value, why_ru, why_en, event_id, change)
VALUES (%(rule)s, 1, %(object)s, %(signal)s, %(severity)s, %(state)s, %(opened)s, %(returned)s, %(opened)s,
  %(opened)s, 1.0, 'почему', 'why', %(event)s, nextval('condition_change'))
RETURNING condition_id
"""


@asynccontextmanager
async def town_of(center: Center) -> AsyncIterator[Town]:
    await registry_write.seed_catalog(center, catalog())
    await registry_write.apply(center, ProposalRequest("test", small_city()), catalog())
    known = await registry.load(center)
    ids = {o.key: i for i, o in known.objects.items()}
    ingest = await Database(dsn(center.settings, "ingest"), size=1).open()
    yield Town(center, ingest, ids, known)
    await ingest.close()


async def person(center: Center, login: str, role: str, *, services: tuple[str, ...] = ()) -> Actor:
    account = accounts.NewAccount(login, role, services=services)
    account_id = await accounts.add(center, account, by="part:test")
    return Actor(account_id, login, role, services=frozenset(services))
