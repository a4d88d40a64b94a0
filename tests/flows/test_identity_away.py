"""Both sign-in services are killed: operators get an incident; one is back: it returns. Refusals are audited."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from citynet.bus import NatsBus
from citynet.db import Database
from citynet.model import Quarantined
from citynet.settings import Settings
from ingest import quarantine
from situation_center import sign_in
from situation_center.sign_in import SignInWatch
from tests.flows.center import Town
from tests.flows.test_center_worker import working
from tests.support.readings import eventually, running_ingest

ENVIRONMENT = ("home", "database_url", "nats_port", "mqtt_port")


@contextmanager
def process(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A sign-in service as a process of its own."""
    given = {f"CITYNET_{name.upper()}": str(getattr(settings, name)) for name in ENVIRONMENT}
    command = [sys.executable, "-m", "citynet.cli", "run", "identity"]
    with subprocess.Popen(command, env=os.environ | given, stdout=subprocess.DEVNULL) as started:
        try:
            yield started
        finally:
            started.kill()


async def test_an_absence_is_an_incident_and_ends_with_it(
    city: Settings, admin_bus: NatsBus, center_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def heard() -> bool:
        row = await center_db.row("SELECT value->>'away_since' AS since FROM setting WHERE name = 'sign_in'")
        return row is not None and row["since"] is None

    async def told(active: bool) -> bool:
        query = "SELECT i.condition_active, i.state, i.priority, i.why_en FROM incident i WHERE type = %s"
        row = await center_db.row(query, [sign_in.RULE])
        assert row is None or row["why_en"].startswith("The sign-in service has not answered for ")
        return row is not None and row["condition_active"] is active

    async with running_ingest(city):
        with process(city) as one, process(city) as two:
            async with working(city):
                await eventually(heard)
                monkeypatch.setattr(sign_in, "AWAY_AFTER_S", 1.5)
                one.kill()
                two.kill()
                await eventually(lambda: told(True))
                with process(city):
                    await eventually(lambda: told(False))
    actions = [row["action"] for row in await center_db.rows("SELECT action FROM audit WHERE action LIKE 'sign_in.%'")]
    assert actions[-2:] == ["sign_in.away", "sign_in.back"]


async def test_refusals_are_audited_once(town: Town) -> None:
    def notice(n: int, stage: str = "sign_in") -> Quarantined:
        said = f"from 203.0.113.{n}"
        where = {"stream": "SIGN_IN", "external_id": "lamp-1"}
        return msgspec.convert(
            {"stage": stage, "reason": "wrong_token", "detail": said, "stream_seq": n, **where}, Quarantined
        )

    async with town.ingest.transaction("part:ingest") as conn:
        await quarantine.add(conn, [notice(1), notice(2, "gateway"), notice(3)], payload_bytes=100)
    watch = SignInWatch(town.center)
    assert [await watch.audit(), await watch.audit()] == [3, 0]
    rows = await town.center.rows("SELECT actor, object, detail FROM audit WHERE action = 'sign_in.refused'")
    assert [(row["actor"], row["object"], row["detail"]["reason"]) for row in rows] == [
        ("part:identity", "device/lamp-1", "wrong_token")
    ] * 2
    assert rows[1]["detail"]["detail"] == "from 203.0.113.3"
