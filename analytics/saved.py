"""What of an engine's state is kept beside the detectors' chunks, as it stands in a checkpoint."""

import msgspec

FORMAT = 1


class SavedRule(msgspec.Struct, frozen=True):
    """A rule with conditions that are open or on their way: it must be known to be closed after the rule is gone."""

    version: int
    body: bytes
    quantities: list[str]
    track: bytes


class Saved(msgspec.Struct, frozen=True):
    """The small part of the state: everything but the detectors' chunks."""

    format: int
    now: int
    tick: int
    series: list[tuple[int, int, str]]
    objects: list[tuple[int, str]]
    latest: bytes
    reorder: bytes
    rules: dict[str, SavedRule]
    windows: dict[tuple[str, int], bytes]
