"""Read models show what is true, in both languages, and nothing that the viewer may not know."""

import uuid
from datetime import timedelta

import pytest

from citynet.access import Actor
from citynet.catalog import catalog
from citynet.errors import BadInput, Forbidden, NotFound
from situation_center import commands, incidents, intake, views
from situation_center.live import Hub
from tests.flows.center import Town, person


async def leak(town: Town) -> int:
    await town.condition("water.leak", "inlet/1", ago_s=60)
    await intake.take_in(town.center, town.registry, since=0)
    (row,) = await town.center.rows("SELECT incident_id FROM incident WHERE type = 'water.leak'")
    return int(row["incident_id"])


async def test_the_strip_counts(town: Town, operator: Actor) -> None:
    empty = await views.strip(town.center, operator)
    assert (empty["ingest_lag_s"], empty["silent"], empty["oldest_unacknowledged"]) == (None, 0, None)
    await leak(town)
    await town.condition("waste.bin_silent", "bin/1")
    await town.newest("inlet/1", "water_flow", 12.0)
    strip = await views.strip(town.center, operator)
    assert strip["open"] == {1: 0, 2: 1, 3: 0, 4: 0}
    assert strip["unacknowledged"] == strip["open"]
    assert (strip["silent"], strip["alarm_rate_10min"]) == (1, 1)
    assert strip["ingest_lag_s"] is not None
    assert strip["ingest_lag_s"] < 5
    assert strip["devices"] == len(town.registry.devices)


async def test_the_queue_and_what_others_see_of_it(town: Town, operator: Actor) -> None:
    number = await leak(town)
    await town.condition("waste.fire", "bin/1")
    await intake.take_in(town.center, town.registry, since=0)
    rows = await views.queue(town.center, operator)
    assert [(r["type"], r["priority"]) for r in rows] == [("waste.fire", 1), ("water.leak", 2)]
    assert rows[1]["place_en"] == "inlet/1"
    assert rows[1]["org_en"] == "water"
    assert [r["incident_id"] for r in await views.queue(town.center, operator, text="ОБЪЕКТ INLET")] == [number]
    assert await views.queue(town.center, operator, text="100%_'") == []
    assert await views.queue(town.center, operator, closed=True) == []
    water = await person(town.center, "anna", "utility_dispatcher", services=("water",))
    assert [r["type"] for r in await views.queue(town.center, water)] == ["water.leak"]
    elsewhere = Actor(operator.account_id, "x", "operator", zone_ids=frozenset({999}))
    assert await views.queue(town.center, elsewhere) == []
    with pytest.raises(NotFound):
        await views.card(town.center, elsewhere, number)


async def test_the_card(town: Town, operator: Actor) -> None:
    number = await leak(town)
    center = town.center
    await incidents.acknowledge(center, operator, number, version=1)
    await commands.request(
        center, operator, town.ids["lamp/1"], action="on", args={}, idempotency_key="k", incident_id=number
    )
    card = await views.card(center, operator, number)
    assert card["incident"]["state"] == "acknowledged"
    assert card["undo"]
    assert card["conditions"][0]["rule_text"] == catalog().rules["water.leak"].text
    assert {line["action"] for line in card["log"]} == {"open", "acknowledge", "command"}
    assert card["log"][-1]["text_ru"].startswith("P2: почему")
    assert card["commands"][0]["title_ru"] == "Включить"
    assert "dispatch" in card["allowed"]
    assert "false_alarm" not in card["allowed"]
    assert "water_flow" in {row["quantity"] for row in card["plot"]}
    assert (await views.command_row(center, operator, card["commands"][0]["command_id"]))["action"] == "on"
    with pytest.raises(NotFound):
        await views.command_row(center, operator, "no uuid")
    with pytest.raises(NotFound):
        await views.command_row(center, operator, str(uuid.uuid4()))


async def test_the_card_of_a_leak_offers_the_valves_of_its_district(town: Town, operator: Actor) -> None:
    await town.condition("lighting.lamp_failed", "lamp/1")
    await intake.take_in(town.center, town.registry, since=0)
    (row,) = await views.queue(town.center, operator)
    possible = (await views.card(town.center, operator, row["incident_id"]))["possible"]
    assert {(p["object_id"], p["action"]) for p in possible} == {
        (town.ids["lamp/1"], name) for name in ("dim", "on", "off")
    }
    assert possible[0]["args"][0]["max"] == 100


async def test_an_object(town: Town, operator: Actor) -> None:
    await town.condition("lighting.day_burning", "cabinet/1")
    await intake.take_in(town.center, town.registry, since=0)
    found = await views.object_card(town.center, operator, town.ids["cabinet/2"])
    assert {(p["action"], p["targets"]) for p in found["possible"]} == {("dim", 3), ("on", 3), ("off", 3)}
    own = await views.object_card(town.center, operator, town.ids["cabinet/1"])
    assert (own["state"], own["class_"], len(own["incidents"])) == ("low", "cabinet", 1)
    with pytest.raises(NotFound):
        await views.object_card(town.center, operator, 0)
    hits = await views.search(town.center, operator, "CABINET")
    assert {h["key"] for h in hits} == {"cabinet/1", "cabinet/2"}
    assert await views.search(town.center, operator, " ") == []


async def test_points_of_a_window(town: Town, operator: Actor) -> None:
    series, now = town.series("inlet/1", "water_flow"), await town.now()
    async with town.ingest.transaction("part:ingest") as conn:
        await conn.execute(
            "SELECT reading_partition_ensure(t) FROM unnest(%s::timestamptz[]) t", [[now, now - timedelta(days=7)]]
        )
        await conn.execute(
            "INSERT INTO reading SELECT %s, %s - make_interval(mins => n), %s, n FROM generate_series(0, 99) n",
            [series, now, now],
        )
    since, until = now - timedelta(hours=2), now + timedelta(seconds=1)
    plain = await views.points(town.center, operator, series, since=since, until=until)
    assert (len(plain["value"]), plain["step_s"], plain["value"][-1]) == (100, 0, 0)
    thin = await views.points(town.center, operator, series, since=since, until=until, limit=10)
    assert 1 <= len(thin["value"]) <= 11
    assert thin["step_s"] == 721
    with pytest.raises(NotFound):
        await views.points(town.center, operator, 0, since=since, until=until)
    with pytest.raises(BadInput):
        await views.points(town.center, operator, series, since=now, until=now)
    lights = await person(town.center, "lights", "utility_dispatcher", services=("lighting",))
    with pytest.raises(NotFound):
        await views.points(town.center, lights, series, since=since, until=until)


async def test_every_service_has_its_page(town: Town, operator: Actor) -> None:
    await town.newest("inlet/1", "water_flow", 12.0)
    pages = {name: await views.service_page(town.center, operator, name) for name in catalog().services}
    for name, page in pages.items():
        assert [p["kind"] for p in page["panels"]] == [p.kind for p in catalog().services[name].panel]
    assert pages["water"]["panels"][0]["value"] == 12.0  # type: ignore[typeddict-item]


async def test_pages_have_rights(town: Town, operator: Actor) -> None:
    water = await person(town.center, "anna", "utility_dispatcher", services=("water",))
    with pytest.raises(Forbidden):
        await views.service_page(town.center, water, "heat")
    with pytest.raises(NotFound):
        await views.service_page(town.center, operator, "nosuch")
    hub = Hub(town.center.bus)
    async with town.ingest.transaction("part:ingest") as conn:
        await conn.execute("INSERT INTO quarantine (stage, reason, payload) VALUES ('decode', 'not_json', '\\x00ff41')")
    assert (await views.pipeline(town.center, operator, hub))["quarantine"] == []
    senior = await person(town.center, "olga", "senior_operator")
    page = await views.pipeline(town.center, senior, hub)
    assert page["reasons"] == {"not_json": 1}
    assert page["quarantine"][0]["payload"] == "\ufffd\ufffdA"
    number = page["quarantine"][0]["quarantine_id"]
    assert await views.quarantined_bytes(town.center, senior, number) == b"\x00\xffA"
    with pytest.raises(Forbidden):
        await views.quarantined_bytes(town.center, operator, number)


async def test_who_can_be_asked(town: Town, operator: Actor) -> None:
    number = await leak(town)
    await person(town.center, "lights", "utility_dispatcher", services=("lighting",))
    await person(town.center, "boss", "executive")
    assert [p["login"] for p in await views.assignees(town.center, operator, number)] == ["ivan"]
    assert {o["key"] for o in await views.organisations(town.center, operator)} == {
        "org/water", "org/lighting", "org/waste",
    }  # fmt: skip
