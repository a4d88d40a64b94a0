"""The push of a tab: one persistent callback that says what changed, at most a few times a second.

What was changed is read from the database for this viewer; the bus only says that something was.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from dash import Input, Output, callback, ctx, set_props

from citynet.access import Actor
from citynet.model import LiveChanged
from situation_center import auth, views
from situation_center.desk import desk, visit
from situation_center.live import Push, Subscription
from situation_center.screens.parts.failures import FAILURES
from situation_center.screens.parts.rows import clock_data, queue_row, strip_data

log = structlog.get_logger()
STORE = "push"
KINDS = ("incident", "command", "condition", "newest", "quarantine", "resync")
# One message gathers what happens within this time: an eye needs no more, and a flood costs no more.
GATHER_S = 0.25
BEAT_S = 2.0
FEEDS_MAX = 500
_running: set[int] = set()


@dataclass
class Changes:
    """What happened since the last message."""

    incidents: set[str] = field(default_factory=set)
    commands: set[str] = field(default_factory=set)
    conditions: bool = False
    newest: bool = False
    quarantine: bool = False
    everything: bool = False

    def add(self, push: Push) -> None:
        """Take in one push of the hub."""
        match push.kind:
            case "incident" | "command":
                ids = msgspec.json.decode(push.data, type=LiveChanged).ids
                (self.incidents if push.kind == "incident" else self.commands).update(ids)
            case "condition":
                self.conditions = True
            case "newest":
                self.newest = True
            case "quarantine":
                self.quarantine = True
            case _:
                self.everything = True


@dataclass
class Follower:
    """What one tab has been told already."""

    viewer: Actor
    known: dict[str, int] = field(default_factory=dict)
    sequence: int = 0

    async def message(self, changes: Changes) -> dict[str, Any]:
        """The next message: rows that are new or changed, ids that are gone, the strip, the clock."""
        db = desk().db
        full = self.sequence == 0 or changes.everything
        strip = await views.strip(db, self.viewer)
        body: dict[str, Any] = {
            "seq": self.sequence,
            "beat": True,
            "clock": clock_data(strip),
            "strip": strip_data(strip, self.viewer.language),
            "incidents": sorted(changes.incidents),
            "commands": sorted(changes.commands),
            "conditions": changes.conditions,
            "newest": changes.newest,
            "quarantine": changes.quarantine,
        }
        if full or changes.incidents:
            body |= await self._rows(full=full)
        self.sequence += 1
        return body

    async def _rows(self, *, full: bool) -> dict[str, Any]:
        rows = await views.queue(desk().db, self.viewer)
        now = {str(row["incident_id"]): row["change"] for row in rows}
        told = {} if full else self.known
        changed = [row for row in rows if told.get(str(row["incident_id"])) != row["change"]]
        gone = sorted(told.keys() - now.keys())
        self.known = now
        return {"full": full, "rows": [queue_row(row, self.viewer) for row in changed], "gone": gone}


async def gather(subscription: Subscription, wait_s: float) -> Changes:
    """What happens until wait_s is over, or shortly after the first change.

    New values alone wait: some come at any moment, and pages ask for theirs every two seconds at most.
    """
    changes, until = Changes(), time.monotonic() + wait_s
    while changes in (Changes(), Changes(newest=True)):
        try:
            changes.add(await asyncio.wait_for(subscription.get(), until - time.monotonic()))
        except TimeoutError:
            return changes
    await asyncio.sleep(GATHER_S)
    while not subscription.queue.empty():
        changes.add(await subscription.get())
    return changes


async def _next(follower: Follower, changes: Changes) -> dict[str, Any] | None:
    """None while database or broker are away: the browser notices the silence."""
    try:
        return await follower.message(changes)
    except FAILURES as error:
        follower.sequence = 0
        log.warning("push waits", error=str(error))
        await asyncio.sleep(BEAT_S)
        return None


async def _follow(subscription: Subscription) -> None:
    seen = visit()
    follower = Follower(seen.actor)
    changes = Changes()
    while not ctx.websocket.is_shutdown:
        actor = await auth.actor_of(desk().db, seen.token)
        if actor is None:
            set_props(STORE, {"data": {"ended": True}})
            return
        follower.viewer = actor
        message = await _next(follower, changes)
        if message:
            set_props(STORE, {"data": message})
        changes = await gather(subscription, BEAT_S)


@callback(websocket=True, persistent=True)
async def feed() -> None:
    """Runs as long as the tab's socket."""
    if len(_running) >= FEEDS_MAX:
        log.warning("too many open screens", limit=FEEDS_MAX)
        return
    subscription = desk().hub.subscribe(*KINDS)
    _running.add(id(subscription))
    try:
        await _follow(subscription)
    finally:
        _running.discard(id(subscription))
        desk().hub.unsubscribe(subscription)


@callback(Output("all-rows", "data"), Input("resync", "data"), prevent_initial_call=True)
async def _resync(_: int) -> list[dict[str, Any]]:
    """The whole queue, for a browser that has missed a message."""
    who = visit().actor
    return [queue_row(row, who) for row in await views.queue(desk().db, who)]
