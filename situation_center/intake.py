"""Takes in conditions that changed: each becomes part of an incident exactly once. Called by the worker."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from citynet.db import Connection, Row
from citynet.registry import Registry
from situation_center import incident_rows
from situation_center.incident_rows import SQL
from situation_center.incident_states import FINISHED, Change, deadline_of
from situation_center.stages import RADIO_GATEWAY, Alarm, City, Incident, Why, alarm_of, judge
from situation_center.store import Center, city_now

ACTOR = "part:worker"
BATCH = 500
# Change numbers are given before the commit: one that is this much older may still appear.
LATE_CHANGES = 5_000


async def take_in(db: Center, registry: Registry, *, since: int) -> tuple[int, int]:
    """Handle at most BATCH changed conditions: (how many, the highest change seen). Announces the incidents touched."""
    async with db.transaction(ACTOR) as conn:
        query = SQL["changed_conditions"]
        rows = await (await conn.execute(query, {"since": since - LATE_CHANGES, "batch": BATCH})).fetchall()
        if not rows:
            return 0, since
        now = await city_now(conn)
        city = await _city(conn, registry)
        await _gateways(conn, city, [row["object_id"] for row in rows])
        intake = Intake(conn, city, now)
        for row in sorted(rows, key=lambda r: (len(city.parents(r["object_id"])), r["opened"], r["condition_id"])):
            await intake.take(row)
        await intake.finish(rows)
    await db.announce("incident", *sorted(intake.touched))
    return len(rows), max(since, *(row["change"] for row in rows))


async def _city(conn: Connection, registry: Registry) -> City:
    city = City(registry)
    for row in await (await conn.execute(SQL["open_incidents"])).fetchall():
        rule = registry.rules.get(row["type"])
        city.incidents[row["incident_id"]] = Incident(
            incident_id=row["incident_id"],
            type=row["type"],
            signal=rule[1].signal if rule else "",
            object_id=row["object_id"],
            state=row["state"],
            priority=row["priority"],
            opened=row["opened"],
            newest=row["newest"] or row["opened"],
            owned=row["owner_id"] is not None,
        )
    for row in await (await conn.execute(SQL["open_conditions"])).fetchall():
        city.by_signal[(row["object_id"], row["signal"])] = row["incident_id"]
        if row["state"] == "active":
            city.down.setdefault(row["object_id"], {})[row["signal"]] = (row["incident_id"], row["opened"])
    return city


async def _gateways(conn: Connection, city: City, objects: list[int]) -> None:
    """Which radio gateways hear these objects and those of open incidents, where any gateway is concerned."""
    concerned = {*objects, *(one.object_id for one in city.incidents.values())}
    known = city.registry.objects
    if any(one in known and known[one].class_ == RADIO_GATEWAY for one in {*concerned, *city.down}):
        for row in await (await conn.execute(SQL["heard_by"], {"ids": sorted(concerned)})).fetchall():
            city.gateways[row["object_id"]] = frozenset(row["gateways"])


class Intake:
    """One batch in one transaction: new incidents at once, joins gathered and written together."""

    def __init__(self, conn: Connection, city: City, now: datetime) -> None:
        self.conn, self.city, self.now = conn, city, now
        self.touched: set[int] = set()
        self._joins: list[dict[str, Any]] = []

    async def take(self, row: Row) -> None:
        """One condition: known ones touch their incident, new ones go through the stages."""
        if row["incident_id"] is not None:
            self.touched.add(row["incident_id"])
            return
        alarm = alarm_of(row, self.city)
        if alarm is None:
            return
        alarm = judge(alarm, self.city)
        incident_id = alarm.incident_id
        if incident_id is None and alarm.rule.kind != "operational":
            return
        if incident_id is None:
            incident_id = await self._open(alarm, row)
        elif alarm.why:
            await self._raise(alarm, incident_id)
        self._join(alarm, incident_id)
        self.city.note(alarm, incident_id, active=row["state"] == "active")
        self.touched.add(incident_id)

    async def _open(self, alarm: Alarm, row: Row) -> int:
        given = {
            "type": alarm.rule.id,
            "object_id": alarm.object_id,
            "service": alarm.place.service,
            "org_id": alarm.org_id,
            "zone_ids": alarm.place.zone_ids,
            "severity": alarm.severity,
            "priority": alarm.priority,
            "condition_active": row["state"] == "active",
            "title_ru": alarm.rule.title_ru,
            "title_en": alarm.rule.title_en,
            "why_ru": row["why_ru"],
            "why_en": row["why_en"],
            "action_ru": alarm.rule.action_ru,
            "action_en": alarm.rule.action_en,
            "opened": alarm.opened,
            "deadline": alarm.deadline,
            "deadline_kind": alarm.deadline_kind,
        }
        made = await (await self.conn.execute(SQL["add_incident"], given)).fetchone()
        assert made is not None
        opened = Change("open", {}, f"P{alarm.priority}: {row['why_ru']}", f"P{alarm.priority}: {row['why_en']}")
        await incident_rows.add_log(self.conn, made, opened, actor=ACTOR, now=self.now)
        await incident_rows.notify(self.conn, made, "open", actor=ACTOR, now=self.now)
        incident_id = int(made["incident_id"])
        self.city.incidents[incident_id] = Incident(
            incident_id=incident_id,
            type=alarm.rule.id,
            signal=alarm.signal,
            object_id=alarm.object_id,
            state="new",
            priority=alarm.priority,
            opened=alarm.opened,
            newest=alarm.opened,
        )
        for child in alarm.adopts:
            await self._adopt(alarm, child, into=incident_id)
        return incident_id

    async def _adopt(self, alarm: Alarm, child: int, *, into: int) -> None:
        row = await incident_rows.lock(self.conn, child)
        if row["state"] != "new" or row["owner_id"] is not None:
            return
        ru, en = f"причина: {alarm.place.name_ru}", f"merged by: {alarm.place.name_en}"
        columns = {"state": "merged", "merged_into": into, "closed": self.now, "deadline": None, "deadline_kind": None}
        await self._flush()
        await incident_rows.write(self.conn, row, Change("merge", columns, ru, en), actor=ACTOR, now=self.now)
        given = {"incident_id": child, "into": into, "merged_by": merged_by(Why("parent", ru, en))}
        await self.conn.execute(SQL["move_conditions"], given)
        del self.city.incidents[child]
        self.city.by_signal = {k: into if v == child else v for k, v in self.city.by_signal.items()}
        self.touched |= {child, into}

    async def _raise(self, alarm: Alarm, incident_id: int) -> None:
        """The same trouble got worse: the incident's priority follows. A child never raises its parent."""
        known = self.city.incidents.get(incident_id)
        if known is None or alarm.priority >= known.priority or (alarm.why and alarm.why.by == "parent"):
            return
        row = await incident_rows.lock(self.conn, incident_id)
        columns: dict[str, Any] = {"priority": alarm.priority, "severity": alarm.severity}
        columns["deadline"], columns["deadline_kind"] = deadline_of(row["state"], alarm.priority, row["opened"])
        text = f"P{row['priority']} → P{alarm.priority}"
        await incident_rows.write(self.conn, row, Change("priority", columns, text, text), actor=ACTOR, now=self.now)

    def _join(self, alarm: Alarm, incident_id: int) -> None:
        why = merged_by(alarm.why) if alarm.why else ""
        given = {"condition_id": alarm.condition_id, "incident_id": incident_id, "merged_by": why, "at": self.now}
        if alarm.why:
            place = alarm.place
            said = {"ru": f"{place.name_ru}: {alarm.why.ru}", "en": f"{place.name_en}: {alarm.why.en}"}
            given |= {"text": said["en"], "detail": Jsonb(said)}
        self._joins.append(given)

    async def _flush(self) -> None:
        if not self._joins:
            return
        async with self.conn.cursor() as cursor:
            await cursor.executemany(SQL["add_condition"], self._joins)
            said = [join | {"actor": ACTOR, "action": "join"} for join in self._joins if "text" in join]
            if said:
                await cursor.executemany(SQL["add_log"], said)
        self._joins.clear()

    async def finish(self, rows: list[Row]) -> None:
        """Write what was gathered, recount the incidents touched, remember the conditions as seen."""
        await self._flush()
        for incident_id in sorted(self.touched):
            row = await incident_rows.lock(self.conn, incident_id)
            if row["state"] not in FINISHED:
                await incident_rows.recount(self.conn, row, actor=ACTOR, now=self.now)
        seen = {"ids": [row["condition_id"] for row in rows], "changes": [row["change"] for row in rows]}
        await self.conn.execute(SQL["see_conditions"], seen)


def merged_by(why: Why) -> str:
    """A machine's decision as it is kept: both languages."""
    return msgspec.json.encode({"by": why.by, "ru": why.ru, "en": why.en}).decode()
