"""Injected failures of commands: parts die at exact steps, devices are off, refuse, are late, people change their mind.

The truth is known at the simulated devices. Nothing is shown better than it, and each command ends exactly once.
"""

import os
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from citynet import embedded
from citynet.db import Database, dsn
from citynet.errors import Conflict
from citynet.settings import Settings
from gateway import downlink, pickup
from situation_center import commands
from situation_center.command_states import FINAL
from situation_center.store import Center
from tests.support.behaviours import HTTP, NATIVE, RADIO
from tests.support.command_town import (
    HTTP_DEVICES,
    NATIVE_DEVICES,
    PLAIN_DEVICES,
    RADIO_DEVICES,
    Case,
    Town,
    command_town,
)
from tests.support.faults import FAULTS, TWO_AT_ONCE, Fault, Together
from tests.support.gateway import until
from tests.support.mortal import Fate, MortalBus, MortalDatabase
from tests.support.obedience import better_than_reality

pytestmark = pytest.mark.chaos
# Forty in every test run; `make chaos` asks for every fault at least once.
CASES = int(os.environ.get("CITYNET_COMMAND_CASES", "40"))
# Twenty of two faults at once; `make chaos` asks for each pair at least once.
PAIRS = int(os.environ.get("CITYNET_COMMAND_PAIRS", "20"))
SEED = int(os.environ.get("CITYNET_CHAOS_SEED", "7"))
A_ROUND = 10
DAY = timedelta(days=1)


PLANS = ("plain",) * 6 + ("cancelled", "superseded", "rolled back", "never signed")


@pytest.fixture
async def town(city: Settings, broker: embedded.Nats, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    monkeypatch.setattr(downlink, "RETRY_LOOK_S", 0.2)
    monkeypatch.setattr(pickup, "TOLD_WITHIN_S", 1.0)
    async with command_town(city, broker) as town:
        yield town


def cases(chance: random.Random, at_once: Together) -> list[Case]:
    """Commands of a round, each to another device: native ones that de-duplicate or not, by HTTP, by radio."""
    devices = [f"lamp-{n}" for n in range(NATIVE_DEVICES)] + [f"lamp-plain-{n}" for n in range(PLAIN_DEVICES)]
    devices += [f"00112233445566{n:02x}" for n in range(RADIO_DEVICES)] + list(HTTP_DEVICES)
    made = []
    for device in chance.sample(devices, A_ROUND):
        known = RADIO if device.startswith("0011") else HTTP if device in HTTP_DEVICES else NATIVE
        name = chance.choice(sorted(known.keys() & at_once.devices or known))
        made.append(Case(device, name, known[name], chance.choice(at_once.plans or PLANS)))
    return made


END_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"""


async def strike(town: Town, fault: Fault, people: Center) -> Center:
    """Arrange the fault; the Center through which people order in this round."""
    fate = Fate(fault.at, fault.after, fault.number)
    if fault.away:
        town.away.add(fault.victim)
        if fault.victim in town.beings:
            await town.beings[fault.victim].stop()
    elif fault.victim in town.beings:
        being = town.beings[fault.victim]
        await being.stop()
        await being.start(fate)
    elif fault.victim in ("worker", "web"):
        mortal = MortalDatabase(town.center, fate, MortalBus(town.center.bus, fate))
        if fault.victim == "worker":
            town.worker = mortal  # type: ignore[assignment]
        else:
            people = mortal  # type: ignore[assignment]
    return people


async def hit(town: Town, fault: Fault) -> None:
    """Broker and database are killed while commands are on their way."""
    if fault.victim == "broker":
        assert town.broker.process
        town.broker.process.kill()
        town.broker.process.wait()
        town.broker.start()
        await until(lambda: town.truth.fleet.client.is_connected() and town.truth.network.client.is_connected(), 30)
    elif fault.victim == "database":
        for role in ("gateway", "ingest"):
            theirs = await Database(dsn(town.settings, role), size=1).open()
            await theirs.rows(END_SESSIONS)
            await theirs.close()


async def play(town: Town, at_once: Together, chance: random.Random) -> list[Case]:
    """A round from orders to ends."""
    round_, people = cases(chance, at_once), town.center
    for fault in at_once.faults:
        people = await strike(town, fault, people)
    for case in round_:
        town.truth.script[case.device] = case.script
        case.command = await town.order(case, people)
        if chance.random() < 0.5:
            await town.change_of_mind(case)  # before anything has left
    for fault in at_once.faults:
        await hit(town, fault)
    await town.settle()
    await check(town, round_)
    for case in round_:
        if case.plan in ("cancelled", "superseded") and case.second is None:
            await town.change_of_mind(case)
    await town.settle()
    await undo(town, round_)
    await town.advance(timedelta(seconds=25))  # long enough for a second attempt
    await town.settle()
    await come_back(town, round_)
    await town.advance(DAY + timedelta(hours=1))
    await town.settle()
    return round_


async def undo(town: Town, round_: list[Case]) -> None:
    for case in round_:
        if case.plan == "rolled back" and case.command:
            try:
                case.second = await commands.roll_back(town.center, town.people["operator"], case.command)
            except Conflict:
                continue  # nothing was done, or nothing is known to go back to
    await town.settle()


async def come_back(town: Town, round_: list[Case]) -> None:
    """The deadline passes; who was away or late comes back."""
    await town.advance(timedelta(seconds=400))
    town.worker = town.center
    away, town.away = town.away, set()
    for name in away & town.beings.keys():
        await town.beings[name].start()
    await town.settle()
    for case in round_:
        if case.plan == "superseded late":
            case.second = await town.order(case, town.center)
    await town.settle()
    await town.truth.wake()
    await town.settle()
    await check(town, round_)


async def check(town: Town, round_: list[Case]) -> dict[uuid.UUID, list[str]]:
    """No state that was ever shown was better than reality; the states of each command in order."""
    ids = {i: case for case in round_ for i in (case.command, case.second) if i}
    rows = await town.center.rows(
        "SELECT command_id, state FROM command_log WHERE command_id = ANY(%s) ORDER BY log_id", [list(ids)]
    )
    states: dict[uuid.UUID, list[str]] = {i: [] for i in ids}
    for row in rows:
        states[row["command_id"]].append(row["state"])
        radio = ids[row["command_id"]].device.startswith("0011")
        assert not (wrong := better_than_reality(row["state"], str(row["command_id"]), town.truth, radio=radio)), wrong
    return states


async def judge(town: Town, at_once: Together, round_: list[Case]) -> None:
    """After a day every command has one end; without a fault it is the one that the device's behaviour means."""
    for command, states in (await check(town, round_)).items():
        case = next(c for c in round_ if command in (c.command, c.second))
        about = f"{at_once.name}; {case.device} {case.behaviour}, {case.plan}: {states}"
        assert [state in FINAL for state in states].count(True) == 1, about
        assert states[-1] in FINAL, about
        if case.device.startswith(("lamp-plain", "0011")):
            assert town.truth.heard[str(command)] <= 1, f"sent twice: {about}"
        if not at_once.hides and (case.plan == "plain" or command == case.second):
            assert states[-1] == case.script.end, about
        assert states[-1] in possible(case, at_once, first=command == case.command), about
        town.ended[case.behaviour if case.plan == "plain" else case.plan, states[-1]] += 1


def possible(case: Case, at_once: Together, *, first: bool) -> set[str]:
    """Ends that a case may have; what a fault hid is unknown or was never sent in time, nothing else."""
    ends = {case.script.end}
    if case.plan == "never signed":
        return {"expired"}
    if first and case.plan == "cancelled":
        ends |= {"cancelled"}
    if first and case.plan in ("superseded", "superseded late", "rolled back"):
        ends |= {"superseded"}
    if at_once.hides:
        ends |= {"unknown_final", "expired"} if case.script.end != "unknown_final" or at_once.away else {"expired"}
        ends |= {"confirmed"} if case.script.obeys else set()
    return ends


def report(ended: Counter[tuple[str, str]]) -> str:
    """A table: what was played, where it ended, how often."""
    return "\n".join(f"{what:32} {end:14} {count:4}" for (what, end), count in sorted(ended.items()))


async def rounds(town: Town, chance: random.Random, plans: list[Together], count: int) -> None:
    """So many rounds, each judged, with their report. Raises AssertionError."""
    for number in range(count):
        at_once = plans[number % len(plans)]
        await judge(town, at_once, await play(town, at_once, chance))
    deaths = sum(being.deaths for being in town.beings.values())
    total = town.ended.total()
    print(f"seed {SEED}: {total} commands, {deaths} deaths of parts\n{report(town.ended)}")
    assert total >= count * A_ROUND
    assert not await town.center.rows("SELECT FROM command WHERE state <> ALL(%s)", [sorted(FINAL)])


async def test_every_command_ends_once_and_never_looks_better_than_it_is(town: Town) -> None:
    chance = random.Random(SEED)
    faults = [FAULTS[0], *chance.sample(FAULTS[1:], len(FAULTS) - 1)]
    await rounds(town, chance, [Together((fault,)) for fault in faults], CASES // A_ROUND)


async def test_nor_when_two_things_happen_at_once(town: Town) -> None:
    chance = random.Random(SEED)
    await rounds(town, chance, chance.sample(TWO_AT_ONCE, len(TWO_AT_ONCE)), PAIRS // A_ROUND)
