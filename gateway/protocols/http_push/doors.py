"""Who pushes, and how much: the token's device from the registry, kept for two seconds; rates per credential."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from citynet import credentials
from citynet.bus import Incoming
from citynet.db import AWAY, named_sql
from citynet.errors import BadInput, Forbidden
from citynet.part import Part
from gateway.buckets import Buckets
from gateway.fetch import fetches
from gateway.protocols.http_push.problems import Refused, TooFast

SQL = named_sql(Path(__file__).with_name("queries.sql"))
FRESH_S = 2.0
# While the database is away nobody can revoke anything either.
STALE_S = 300.0
CALLERS_MAX = 20_000
LOOKUPS_PER_S = 50.0
BURST_S = 10


def buckets(per_s: float) -> Buckets:
    """Of credentials or addresses that may have so many a second, and those of some seconds at once."""
    return Buckets(per_s, per_s * BURST_S)


@dataclass(frozen=True, slots=True)
class Caller:
    """A device with its token. speaks_for: the application for whose devices it may speak too, empty = for none.

    fetches: whether it fetches its commands here.
    """

    credential_id: int
    device: str
    protocol: str
    speaks_for: str
    fetches: bool = False


@dataclass
class Doors:
    """Asks for tokens and keeps the rates. A revoked token is refused as soon as its change is announced."""

    part: Part
    rates: Buckets = field(init=False)
    lookups: Buckets = field(default_factory=lambda: buckets(LOOKUPS_PER_S))
    _known: dict[bytes, tuple[Caller | None, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rates = buckets(self.part.settings.push_rate_per_s)

    async def forget(self, _: Incoming) -> None:
        """Something in the registry or among the credentials has changed."""
        self._known.clear()

    async def caller(self, authorization: str, address: str) -> Caller:
        """Whose token it is. Raises Refused (401, 429) and what the database raises."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > credentials.TOKEN_CHARS_MAX:
            raise _unknown("send `Authorization: Bearer <token of the device>`")
        key, now = credentials.digest(token), time.monotonic()
        found, at = self._known.get(key, (None, -STALE_S))
        if now - at > FRESH_S:
            found = await self._look_up(token, address, found if now - at < STALE_S else None)
            self._keep(key, found, now)
        if found is None:
            raise _unknown("this token is not known, is not valid yet, has ended or was revoked")
        wait_s = self.rates.wait_s(found.credential_id, now=now)
        if wait_s:
            raise TooFast(wait_s)
        return found

    def _keep(self, key: bytes, found: Caller | None, now: float) -> None:
        self._known.pop(key, None)
        self._known[key] = found, now
        while len(self._known) > CALLERS_MAX:
            self._known.pop(next(iter(self._known)))

    async def _look_up(self, token: str, address: str, stale: Caller | None) -> Caller | None:
        now = time.monotonic()
        wait_s = 0 if stale else self.lookups.wait_s(address, now=now)
        if wait_s:
            raise TooFast(wait_s)
        try:
            found = await credentials.of_token(self.part.db, token)
            row = await self.part.db.row(SQL["attributes"], [found.device_id]) if found else None
        except AWAY:
            if stale:
                return stale
            raise
        if found is None or row is None:
            self.lookups.spend(address, 1, now=now)  # guessing costs, knowing does not
            return None
        told = row["attributes"]
        protocol = told.get("protocol", "")
        speaks_for, own = told.get("speaks_for") or "", fetches(protocol, told)
        return Caller(found.credential_id, found.external_id, protocol, speaks_for, own)

    def spend(self, caller: Caller, frames: int) -> None:
        """Count frames against the rate of the credential."""
        self.rates.spend(caller.credential_id, frames, now=time.monotonic())

    async def check(self, caller: Caller, devices: Collection[str]) -> None:
        """Raise Forbidden unless the caller may speak for all of these devices, BadInput for what is no identifier."""
        others = sorted(set(devices) - {caller.device})
        if not others:
            return
        if any("\0" in name for name in others):
            raise BadInput("bad_identifier", "a device identifier has no NUL")
        fellows: set[str] = set()
        if caller.speaks_for:
            given = {"keys": [f"device/{name}" for name in others], "application": caller.speaks_for}
            fellows = {row["external_id"] for row in await self.part.db.rows(SQL["fellows"], given)}
        strangers = [name for name in others if name not in fellows]
        if strangers:
            raise Forbidden(f"this token does not speak for {strangers[0][:100]!r}")


def _unknown(detail: str) -> Refused:
    return Refused(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})
