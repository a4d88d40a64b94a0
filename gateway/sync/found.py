"""Compares what a network server has with the registry: proposals for what is new or has changed, counts of all.

Whose word counts: decisions 0028 and 0038. Used by gateway/chirpstack/sync.py and gateway/things_stack/sync.py."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from citynet import registry
from citynet.catalog import Profile
from citynet.db import Database, Row, named_sql
from citynet.model import Proposal
from gateway.sync.known import Known

T = TypeVar("T")
SQL = named_sql(Path(__file__).parents[1] / "queries.sql")
KINDS = ("gateways", "profiles", "devices")
COMPARED_AT_ONCE = 300
HEARD_MAX = 50  # devices of a profile whose frames may show what it measures


@dataclass
class Found:
    """What a network server knows that the registry does not; counts of all that was read, by kind and word.

    unmapped: profiles without a map, with some of their devices. words: whether a change is new or changed, by its key.
    """

    source: str
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    codecs: dict[str, str] = field(default_factory=dict)
    objects: list[Proposal] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {k: Counter() for k in KINDS})
    kept: list[str] = field(default_factory=list)
    unmapped: dict[str, list[str]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    def report(self) -> dict[str, Any]:
        """Counts and names for people and machines."""
        changes = [
            *(f"profile/{name}" for name in self.profiles),
            *(f"codec/{name}" for name in self.codecs),
            *(one.key for one in self.objects),
        ]
        read = {k: dict(c) for k, c in self.counts.items()}
        return {"read": read, "changes": changes, "kept": self.kept, "words": self.words, "doubts": self.doubts}


@dataclass
class Registered:
    """The side of the registry: profiles and scripts as they are now; what differs goes into found."""

    db: Database
    found: Found
    profiles: dict[str, Profile] = field(default_factory=dict)
    scripts: dict[str, Row] = field(default_factory=dict)

    async def open(self) -> None:
        """Read what is compared with. Raises what the database raises."""
        rows = await self.db.rows(SQL["profiles"])
        self.profiles = {row["name"]: Profile.model_validate(row["body"]) for row in rows}
        self.scripts = {row["profile"]: row for row in await self.db.rows(SQL["written"], [])}

    def heard(self, proposal: Proposal) -> None:
        """Remember a device whose frames may show what its profile measures."""
        assert proposal.device
        devices = self.found.unmapped.get(proposal.device.profile)
        if devices is not None and len(devices) < HEARD_MAX:
            devices.append(proposal.device.external_id)

    async def compare(self, kind: str, some: list[Proposal], *, untouched: int = 0) -> None:
        """Objects of one kind; untouched more of them need no look."""
        self.found.counts[kind]["same"] += untouched
        known = Known(
            await registry.some(
                self.db,
                devices=[one.device.external_id for one in some if one.device],
                keys=[one.key for one in some],
                gateways=[one.attributes["gateway_id"] for one in some if not one.device],
            )
        )
        for proposal in some:
            self._compare_one(known, kind=kind, proposal=proposal)
        self.found.counts[kind] += Counter()  # drops what is zero

    def _compare_one(self, known: Known, *, kind: str, proposal: Proposal) -> None:
        at = known.at(proposal)
        if at is None:
            word = "new"
        elif at.key != proposal.key:
            word = "kept"  # registered by somebody else, whose word counts
            self.found.kept.append(proposal.key)
        else:
            proposal = known.merged(proposal, at)
            word = "same" if known.same(proposal, at) else "changed"
        self.found.counts[kind][word] += 1
        if word in ("new", "changed"):
            self.found.objects.append(proposal)
            self.found.words[proposal.key] = word

    def compare_profile(self, name: str, body: dict[str, Any], *, told: dict[str, Any], script: str) -> None:
        """A profile of a synchronisation's own making takes over what the network server tells of it, and its codec.

        What people have mapped in it stays, as does a script whose newest version a person wrote.
        """
        known, ours = self.profiles.get(name), self.scripts.get(name)
        before = known.model_dump(mode="json", by_alias=True) if known is not None else None
        if before is not None:
            body = before | told
        word = "new" if before is None else "changed" if body != before else "same"
        if script.strip() and (ours is None or (script != ours["source"] and not ours["by_person"])):
            self.found.codecs[name] = script
            word = "changed" if word == "same" else word
        if body != before:
            self.found.profiles[name] = body
        if not body["map"]:
            self.found.unmapped[name] = []
        self.count_profile(name, word)

    def count_profile(self, name: str, word: str) -> None:
        """One more profile that is new, changed, same or kept."""
        self.found.counts["profiles"][word] += 1
        if word in ("new", "changed"):
            self.found.words[f"profile/{name}"] = word


async def pieces(items: AsyncIterator[T]) -> AsyncIterator[list[T]]:
    """The items, as many at a time as are compared at once."""
    piece: list[T] = []
    async for item in items:
        piece.append(item)
        if len(piece) == COMPARED_AT_ONCE:
            yield piece
            piece = []
    if piece:
        yield piece
