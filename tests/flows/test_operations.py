"""/readyz and /metrics of the web process: true figures of broker and database, and nothing of it for strangers."""

from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from citynet import ready
from citynet.bus import INGEST_EVENTS
from citynet.db import Database, dsn
from citynet.model import PartStats
from citynet.settings import Settings
from situation_center import api, desk, gathered, metrics
from situation_center.live import Hub
from tests.flows.center import live_center, person, town_of
from tests.flows.test_center_api import Client
from tests.support.readings import eventually


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """As Prometheus itself reads it."""
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


async def test_figures_are_those_of_the_city_and_not_for_strangers(
    city: Settings, broker: object, owner_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "GONE_S", 3_600.0)  # on a slow machine the part would be gone at the scrape
    monkeypatch.setattr(gathered, "EACH_S", 3_600.0)
    monkeypatch.setattr(gathered, "STALE_S", 3_600.0)
    async with live_center(city) as center, town_of(center) as town:
        app, hub = FastAPI(openapi_url=None), await Hub(center.bus).start()
        api.install(app)
        place = desk.Desk(city, center, hub)
        desk.open_desk(place)
        client = Client(town, app)
        await center.bus.publish("events.system.x", b"{}", msg_id="1")
        counters = {"uplinks": 7, "quarantined": 3, "quarantined_unknown_device": 2, "quarantined_not_json": 1}
        stats = PartStats("gateway", 4711, True, counters, {"cpu_s": 1.5, "stored_ms_p99": 250.0, "odd-name": 1.0})
        await center.bus.push("stats.gateway", msgspec.json.encode(stats))

        async def heard() -> bool:
            return bool(hub.parts)

        await eventually(heard)
        await owner_db.rows("INSERT INTO rollup_due VALUES (1, now()), (2, now()) RETURNING 1")
        await town.newest("inlet/1", "water_flow", 1.0)
        await owner_db.rows(
            "INSERT INTO retention (class, days, oldest, bytes) VALUES ('readings', 30, %s, 99) RETURNING 1",
            [datetime.now(UTC) - timedelta(days=2)],
        )
        senior = await client.key(await person(center, "olga", "senior_operator"))
        brigade = await client.key(await person(center, "brigade", "brigade"))
        await _strangers_see_little(client, brigade)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://city.test",
            headers={"authorization": f"Bearer {senior}"},
        ) as http:
            answer = await http.get("/metrics")
            assert answer.headers["content-type"].startswith("text/plain; version=")
            said = samples(answer.text)
            pid = ("pid", "4711")
            expected = {
                ("citynet_gateway_uplinks_total", frozenset({pid})): 7,
                ("citynet_gateway_quarantined_by_reason_total", frozenset({pid, ("reason", "unknown_device")})): 2,
                ("citynet_process_cpu_seconds_total", frozenset({pid, ("part", "gateway")})): 1.5,
                ("citynet_storing_latency_seconds", frozenset({pid, ("part", "gateway"), ("quantile", "0.99")})): 0.25,
                ("citynet_gateway_odd_name", frozenset({pid})): 1,
                ("citynet_part_active", frozenset({pid, ("part", "gateway")})): 1,
                ("citynet_lag_messages", frozenset({("stream", "EVENTS"), ("durable", INGEST_EVENTS.durable)})): 1,
                ("citynet_stream_messages", frozenset({("stream", "EVENTS")})): 1,
                ("citynet_rollup_backlog", frozenset()): 2,
                ("citynet_kept_bytes", frozenset({("kind", "readings")})): 99,
                ("citynet_ready", frozenset()): 1,
            }
            assert {key: said.get(key) for key in expected} == expected
            assert 0 <= said["citynet_newest_reading_age_seconds", frozenset()] < 60
            assert said["citynet_kept_seconds", frozenset({("kind", "readings")})] == pytest.approx(172_800, abs=60)
            assert 0 <= said["citynet_gathered_age_seconds", frozenset()] < 60
            await owner_db.rows("INSERT INTO rollup_due VALUES (3, now()) RETURNING 1")
            again = samples((await http.get("/metrics")).text)
            assert again["citynet_rollup_backlog", frozenset()] == 2  # as gathered
            told = (await http.get("/readyz")).json()
            assert told["ready"] is True
            assert told["checks"]["lag:ingest-events"] == {"ok": True, "messages": 1}
            assert told["checks"]["newest_reading"]["age_s"] < 60
            monkeypatch.setattr(ready, "target_version", lambda: 9_999)
            behind = await http.get("/readyz")
            assert (behind.status_code, behind.json()["checks"]["schema"]["want"]) == (503, 9_999)
        monkeypatch.undo()
        await place.figures.close()
        await center.bus.close()
        assert (await _anybody(client, "/readyz")).status_code == 503
        desk.open_desk(None)


async def _anybody(client: Client, path: str, key: str = "") -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(app=client.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://city.test", headers=headers) as http:
        return await http.get(path)


async def _strangers_see_little(client: Client, brigade: str) -> None:
    assert (await _anybody(client, "/metrics")).status_code == 401
    assert (await _anybody(client, "/metrics", "wrong")).status_code == 401
    assert (await _anybody(client, "/metrics", brigade)).status_code == 403
    for key in ("", brigade, "wrong"):
        answer = await _anybody(client, "/readyz", key)
        assert answer.json() == {"ready": True, "checks": {n: {"ok": True} for n in ("database", "broker", "schema")}}


async def test_a_database_that_is_away_is_said_soon(city: Settings) -> None:
    away = Database(dsn(city.model_copy(update={"database_url": "postgresql://127.0.0.1:1/x"}), "center"))
    await away.pool.open(wait=False)
    try:
        body, status = ready.answer(await ready.checks(away, object()), details=True)  # type: ignore[arg-type]
    finally:
        await away.close()
    assert (status, body["ready"], body["checks"]["database"]["ok"]) == (503, False, False)
