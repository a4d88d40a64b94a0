"""Credentials by REST and command line: administrators only, a token once, nothing secret in a list."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from citynet.credentials import of_token
from citynet.settings import Settings
from situation_center import accounts, api, credentials, desk
from situation_center.credentials_cli import app as cli
from situation_center.live import Hub
from situation_center.screens.parts import device_access
from situation_center.store import Center
from tests.flows.center import person, quiet_center
from tests.support.gateway import BIN, LAMP, plant

PATH = f"/devices/{LAMP}/credentials"


@pytest.fixture
async def center(city: Settings) -> AsyncIterator[Center]:
    async with quiet_center(city) as center:
        await plant(center)
        yield center


@pytest.fixture
async def http(city: Settings, center: Center) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI(openapi_url=None)
    api.install(app)
    desk.open_desk(desk.Desk(city, center, Hub(center.bus)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://city.test/api/v1") as client:
        yield client
    desk.open_desk(None)


async def signed(center: Center, http: httpx.AsyncClient, role: str) -> httpx.AsyncClient:
    actor = await person(center, f"a-{role}", role)
    key = await accounts.issue_key(center, actor.login, label="t", expires=None, by="part:test")
    http.headers["authorization"] = f"Bearer {key}"
    return http


async def test_an_administrator_issues_changes_and_revokes(center: Center, http: httpx.AsyncClient) -> None:
    admin = await signed(center, http, "administrator")
    first = (await admin.post(PATH, json={})).json()["token"]
    second = await admin.post(PATH, json={"grace_s": 3600})
    assert second.status_code == 201
    for token in (first, second.json()["token"]):
        assert await of_token(center, token)
    certificate = {"kind": "x509", "subject": "CN=lamp-1,O=city", "sha256": "ab" * 32}
    assert (await admin.post(PATH, json=certificate)).json()["token"] == ""
    rows = (await admin.get(PATH)).json()
    assert [(row["kind"], row["state"]) for row in rows] == [("x509", "valid"), ("token", "valid"), ("token", "valid")]
    assert rows[0]["fingerprint"] == "ab" * 32
    assert [row["fingerprint"] for row in rows[1:]] == [None, None]
    assert first not in str(rows)
    assert (await admin.delete(PATH, params={"uid": rows[2]["uid"]})).json() == {"revoked": 1}
    assert await of_token(center, first) is None
    assert (await admin.delete(PATH)).json() == {"revoked": 2}
    assert (await admin.delete(PATH)).status_code == 404
    actions = await center.rows("SELECT action FROM audit WHERE object = %s AND action LIKE 'credential.%%'", [LAMP])
    words = [row["action"].removeprefix("credential.") for row in actions]
    assert words == ["issue", "rotate", "issue", "revoke", "revoke"]


UNFIT: tuple[dict[str, object], ...] = (
    {"kind": "x509"},
    {"kind": "x509", "subject": "CN=a", "sha256": "zz"},
    {"until": "2020-01-01T00:00:00Z"},
    {"until": "2099-01-01T00:00:00"},
    {"grace_s": -1},
    {"token": "chosen-by-hand"},
)


async def test_what_does_not_fit_is_a_problem(center: Center, http: httpx.AsyncClient) -> None:
    admin = await signed(center, http, "administrator")
    for body in UNFIT:
        answer = await admin.post(PATH, json=body)
        assert (body, answer.status_code) == (body, 422)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_nobody_else_sees_or_writes(center: Center, http: httpx.AsyncClient) -> None:
    senior = await signed(center, http, "senior_operator")
    answers = [await senior.get(PATH), await senior.post(PATH, json={}), await senior.delete(PATH)]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    admin = await signed(center, http, "administrator")
    assert (await admin.post("/devices/nobody/credentials", json={})).status_code == 404


async def test_the_command_line(
    center: Center, city: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITYNET_HOME", str(city.home))
    monkeypatch.setenv("CITYNET_DATABASE_URL", city.database_url)
    file = tmp_path / "tokens.csv"

    def run(*words: str) -> str:
        import concurrent.futures

        with concurrent.futures.ThreadPoolExecutor(1) as aside:  # the command has a loop of its own
            result = aside.submit(CliRunner().invoke, cli, list(words)).result()
        assert result.exit_code == 0, result.output
        return result.output.strip()

    assert run("tokens", str(file)) == f"1 tokens in {file}"
    assert file.stat().st_mode & 0o777 == 0o600
    lines = file.read_text().split()
    assert lines[0] == "device,token"
    found = await of_token(center, lines[1].partition(",")[2])
    assert found
    assert found.external_id == LAMP
    assert await of_token(center, run("token", BIN, "--grace-hours", "1"))
    run("certificate", BIN, "--subject", "CN=bin")
    assert [line.split()[1] for line in run("list", BIN).splitlines()] == ["x509", "token"]
    assert run("revoke", BIN) == "2 revoked"


async def test_the_page_shows_it_to_administrators_only(center: Center, http: httpx.AsyncClient) -> None:
    await credentials.issue_token(center, LAMP, by="person:admin")
    point = await center.row("SELECT object_id FROM object WHERE key = %s", [f"lamp/{LAMP}"])
    assert point
    admin, senior = [await person(center, name, name) for name in ("administrator", "senior_operator")]
    (shown,) = await device_access.section(admin, point["object_id"])
    assert LAMP in str(shown)
    assert "Td('admin')" in str(shown)
    assert await device_access.section(senior, point["object_id"]) == []
    assert await device_access.section(admin, 0) == []
