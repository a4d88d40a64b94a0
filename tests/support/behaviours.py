"""What simulated devices do with a command, and where the command must end when nothing of the city fails."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Behaviour:
    """What a device and its network do with a command, and where the command must end when no part dies.

    hears and answers: now, late (after the deadline) or never. events: what a network server tells, in this order.
    """

    end: str
    hears: str = "now"
    obeys: bool = True
    answer: str = "acknowledged"
    answers: str = "now"
    shows: bool = True
    times: int = 1
    events: tuple[str, ...] = ("txack", "ack")


NATIVE = {
    "obeys": Behaviour("confirmed"),
    "is off": Behaviour("unknown_final", hears="never"),
    "is off, obeys late": Behaviour("confirmed", hears="late"),
    "is off, refuses late": Behaviour("rejected", hears="late", obeys=False, answer="rejected", shows=False),
    "refuses": Behaviour("rejected", obeys=False, answer="rejected", shows=False),
    "fails": Behaviour("failed", obeys=False, answer="failed", shows=False),
    "answers late": Behaviour("confirmed", answers="late"),
    "answers, does nothing": Behaviour("unknown_final", obeys=False, shows=False),
    "obeys, never answers": Behaviour("confirmed", answers="never"),
    "obeys in silence": Behaviour("unknown_final", answers="never", shows=False),
    "answers twice": Behaviour("confirmed", times=2),
}
# A device that fetches its commands by HTTP is there or not: one that is off has nothing that could be late.
HTTP = {name: one for name, one in NATIVE.items() if one.hears == "now"}
RADIO = {
    "obeys": Behaviour("confirmed"),
    "is never radiated to": Behaviour("expired", hears="never", obeys=False, shows=False, events=("expired",)),
    "does not hear": Behaviour("unknown_final", obeys=False, shows=False, events=("txack", "nack")),
    "obeys, its answer is lost": Behaviour("confirmed", events=("txack", "nack")),
    "obeys, the network gives up": Behaviour("unknown_final", shows=False, events=("txack", "expired")),
    "answers before it is radiated": Behaviour("confirmed", events=("ack", "txack")),
    "obeys, the network is silent": Behaviour("confirmed", events=()),
}
