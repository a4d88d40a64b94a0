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
from gateway import downlink
from situation_center import commands
from situation_center.command_states import FINAL
from situation_center.store import Center
from tests.support.behaviours import NATIVE, RADIO
from tests.support.command_town import NATIVE_DEVICES, PLAIN_DEVICES, RADIO_DEVICES, Case, Town, command_town
from tests.support.faults import FAULTS, Fault
from tests.support.gateway import until
from tests.support.mortal import Fate, MortalBus, MortalDatabase
from tests.support.obedience import better_than_reality

pytestmark = pytest.mark.chaos
# Forty in every test run; `make chaos` asks for every fault at least once.
CASES = int(os.environ.get("CITYNET_COMMAND_CASES", "40"))
SEED = int(os.environ.get("CITYNET_CHAOS_SEED", "7"))
A_ROUND = 10
DAY = timedelta(days=1)


PLANS = ("plain",) * 6 + ("cancelled", "superseded", "rolled back", "never signed")


@pytest.fixture
async def town(city: Settings, broker: embedded.Nats, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    monkeypatch.setattr(downlink, "RETRY_LOOK_S", 0.2)
    async with command_town(city, broker) as town:
        yield town


def cases(chance: random.Random) -> list[Case]:
    """Commands of a round, each to another device: native ones that de-duplicate or not, and by radio."""
    devices = [f"lamp-{n}" for n in range(NATIVE_DEVICES)] + [f"lamp-plain-{n}" for n in range(PLAIN_DEVICES)]
    devices += [f"00112233445566{n:02x}" for n in range(RADIO_DEVICES)]
    made = []
    for device in chance.sample(devices, A_ROUND):
        known = RADIO if device.startswith("0011") else NATIVE
        name = chance.choice(sorted(known))
        made.append(Case(device, name, known[name], chance.choice(PLANS)))
    return made


END_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"""


async def strike(town: Town, fault: Fault) -> Center:
    """Arrange the fault; the Center through which people order in this round."""
    fate, people = Fate(fault.at, fault.after, fault.number), town.center
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


async def play(town: Town, fault: Fault, chance: random.Random) -> list[Case]:
    """A round from orders to ends."""
    round_ = cases(chance)
    people = await strike(town, fault)
    for case in round_:
        town.truth.script[case.device] = case.script
        case.command = await town.order(case, people)
        if chance.random() < 0.5:
            await town.change_of_mind(case)  # before anything has left
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


async def judge(town: Town, fault: Fault, round_: list[Case]) -> None:
    """After a day every command has one end; without a fault it is the one that the device's behaviour means."""
    for command, states in (await check(town, round_)).items():
        case = next(c for c in round_ if command in (c.command, c.second))
        about = f"{fault.name}; {case.device} {case.behaviour}, {case.plan}: {states}"
        assert [state in FINAL for state in states].count(True) == 1, about
        assert states[-1] in FINAL, about
        if case.device.startswith(("lamp-plain", "0011")):
            assert town.truth.heard[str(command)] <= 1, f"sent twice: {about}"
        if not fault.victim and (case.plan == "plain" or command == case.second):
            assert states[-1] == case.script.end, about
        assert states[-1] in possible(case, fault, first=command == case.command), about
        town.ended[case.behaviour if case.plan == "plain" else case.plan, states[-1]] += 1


def possible(case: Case, fault: Fault, *, first: bool) -> set[str]:
    """Ends that a case may have; what a fault hid is unknown or was never sent in time, nothing else."""
    ends = {case.script.end}
    if case.plan == "never signed":
        return {"expired"}
    if first and case.plan == "cancelled":
        ends |= {"cancelled"}
    if first and case.plan in ("superseded", "rolled back"):
        ends |= {"superseded"}
    if fault.victim:
        ends |= {"unknown_final", "expired"} if case.script.end != "unknown_final" or fault.away else {"expired"}
        ends |= {"confirmed"} if case.script.obeys else set()
    return ends


def report(ended: Counter[tuple[str, str]]) -> str:
    """A table: what was played, where it ended, how often."""
    return "\n".join(f"{what:32} {end:14} {count:4}" for (what, end), count in sorted(ended.items()))


async def test_every_command_ends_once_and_never_looks_better_than_it_is(town: Town) -> None:
    chance = random.Random(SEED)
    faults = [FAULTS[0], *chance.sample(FAULTS[1:], len(FAULTS) - 1)]
    for number in range(CASES // A_ROUND):
        fault = faults[number % len(faults)]
        round_ = await play(town, fault, chance)
        await judge(town, fault, round_)
    deaths = sum(being.deaths for being in town.beings.values())
    total = town.ended.total()
    print(f"seed {SEED}: {total} commands, {deaths} deaths of parts\n{report(town.ended)}")
    assert total >= CASES
    assert not await town.center.rows("SELECT FROM command WHERE state <> ALL(%s)", [sorted(FINAL)])
