"""An address that guesses is slowed; a device behind the same address is not kept out."""

from gateway.identity.limits import ADDRESSES_MAX, FREE, KNOWN_MAX, Limits


def guessed(limits: Limits, times: int, *, now: float = 0.0) -> None:
    for _ in range(times):
        limits.failed("203.0.113.9", now=now)


def test_failures_are_free_up_to_a_number_and_then_one_a_second() -> None:
    limits = Limits()
    guessed(limits, FREE - 1)
    assert not limits.refused("203.0.113.9", "lamp-1", now=0.0)
    guessed(limits, 1)
    assert limits.refused("203.0.113.9", "lamp-1", now=0.0)
    assert not limits.refused("203.0.113.10", "lamp-1", now=0.0)
    assert limits.refused("203.0.113.9", "lamp-1", now=0.9)
    assert not limits.refused("203.0.113.9", "lamp-1", now=1.1)


def test_who_has_been_there_is_judged_on_its_merits() -> None:
    limits = Limits()
    limits.succeeded("203.0.113.9", "lamp-1")
    guessed(limits, 10_000)
    assert not limits.refused("203.0.113.9", "lamp-1", now=0.0)
    assert limits.refused("203.0.113.9", "lamp-2", now=0.0)


def test_memory_has_a_limit() -> None:
    limits = Limits()
    for n in range(KNOWN_MAX + 10):
        limits.succeeded("203.0.113.9", str(n))
        limits.failed(f"10.0.{n}", now=float(n))
    assert (len(limits._known), len(limits._left)) == (KNOWN_MAX, ADDRESSES_MAX)
