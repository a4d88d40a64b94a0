"""Signed webhooks to utilities: Standard Webhooks 1.0 with a CloudEvents body, ordered per incident, patient."""

import asyncio
import base64
import hashlib
import hmac
import random
import secrets
import time
import uuid
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import structlog

from citynet.access import Actor, require
from citynet.db import Connection, Row, named_sql
from citynet.errors import BadInput, NotFound
from situation_center.guard import EVERYWHERE, Refused, checked_address
from situation_center.incident_rows import Notice
from situation_center.reactions import FAMILY, Reaction
from situation_center.store import Center

log = structlog.get_logger()
SQL = named_sql(Path(__file__).with_name("webhook.sql"))
ACTOR = "part:worker"
# Wall seconds before the second, third .. attempt; after the last one a delivery has failed.
RETRIES_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
JITTER = 0.2
RETRY_AFTER_S_MAX = 86_400.0
TIMEOUT_S = 15.0
ANSWER_BYTES_MAX = 65_536
AT_ONCE = 64
AT_ONCE_PER_WEBHOOK = 4
ROUND_S = 0.3
SECRET_BYTES = 32


def cloud_event(notice: Notice, delivery: uuid.UUID) -> bytes:
    """The body: CloudEvents 1.0 JSON, times of the city."""
    body = {
        "specversion": "1.0",
        "id": str(delivery),
        "source": "citynet",
        "type": f"org.citynet.incident.{notice.action}",
        "subject": f"incident/{notice.incident['uid']}",
        "time": notice.at.isoformat(),
        "datacontenttype": "application/json",
        "data": notice.incident,
    }
    return msgspec.json.encode(body)


def signature(secret: bytes, *, message_id: str, timestamp: int, body: bytes) -> str:
    """webhook-signature of Standard Webhooks 1.0."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def next_wait_s(attempts: int, *, retry_after_s: float = 0.0, jitter: float = 0.0) -> float | None:
    """Seconds until the next attempt after `attempts` failed ones; None = given up. jitter is -1..1."""
    if attempts > len(RETRIES_S):
        return None
    return max(RETRIES_S[attempts - 1] * (1 + JITTER * jitter), min(retry_after_s, RETRY_AFTER_S_MAX))


def retry_after_s(value: str | None, *, now: datetime) -> float:
    """Seconds of a Retry-After header, given as seconds or as a date; 0 when absent or not understood."""
    if not value:
        return 0.0
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (TypeError, ValueError):
        return 0.0


class Attempt(msgspec.Struct, frozen=True):
    """What came of one attempt. status 0 = no answer."""

    status: int
    error: str = ""
    retry_after: str | None = None

    @property
    def done(self) -> bool:
        """Only 2xx is success."""
        return 200 <= self.status < 300


async def post(url: str, headers: dict[str, str], body: bytes, *, allow_private: bool) -> Attempt:
    """One POST to a checked address: no redirect is followed, at most 64 kB of the answer is read."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            address = await _checked(url, allow_private=allow_private)
            return await _post(url, address, headers=headers, body=body)
    except TimeoutError:
        return Attempt(0, f"no answer within {TIMEOUT_S:.0f} s")
    except Refused as error:
        return Attempt(0, str(error))
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Attempt(0, f"{type(error).__name__}: {error}"[:300])


async def _checked(url: str, *, allow_private: bool) -> str:
    """Only https to the open internet, unless private addresses are allowed: then anything."""
    return await checked_address(url, http=allow_private, inside=EVERYWHERE if allow_private else ())


async def _post(url: str, address: str, *, headers: dict[str, str], body: bytes) -> Attempt:
    """Connect to the address that was checked, while TLS and Host still speak the name."""
    parts = httpx.URL(url)
    given = {**headers, "Host": parts.netloc.decode(), "Content-Type": "application/cloudevents+json"}
    async with httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=TIMEOUT_S) as client:
        request = client.build_request("POST", parts.copy_with(host=address), headers=given, content=body)
        request.extensions["sni_hostname"] = parts.host
        answer = await client.send(request, stream=True)
        try:
            read = 0
            async for chunk in answer.aiter_raw():
                read += len(chunk)
                if read > ANSWER_BYTES_MAX:
                    break  # the status is known; an endless answer is nobody's business
            return Attempt(answer.status_code, "", answer.headers.get("retry-after"))
        finally:
            await answer.aclose()


class Webhook:
    """The reaction. One waiting delivery per webhook and incident is tried at a time, oldest first: order holds."""

    async def enqueue(self, conn: Connection, notice: Notice) -> int:
        """One delivery for each active webhook that wants to know of this incident."""
        given = {"service": notice.incident["service"], "org_id": notice.incident["org_id"]}
        interested = await (await conn.execute(SQL["interested"], given)).fetchall()
        for row in interested:
            uid = uuid.uuid4()
            await conn.execute(
                SQL["add_delivery"],
                {
                    "uid": uid,
                    "webhook_id": row["webhook_id"],
                    "incident_id": notice.incident_id,
                    "body": cloud_event(notice, uid),
                },
            )
        return len(interested)

    async def run(self, center: Center, stopping: asyncio.Event) -> None:
        """Deliver what is due; slow endpoints take only their own places."""
        flying: dict[tuple[int, int], asyncio.Task[None]] = {}
        try:
            while not stopping.is_set():
                flying = await _land(flying)
                for row in await center.rows(SQL["due"]) if len(flying) < AT_ONCE else []:
                    key = (row["webhook_id"], row["incident_id"])
                    same = sum(webhook == row["webhook_id"] for webhook, _ in flying)
                    if key not in flying and same < AT_ONCE_PER_WEBHOOK and len(flying) < AT_ONCE:
                        flying[key] = asyncio.create_task(deliver(center, row))
                await asyncio.sleep(ROUND_S)
        finally:
            for task in flying.values():
                task.cancel()
            await asyncio.gather(*flying.values(), return_exceptions=True)


async def _land(flying: dict[tuple[int, int], asyncio.Task[None]]) -> dict[tuple[int, int], asyncio.Task[None]]:
    """Tasks still flying; an error of a finished one is raised here, in the worker's own loop."""
    for task in [task for task in flying.values() if task.done()]:
        await task
    return {key: task for key, task in flying.items() if not task.done()}


async def deliver(center: Center, row: Row) -> None:
    """One attempt and its outcome in the table."""
    message_id, timestamp, body = str(row["uid"]), int(time.time()), bytes(row["body"])
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(bytes(row["secret"]), message_id=message_id, timestamp=timestamp, body=body),
        "User-Agent": "citynet",
    }
    attempt = await post(row["url"], headers, body, allow_private=center.settings.allow_private_webhooks)
    await _write_down(center, row, attempt)


async def _write_down(center: Center, row: Row, attempt: Attempt) -> None:
    attempts = row["attempts"] + 1
    after = retry_after_s(attempt.retry_after, now=row["now"])
    wait = next_wait_s(attempts, retry_after_s=after, jitter=random.uniform(-1, 1))  # noqa: S311
    gone = attempt.status == 410
    state = "delivered" if attempt.done else "failed" if gone or wait is None else "waiting"
    given = {
        "delivery_id": row["delivery_id"],
        "state": state,
        "attempts": attempts,
        "wait_s": wait or 0.0,
        "status": attempt.status or None,
        "error": attempt.error,
    }
    async with center.transaction(ACTOR) as conn:
        await conn.execute(SQL["outcome"], given)
    if gone:
        detail = {"url": row["url"]}
        name = f"webhook/{row['webhook_id']}"
        async with center.transaction(ACTOR, action="webhook.disabled", object_=name, detail=detail) as conn:
            await conn.execute(SQL["disable"], [row["webhook_id"]])
        log.warning("a webhook answered 410 and is switched off", webhook=row["webhook_id"])


async def add(
    center: Center, actor: Actor, url: str, *, services: tuple[str, ...] = (), org_id: int | None = None
) -> tuple[int, str]:
    """Register an endpoint: (its id, its secret as whsec_..., shown once). Raises BadInput."""
    require(actor, "webhook.write")
    try:
        await _checked(url, allow_private=center.settings.allow_private_webhooks)
    except Refused as error:
        raise BadInput("bad_webhook", str(error)) from error
    secret = secrets.token_bytes(SECRET_BYTES)
    host = urlsplit(url).hostname or ""
    async with center.transaction(actor.name, action="webhook.add", object_=host, detail={"url": url}) as conn:
        given = {"url": url, "secret": secret, "services": list(services), "org_id": org_id}
        row = await (await conn.execute(SQL["add"], given)).fetchone()
    assert row is not None
    return int(row["webhook_id"]), "whsec_" + base64.b64encode(secret).decode()


async def remove(center: Center, actor: Actor, webhook_id: int) -> None:
    """Switch an endpoint off; what waits for it fails. Raises NotFound."""
    require(actor, "webhook.write")
    async with center.transaction(actor.name, action="webhook.remove", object_=f"webhook/{webhook_id}") as conn:
        if not (await conn.execute(SQL["disable"], [webhook_id])).rowcount:
            raise NotFound(f"no webhook {webhook_id}")


_reaction: Reaction = FAMILY.register("webhook")(Webhook())
