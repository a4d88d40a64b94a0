"""Sign-in: passwords, one-time links, sessions, keys; wrong guesses get slow without keeping others out."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest

from citynet.errors import BadInput, Forbidden
from citynet.settings import Settings
from situation_center import accounts, auth
from situation_center.attempts import Attempts
from situation_center.store import Center
from tests.flows.center import quiet_center

PASSWORD = "twelve different letters"


@pytest.fixture
async def center(city: Settings) -> AsyncIterator[Center]:
    async with quiet_center(city) as center:
        await accounts.add(center, accounts.NewAccount("ivan", "operator"), by="part:cli", password=PASSWORD)
        yield center


def link_token(address: str) -> str:
    return parse_qs(urlsplit(address).query)["link"][0]


async def test_a_session_opens_and_ends(center: Center) -> None:
    token = await auth.sign_in(center, " Ivan ", PASSWORD, address="10.0.0.1")
    actor = await auth.actor_of(center, token)
    assert actor
    assert (actor.login, actor.role) == ("ivan", "operator")
    await auth.sign_out(center, token)
    assert await auth.actor_of(center, token) is None
    rows = await center.rows("SELECT actor, action FROM audit ORDER BY audit_id")
    assert [(r["actor"], r["action"]) for r in rows][1:] == [("person:ivan", "signin"), ("person:ivan", "signout")]


@pytest.mark.parametrize(("login", "password"), [("ivan", "wrong"), ("nobody", PASSWORD), ("iv\0an", ""), ("", "")])
async def test_wrong_words_get_one_answer(center: Center, login: str, password: str) -> None:
    with pytest.raises(Forbidden, match=auth.REFUSED):
        await auth.sign_in(center, login, password, address="10.0.0.1")
    row = await center.row("SELECT count(*) AS n FROM audit WHERE action = 'signin.refused'")
    assert row == {"n": 1}


async def test_guessing_gets_slow_but_not_for_others(center: Center) -> None:
    for _ in range(5):
        with pytest.raises(Forbidden, match=auth.REFUSED):
            await auth.sign_in(center, "ivan", "wrong", address="203.0.113.9")
    with pytest.raises(auth.SlowDown):
        await auth.sign_in(center, "ivan", PASSWORD, address="203.0.113.9")
    assert await auth.sign_in(center, "ivan", PASSWORD, address="10.0.0.1")


def test_waits_double_and_are_forgotten() -> None:
    attempts = Attempts()
    waits = []
    for _ in range(8):
        attempts.failed("a", "x", now=0.0)
        waits.append(attempts.wait_s("a", "x", now=0.0))
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8]
    attempts.failed("a", "x", now=10_000.0)
    assert attempts.wait_s("a", "x", now=10_000.0) == 0
    for number in range(20_000):
        attempts.failed(f"login-{number}", "y", now=10_000.0)
    assert len(attempts.failures) <= 10_000
    assert attempts.wait_s("login-20000", "y", now=10_000.0) > 0  # the address itself


async def test_sessions_grow_old(center: Center) -> None:
    idle, old, off = [await auth.sign_in(center, "ivan", PASSWORD, address="10.0.0.1") for _ in range(3)]
    sets = {idle: "last_seen = now() - interval '31 minutes'", old: "expires = now() - interval '1 second'"}
    async with center.transaction("part:test") as conn:
        for token, change in sets.items():
            await conn.execute(f"UPDATE session SET {change} WHERE token_hash = %s", [auth.digest(token)])
    assert await auth.actor_of(center, idle) is None
    assert await auth.actor_of(center, old) is None
    assert await auth.actor_of(center, "") is None
    async with center.transaction("part:test") as conn:
        await conn.execute("UPDATE account SET active = false")
    assert await auth.actor_of(center, off) is None


async def test_a_link_works_once(center: Center, city: Settings) -> None:
    token = link_token(await accounts.issue_link(center, city, await accounts.ensure_admin(center, city)))
    session = await auth.sign_in_by_link(center, token, address="127.0.0.1")
    actor = await auth.actor_of(center, session)
    assert actor
    assert actor.role == "administrator"
    with pytest.raises(Forbidden, match="link"):
        await auth.sign_in_by_link(center, token, address="127.0.0.1")


async def test_own_password_and_preferences(center: Center) -> None:
    token = await auth.sign_in(center, "ivan", PASSWORD, address="10.0.0.1")
    actor = await auth.actor_of(center, token)
    assert actor
    await auth.set_preferences(center, actor, language="en", theme="light")
    changed = await auth.actor_of(center, token)
    assert changed
    assert (changed.language, changed.theme) == ("en", "light")
    with pytest.raises(BadInput, match="weak_password"):
        await auth.set_password(center, actor, old=PASSWORD, new="ivanivanivan")
    with pytest.raises(Forbidden):
        await auth.set_password(center, actor, old="wrong", new="another long passphrase")
    await auth.set_password(center, actor, old=PASSWORD, new="another long passphrase")
    assert await auth.actor_of(center, token) is None
    assert await auth.sign_in(center, "ivan", "another long passphrase", address="10.0.0.1")


async def test_demo_people_have_random_passwords(center: Center, city: Settings) -> None:
    await accounts.ensure_demo(center, city)
    await accounts.ensure_demo(center, city)
    path = city.home / "secrets" / "demo_accounts.txt"
    assert path.stat().st_mode & 0o077 == 0
    people = [line.split("\t") for line in path.read_text().splitlines()]
    assert [p[0] for p in people] == [a.login for a in accounts.DEMO]
    login, password, _ = people[2]
    actor = await auth.actor_of(center, await auth.sign_in(center, login, password, address="10.0.0.1"))
    assert actor
    assert (actor.role, actor.services) == ("utility_dispatcher", frozenset({"water"}))


async def test_keys_have_an_end(center: Center) -> None:
    key = await accounts.issue_key(center, "ivan", label="script", expires=None, by="part:cli")
    actor = await auth.actor_of_key(center, key)
    assert actor
    assert actor.login == "ivan"
    async with center.transaction("part:test") as conn:
        await conn.execute("UPDATE api_key SET expires = now() - interval '1 day'")
    center.actors.clear()
    assert await auth.actor_of_key(center, key) is None
