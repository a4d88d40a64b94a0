"""Faults of the city's own machines while commands are under way: who dies where, or is away."""

import itertools
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """What happens to the city's own machines in a round: who dies where, or is away until the deadline has passed."""

    name: str
    victim: str = ""
    at: str = ""
    after: bool = False
    number: int = 1
    away: bool = False


def _at(victim: str, at: str, *numbers: int) -> list[Fault]:
    moments = itertools.product((False, True), numbers or (1,))
    return [
        Fault(f"{victim} dies {'after' if after else 'before'} {at} {n}", victim, at, after, n) for after, n in moments
    ]


FAULTS = [
    Fault("nobody dies"),
    *_at("gateway", "publish receipts", 1, 2, 5),
    *_at("gateway", "publish $MQTT", 1, 3),
    *_at("gateway", "ack gateway-commands", 1, 4),
    *_at("gateway", "publish readings"),
    *_at("gateway", "ack gateway-live"),
    Fault("gateway dies with commands in hand", "gateway", "fetch gateway-commands", True),
    Fault("gateway dies with answers in hand", "gateway", "fetch gateway-live", True),
    *_at("ingest", "commit", 1, 2, 4),
    *_at("ingest", "ack ingest-receipts"),
    *_at("ingest", "ack ingest-live"),
    *_at("worker", "commit", 1, 2, 3),
    *_at("worker", "publish commands", 1, 4),
    *_at("web", "commit", 1, 4),
    Fault("gateway is away until the deadline", "gateway", away=True),
    Fault("ingest is away until the deadline", "ingest", away=True),
    Fault("worker is away until the deadline", "worker", away=True),
    Fault("broker is killed", "broker"),
    Fault("database ends all sessions", "database"),
]


OFF = frozenset({"is off", "is off, obeys late", "is off, refuses late", "is never radiated to", "does not hear"})
NACKS = frozenset({"refuses", "fails", "does not hear", "obeys, its answer is lost"})
LATE = frozenset({"answers late", "is off, obeys late", "is off, refuses late", "obeys, the network gives up"})


@dataclass(frozen=True)
class Together:
    """Faults that happen in one round, what its devices do and what its people do (empty: anything)."""

    faults: tuple[Fault, ...]
    devices: frozenset[str] = frozenset()
    plans: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For the report of a failure."""
        return " + ".join([*(fault.name for fault in self.faults), *self.plans])

    @property
    def hides(self) -> bool:
        """Whether a part was dead or away, so that the truth may have been seen by nobody."""
        return any(fault.victim for fault in self.faults)

    @property
    def away(self) -> bool:
        """Whether a part stayed away until the deadline."""
        return any(fault.away for fault in self.faults)


def _of(*victims: str) -> list[Fault]:
    return [fault for fault in FAULTS if fault.victim in victims]


def _pairs() -> list[Together]:
    """Each fault of one of the two lists with the next of the other, so that all of both are met."""
    lists = [("gateway", "ingest"), ("gateway", "worker"), ("ingest", "worker"), ("gateway", "web")]
    lists += [("gateway", "broker"), ("gateway", "database"), ("ingest", "broker"), ("worker", "broker")]
    found = []
    for one, other in lists:
        several, few = sorted((_of(one), _of(other)), key=len, reverse=True)
        found += [Together((fault, few[n % len(few)])) for n, fault in enumerate(several)]
    return found


# Two things at once: a part that dies while its devices are off or refuse, two parts that die, people who order
# something else while the first answer is still to come, before or after its deadline.
TWO_AT_ONCE = [
    *(Together((fault,), OFF) for fault in _of("gateway", "broker")),
    *(Together((fault,), NACKS) for fault in _of("worker", "ingest", "gateway")),
    *(
        Together((fault,), LATE, (plan,))
        for fault in [FAULTS[0], *_of("worker", "gateway")]
        for plan in ("superseded", "superseded late")
    ),
    *_pairs(),
]
