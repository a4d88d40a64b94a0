"""One active process a part: a standby takes over, and whoever loses the lock stops at once."""

import asyncio

import psycopg

from citynet import embedded
from citynet.part import Body, Part, _body_with_retries, close_part
from citynet.settings import Settings
from tests.conftest import make_part
from tests.support.gateway import until

LOCKS = "FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND datname = %s"
END_HOLDER = f"SELECT pg_terminate_backend(pid) {LOCKS} AND granted"


def database(settings: Settings) -> str:
    return settings.database_url.rpartition("/")[2]


async def waiting(admin: psycopg.AsyncConnection[tuple[int]], settings: Settings) -> bool:
    rows = await admin.execute(f"SELECT pid {LOCKS} AND NOT granted", [database(settings)])
    return await rows.fetchone() is not None


async def test_the_lock_moves_and_the_loser_stops(
    city: Settings, broker: embedded.Nats, postgres: embedded.Postgres
) -> None:
    active: list[str] = []

    def body_of(name: str) -> Body:
        async def body(part: Part) -> None:
            active.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                active.remove(name)

        return body

    parts = [await make_part(city, "gateway", role="gateway") for _ in range(2)]
    tasks = [asyncio.create_task(_body_with_retries(parts[0], body_of("a"), single=True))]
    await until(lambda: active == ["a"])
    tasks.append(asyncio.create_task(_body_with_retries(parts[1], body_of("b"), single=True)))
    async with await psycopg.AsyncConnection.connect(postgres.admin_url, autocommit=True) as admin:
        await until(lambda: waiting(admin, city))
        assert (active, parts[0].active, parts[1].active) == (["a"], True, False)
        await admin.execute(END_HOLDER, [database(city)])
    await until(lambda: active == ["b"])
    assert not parts[0].active
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for part in parts:
        await close_part(part)
