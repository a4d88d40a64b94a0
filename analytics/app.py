"""`citynet run analytics`: eight partitions, live and history lane each, the outbox, the check of rules; one active."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec
from pydantic import ValidationError

from analytics.city import City, quantities_by_class
from analytics.directory import Directory
from analytics.lane import Lane
from analytics.rules import compile_rule
from analytics.store import Store
from citynet.bus import ANALYTICS_HISTORY, ANALYTICS_LIVE, Incoming
from citynet.catalog import Rule, catalog
from citynet.errors import BadInput
from citynet.model import PARTITIONS, Reply
from citynet.part import Part, together

MAIL_EVERY_S = 5.0


async def run(part: Part) -> None:
    """Work until the part stops. Raises Unavailable when broker or database is away; nothing is lost or repeated."""
    directory = Directory(part)
    await directory.refresh()
    store, mail = Store(part.db), asyncio.Event()
    lanes = [Lane(part, directory, store, directory.engine(), number, mail) for number in range(PARTITIONS)]
    await restore(part, lanes)
    await directory.look_at_gateways()
    directory.on_change.append(lambda city: configure(lanes, city))
    unsubscribe = await part.bus.subscribe("rpc.rule.check", check_rule)
    try:
        await together([*await pulling(part, lanes), directory.follow(), deliver(part, store, mail)])
    finally:
        await unsubscribe()


async def restore(part: Part, lanes: list[Lane]) -> None:
    """Bring every lane to its last checkpoint."""
    uplinks, readings = [(await part.bus.stream_state(name))[2] for name in ("UPLINKS", "READINGS")]
    for lane in lanes:
        await lane.restore(uplinks, readings)


async def configure(lanes: list[Lane], city: City) -> None:
    """Give every engine the new city."""
    for lane in lanes:
        lane.events += lane.engine.configure(city)


async def pulling(part: Part, lanes: list[Lane]) -> list[Coroutine[Any, Any, None]]:
    """The work of all lanes."""
    turn = asyncio.Lock()
    work: list[Coroutine[Any, Any, None]] = []
    for lane in lanes:
        work.append(lane.live(await part.bus.puller(ANALYTICS_LIVE[lane.number])))
        work.append(lane.history(await part.bus.puller(ANALYTICS_HISTORY[lane.number]), turn))
    return work


async def deliver(part: Part, store: Store, mail: asyncio.Event) -> None:
    """Publish the outbox: what an earlier process left first, then whenever a checkpoint brings events."""
    while not part.stopping.is_set():
        mail.clear()
        while await store.publish(part.bus):
            continue
        try:
            await asyncio.wait_for(mail.wait(), MAIL_EVERY_S)
        except TimeoutError:
            continue


async def check_rule(message: Incoming) -> bytes:
    """Answer rpc.rule.check: body is a rule as JSON; the error is for its author."""
    try:
        rule = Rule.model_validate_json(message.data)
        known = quantities_by_class(catalog().profiles).get(rule.class_)
        compile_rule(rule, 1, quantities=known or catalog().quantities)
    except ValidationError as error:
        first = error.errors()[0]
        return msgspec.json.encode(Reply(False, error=f"{'.'.join(map(str, first['loc']))}: {first['msg']}"))
    except BadInput as error:
        return msgspec.json.encode(Reply(False, error=error.detail))
    return msgspec.json.encode(Reply(True))
