"""Answers the broker's sign-ins in batches: one question to the database for all that wait. Run by app.py."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from nats.aio.msg import Msg

from citynet.broker_config import SIGN_IN_S, device_rights
from citynet.credentials import Known
from citynet.part import Part
from gateway.identity.judge import Granted, Refused, claimed, first_look, judge
from gateway.identity.limits import Limits
from gateway.identity.notices import Notices
from gateway.identity.requests import Request, read
from gateway.identity.tickets import Issuer
from gateway.wire import subject_token

WAITING_MAX = 20_000
BATCH = 256


@dataclass
class SignIn:
    """Answers sign-ins in batches: one question to the database for all that wait."""

    part: Part
    known: Known
    issuer: Issuer
    notices: Notices
    limits: Limits = field(default_factory=Limits)
    waiting: asyncio.Queue[tuple[float, Msg]] = field(default_factory=lambda: asyncio.Queue(WAITING_MAX))

    async def take(self, message: Msg) -> None:
        """The broker asks. What cannot wait is not answered: the broker refuses it after SIGN_IN_S."""
        if self.waiting.full():
            self.part.counters["sign_ins_dropped"] += 1
            return
        self.waiting.put_nowait((time.monotonic(), message))

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            batch = [await self.waiting.get()]
            while len(batch) < BATCH and not self.waiting.empty():
                batch.append(self.waiting.get_nowait())
            self.part.gauges["sign_ins_waiting"] = self.waiting.qsize()
            try:
                await self._answer([message for at, message in batch if time.monotonic() - at < SIGN_IN_S])
            finally:
                for _ in batch:
                    self.waiting.task_done()

    async def _answer(self, messages: list[Msg]) -> None:
        read_all = [(message, read(message.data)) for message in messages]
        asked = [(message, request) for message, request in read_all if request]
        self.part.counters["bad_request"] += len(messages) - len(asked)
        moment = time.monotonic()
        refused = {id(request): first_look(request) or self._slowed(request, moment) for _, request in asked}
        names = {claimed(request) for _, request in asked if not refused[id(request)]}
        found = await self.known.of_devices(names) if names else {}
        now = datetime.now(UTC)
        for message, request in asked:
            credentials = found.get(claimed(request))
            verdict = refused[id(request)] or (
                Refused("registry_away") if credentials is None else judge(request, credentials, now)
            )
            await message.respond(self._ticket(request, verdict, now))

    def _slowed(self, request: Request, moment: float) -> Refused | None:
        slow = self.limits.refused(request.host, claimed(request), now=moment)
        return Refused("too_many_failures") if slow else None

    def _ticket(self, request: Request, verdict: Granted | Refused, now: datetime) -> bytes:
        at = int(now.timestamp())
        if isinstance(verdict, Refused):
            if verdict.reason not in ("registry_away", "too_many_failures"):
                self.limits.failed(request.host, now=time.monotonic())
            detail = f"client id {request.client_id}" if verdict.reason == "foreign_client_id" else ""
            self.notices.note(verdict.reason, claimed(request), host=request.host, detail=detail)
            return self.issuer.refuse(request, verdict.reason, now=at)
        self.part.counters["signed_in"] += 1
        name = verdict.credential.external_id
        self.limits.succeeded(request.host, name)
        rights = device_rights(subject_token(name))
        return self.issuer.grant(request, name, rights=rights, now=at, until=verdict.until)
