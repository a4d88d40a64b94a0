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
