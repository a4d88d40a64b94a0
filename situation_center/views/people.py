"""Whom work can be given to: people who may see an incident, organisations."""

from pathlib import Path

from typing_extensions import TypedDict

from citynet.access import Actor, allowed, require
from citynet.db import named_sql
from situation_center.store import Center
from situation_center.views.card import card

SQL = named_sql(Path(__file__).with_name("people.sql"))


class Assignee(TypedDict):
    """An account that may own an incident."""

    account_id: int
    login: str
    role: str


class Organisation(TypedDict):
    """A utility or contractor."""

    object_id: int
    name_ru: str
    name_en: str


async def assignees(db: Center, actor: Actor, incident_id: int) -> list[Assignee]:
    """Active accounts that may acknowledge this incident. Raises NotFound. Needs incident.assign."""
    row = (await card(db, actor, incident_id))["incident"]
    thing = {"service": row["service"]}
    require(actor, "incident.assign", thing)
    people = [
        Actor(p["account_id"], p["login"], p["role"], services=frozenset(p["services"]))
        for p in await db.rows(SQL["active_accounts"])
    ]
    fit = [p for p in people if allowed(p, "incident.acknowledge", thing)]
    return [{"account_id": p.account_id, "login": p.login, "role": p.role} for p in fit]


async def organisations(db: Center, actor: Actor) -> list[Organisation]:
    """All organisations by name. Needs registry.read."""
    require(actor, "registry.read")
    rows = await db.rows(SQL["organisations"])
    return [{"object_id": r["object_id"], "name_ru": r["name_ru"], "name_en": r["name_en"]} for r in rows]
