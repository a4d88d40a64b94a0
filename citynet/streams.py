"""The streams of CONTRACTS.md with their limits; made by citynet.bus."""

from typing import Any

from nats.js.api import DiscardPolicy, RetentionPolicy, StreamConfig

from citynet.settings import Settings

HOUR_S = 3600.0
# How long a frame with a message id (HTTP push, QoS 0) is known as the one that came already; others cost nothing.
REPEATED_S = 600.0


def quota_bytes(settings: Settings) -> int:
    """Disk that all streams together may use: UPLINKS is 60 % of it."""
    return int(settings.uplinks_max_bytes / 0.6)


def stream_configs(settings: Settings) -> list[StreamConfig]:
    """The streams of a city. Sizes in bytes, ages in seconds.

    Between rooms a message is kept until every durable of CONSUMERS has it (interest) and a full stream refuses
    the next one, so that pressure goes back to UPLINKS and never costs data.
    """
    large, small = settings.uplinks_max_bytes // 5, settings.uplinks_max_bytes // 50

    def stream(name: str, subject: str, *, hours: float, size: int = small, **more: Any) -> StreamConfig:
        copies: dict[str, Any] = {"num_replicas": settings.stream_replicas}
        return StreamConfig(name=name, subjects=[subject], max_age=hours * HOUR_S, max_bytes=size, **copies, **more)

    refuse: dict[str, Any] = {"discard": DiscardPolicy.NEW}
    once: dict[str, Any] = {**refuse, "duplicate_window": REPEATED_S}
    handover: dict[str, Any] = {**refuse, "retention": RetentionPolicy.INTEREST}
    return [
        stream("UPLINKS", "up.>", hours=72, size=settings.uplinks_max_bytes, **once),
        stream("HISTORY", "hist.>", hours=72, size=large, **once),
        stream("UPLINKS_QOS0", "devices.*.up", hours=1),
        stream("READINGS", "readings.>", hours=72, size=large, **handover),
        stream("EVENTS", "events.>", hours=168, **handover),
        stream("COMMANDS", "commands.>", hours=168, **handover),
        stream("RECEIPTS", "receipts.>", hours=168, **handover),
        stream("CHANGES", "changes.>", hours=24 * 365, max_msgs_per_subject=1),
        stream("DEAD", "dead.>", hours=720, **handover),
        stream("REQUESTS", "requests.>", hours=168, **handover),
    ]
