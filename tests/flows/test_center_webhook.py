"""Webhooks: signed, ordered, patient, and never led to our own machines."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks

from citynet.access import Actor
from citynet.errors import BadInput, Forbidden
from citynet.settings import Settings
from situation_center import guard, incidents, intake, outbox
from situation_center.reactions import reactions, webhook
from tests.flows.center import Town, person, quiet_center, town_of


@dataclass
class Receiver:
    """A real HTTP server of a utility; answer is what it says next."""

    url: str = ""
    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    endless: bool = False

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in head[1:] if line)}
        self.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(self.answer)
        while self.endless:
            writer.write(b"x" * 65_536)
            try:
                await writer.drain()
            except ConnectionError:
                break
        writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    yield receiver
    server.close()
    await server.wait_closed()


@pytest.fixture
async def town(city: Settings) -> AsyncIterator[Town]:
    settings = city.model_copy(update={"allow_private_webhooks": True})
    async with quiet_center(settings) as center, town_of(center) as town:
        yield town


@pytest.fixture
async def admin(town: Town) -> Actor:
    return await person(town.center, "root", "administrator")


async def leak(town: Town) -> int:
    await town.condition("water.leak", "inlet/1")
    await intake.take_in(town.center, town.registry, since=0)
    (row,) = await town.center.rows("SELECT incident_id FROM incident WHERE type = 'water.leak'")
    return int(row["incident_id"])


async def enqueue(town: Town) -> None:
    await outbox.take_notices(town.center, list(reactions().values()))


async def deliveries(town: Town) -> list[dict[str, Any]]:
    return await town.center.rows("SELECT * FROM webhook_delivery ORDER BY delivery_id")


async def one_round(town: Town) -> None:
    for row in await town.center.rows(webhook.SQL["due"]):
        await webhook.deliver(town.center, row)


async def due_now(town: Town) -> None:
    async with town.center.transaction("part:test") as conn:
        await conn.execute("UPDATE webhook_delivery SET next_at = now()")


async def until(done: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(45):
        while not done():
            passed = loop.create_future()
            loop.call_later(0.02, passed.set_result, None)
            await passed


async def test_signed_cloud_events_in_order(town: Town, admin: Actor) -> None:
    async with listening() as receiver:
        _, secret = await webhook.add(town.center, admin, receiver.url, services=("water",))
        number = await leak(town)
        await incidents.acknowledge(town.center, admin, number, version=1)
        await enqueue(town)
        stopping = asyncio.Event()
        running = asyncio.create_task(webhook.Webhook().run(town.center, stopping))
        await until(lambda: len(receiver.got) == 2)
        stopping.set()
        await running
        seen = []
        for headers, body in receiver.got:
            event = standardwebhooks.Webhook(secret).verify(body, headers)
            assert (event["specversion"], event["data"]["incident_id"]) == ("1.0", number)
            assert event["id"] == headers["webhook-id"]
            seen.append(event["type"])
            with pytest.raises(standardwebhooks.WebhookVerificationError):
                standardwebhooks.Webhook(secret).verify(body + b" ", headers)
        assert seen == ["org.citynet.incident.open", "org.citynet.incident.acknowledge"]


async def test_other_services_are_not_told(town: Town, admin: Actor) -> None:
    async with listening() as receiver:
        await webhook.add(town.center, admin, receiver.url, services=("heat",))
        await webhook.add(town.center, admin, receiver.url, org_id=town.ids["org/lighting"])
        await leak(town)
        await enqueue(town)
        assert await deliveries(town) == []
        assert await town.center.rows("SELECT * FROM outbox WHERE subject = 'notice.incident'") == []


async def test_a_later_change_waits_for_the_earlier_one(town: Town, admin: Actor) -> None:
    async with listening() as receiver:
        receiver.answer = b"HTTP/1.1 503 No\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n"
        await webhook.add(town.center, admin, receiver.url)
        number = await leak(town)
        await incidents.acknowledge(town.center, admin, number, version=1)
        await enqueue(town)
        await one_round(town)
        await one_round(town)
        assert len(receiver.got) == 1
        first, second = await deliveries(town)
        assert (first["state"], first["attempts"], first["last_status"]) == ("waiting", 1, 503)
        assert (first["next_at"] - datetime.now(UTC)).total_seconds() > 3_500
        assert second["attempts"] == 0
        receiver.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        await due_now(town)
        await one_round(town)
        await one_round(town)
        assert [d["state"] for d in await deliveries(town)] == ["delivered", "delivered"]


async def test_redirects_fail_and_gone_switches_off(town: Town, admin: Actor) -> None:
    async with listening() as receiver, listening() as other:
        receiver.answer = f"HTTP/1.1 302 Found\r\nlocation: {other.url}\r\ncontent-length: 0\r\n\r\n".encode()
        await webhook.add(town.center, admin, receiver.url)
        await leak(town)
        await enqueue(town)
        await one_round(town)
        assert other.got == []
        assert (await deliveries(town))[0]["last_status"] == 302
        receiver.answer = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"
        await due_now(town)
        await one_round(town)
        assert (await deliveries(town))[0]["state"] == "failed"
        assert await town.center.row("SELECT active FROM webhook") == {"active": False}


async def test_an_endless_answer_costs_nothing(town: Town, admin: Actor) -> None:
    async with listening() as receiver:
        receiver.answer, receiver.endless = b"HTTP/1.1 200 OK\r\n\r\n", True
        await webhook.add(town.center, admin, receiver.url)
        await leak(town)
        await enqueue(town)
        await one_round(town)
        assert (await deliveries(town))[0]["state"] == "delivered"


async def test_nobody_there(town: Town, admin: Actor) -> None:
    async with listening() as receiver:
        await webhook.add(town.center, admin, receiver.url)
    await leak(town)
    await enqueue(town)
    await one_round(town)
    (row,) = await deliveries(town)
    assert (row["state"], row["last_status"]) == ("waiting", None)
    assert "Connect" in row["last_error"]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:a00:1::]/",
        "https://0/",
        "https://2130706433/",
        "https://user:secret@example.org/",
        "https:///nowhere",
        "https://example.org:99999/",
        "ftp://example.org/",
        "https://" + "a" * 3_000,
    ],
)
async def test_addresses_of_our_own_are_refused(url: str) -> None:
    with pytest.raises(guard.Refused):
        await guard.checked_address(url)


async def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    async def both(*_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both, raising=False)
    with pytest.raises(guard.Refused, match=r"10\.0\.0\.1"):
        await guard.checked_address("https://example.org/")


async def test_who_may_add(town: Town, admin: Actor) -> None:
    with pytest.raises(Forbidden):
        await webhook.add(town.center, await person(town.center, "ivan", "operator"), "https://example.org")
    with pytest.raises(BadInput, match="bad_webhook"):
        await webhook.add(town.center, admin, "gopher://x")


def test_the_schedule() -> None:
    waits = [webhook.next_wait_s(n) for n in range(1, 11)]
    assert waits == [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400, None]
    assert webhook.next_wait_s(1, retry_after_s=60) == 60
    assert webhook.next_wait_s(1, retry_after_s=1e12) == 86_400
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert webhook.retry_after_s("Thu, 01 Jan 2026 00:02:00 GMT", now=now) == 120
    assert [webhook.retry_after_s(v, now=now) for v in (None, "7", "soon", "-1")] == [0, 7, 0, 0]
