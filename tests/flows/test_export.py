"""Exports of readings: the same rows in each format, nothing of what is not allowed, and a place that becomes free."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import openpyxl
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI

from citynet import db
from citynet.access import Actor
from citynet.catalog import catalog
from citynet.db import Database
from citynet.errors import BadInput, Unavailable
from citynet.model import Proposal, ProposalRequest
from ingest.rollups import Rollups
from ingest.writer import ReadingsWriter
from situation_center import accounts, api, desk, registry_write
from situation_center.live import Hub
from situation_center.query.export import lines, pieces, plan
from situation_center.query.export.plan import Format, Wish
from situation_center.query.export.stream import export
from situation_center.reference.table import _plain
from tests.flows.center import Town, person
from tests.support.readings import Reading, body, store

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LATER = datetime(2090, 1, 1, tzinfo=UTC)
MOSCOW = ZoneInfo("Europe/Moscow")
START = datetime(2026, 1, 20, tzinfo=MOSCOW).astimezone(UTC)
NASTY = '=HYPERLINK("http://x";"<b>")'
Rows = list[tuple[Any, ...]]


@pytest.fixture
async def given(town: Town, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Reading]]:
    """Two days of a flow and of six lamps in uneven steps, rolled up; pieces so small that there are many."""
    monkeypatch.setattr(pieces, "PIECE", 100)
    monkeypatch.setattr(pieces, "PAGE", 4)
    lamps = [town.series(f"lamp/{n}", "lamp_energy") for n in range(1, 7)]
    rows = [(town.series("inlet/1", "water_flow"), START + n * 7 * MINUTE, n / 3) for n in range(400)]
    rows += [(lamp, START + n * HOUR, float(n * lamp)) for lamp in lamps for n in range(50)]
    names = {"name_ru": NASTY, "name_en": "-1+2", "service": "water"}
    renamed = Proposal(key="inlet/1", cls="district_inlet", lon=37.75, lat=44.72, **names)  # type: ignore[arg-type]
    await registry_write.apply(town.center, ProposalRequest("test", [renamed]), catalog())
    ingest = await Database(db.dsn(town.center.settings, "ingest")).open()
    await store(ingest, ReadingsWriter("UPLINKS", 262_144), body(rows))
    await Rollups(ingest, MOSCOW).roll_up(LATER)
    yield sorted(rows)
    await ingest.close()


async def made(town: Town, actor: Actor, wish: Wish, kind: Format, **more: Any) -> bytes:
    found = await export(town.center, actor, wish, kind=kind, **more)
    data = b"".join([part async for part in found.body])
    found.close()
    assert not plan.SLOTS.running.total()
    return data


def read(kind: Format, data: bytes, *, excel: bool = False) -> Rows:
    """Rows as values: names as they are in the registry, moments in UTC."""
    if kind == "parquet":
        table = pq.read_table(io.BytesIO(data))
        return [tuple(row.values()) for row in table.to_pylist()]
    if kind == "xlsx":
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True)
        cells = [row for sheet in book for row in sheet.iter_rows(min_row=2, values_only=True)]
        return [tuple(_cell(n, value) for n, value in enumerate(row)) for row in cells]
    text = data.decode("utf-8-sig")
    found = list(csv.reader(io.StringIO(text), delimiter=";" if excel else ","))[1:]
    return [tuple(_text(n, cell, excel) for n, cell in enumerate(row)) for row in found]


def _cell(n: int, value: Any) -> Any:
    if n == 6:
        return value.replace(tzinfo=MOSCOW).astimezone(UTC)
    return (value or "") if 1 <= n <= 5 else value


def _text(n: int, cell: str, excel: bool) -> Any:
    if 1 <= n <= 5:
        return _plain(cell)
    if n == 6 and excel:
        return datetime.strptime(cell, "%d.%m.%Y %H:%M:%S").replace(tzinfo=MOSCOW).astimezone(UTC)
    if n == 6:
        return datetime.fromisoformat(cell)
    return float(cell.replace(",", ".")) if cell else None


async def test_every_format_holds_the_same_rows(town: Town, senior: Actor, given: list[Reading]) -> None:
    wish = Wish(START, START + timedelta(days=3))
    whole = read("parquet", await made(town, senior, wish, "parquet"))
    assert [(row[0], row[6], row[7]) for row in whole] == given
    flow = next(row for row in whole if row[0] == town.series("inlet/1", "water_flow"))
    assert flow[1:6] == ("inlet/1", NASTY, "water_flow", "", "m3/h")
    assert read("csv", await made(town, senior, wish, "csv")) == whole
    ru = await made(town, senior, wish, "csv", excel=True)
    assert ru.startswith(b"\xef\xbb\xbfseries_id;key;name")
    assert f'"\'{NASTY.replace(chr(34), chr(34) * 2)}"'.encode() in ru
    assert read("csv", ru, excel=True) == whole
    book = await made(town, senior, wish, "xlsx")
    assert [(*row[:6], *row[7:]) for row in read("xlsx", book)] == [(*row[:6], *row[7:]) for row in whole]
    assert all(abs(a[6] - b[6]) < timedelta(milliseconds=1) for a, b in zip(read("xlsx", book), whole, strict=True))
    sheet = openpyxl.load_workbook(io.BytesIO(book))["1"]
    assert {cell.data_type for cell in sheet["C"]} == {"s"}


async def test_periods_are_exported(town: Town, senior: Actor, given: list[Reading]) -> None:
    lamp = town.series("lamp/2", "lamp_energy")

    async def rows(step: Any, **more: Any) -> Rows:
        wish = Wish(START, START + timedelta(days=3), step, **more)
        whole = read("parquet", await made(town, senior, wish, "parquet"))
        text = list(csv.reader(io.StringIO((await made(town, senior, wish, "csv")).decode())))
        assert len(text) == len(whole) + 1
        assert text[0] == [*lines.WORDS, *lines.PERIODS]
        assert len(read("xlsx", await made(town, senior, wish, "xlsx"))) == len(whole)
        return whole

    days = await rows("day", series=(lamp,))
    assert [(row[6], row[7], row[14]) for row in days] == [
        (date(2026, 1, 20), 24, 24.0 * lamp),
        (date(2026, 1, 21), 24, 24.0 * lamp),
        (date(2026, 1, 22), 2, 1.0 * lamp),
    ]
    hours = await rows("hour", place=town.ids["cabinet/1"], quantities=("lamp_energy",))
    assert len(hours) == 5 * 50
    (month,) = await rows("month", series=(lamp,), begins=15)
    assert (month[6], month[7], month[14]) == (date(2026, 1, 15), 50, 49.0 * lamp)
    flow = await rows("day", place=town.ids["inlet/1"])
    assert [row[14] for row in flow] == [None, None]


async def test_rights_limits_and_the_audit(town: Town, senior: Actor, given: list[Reading]) -> None:
    wish = Wish(START, START + timedelta(days=3))
    lights = await person(town.center, "lena", "operator", services=("lighting",))
    found = read("parquet", await made(town, lights, wish, "parquet"))
    assert len(found) == 300
    alone = Wish(START, START + timedelta(days=3), series=(town.series("inlet/1", "water_flow"),))
    assert read("csv", await made(town, lights, alone, "csv")) == []
    with pytest.raises(BadInput):
        await export(town.center, senior, Wish(START, START), kind="csv")
    held = [await export(town.center, lights, wish, kind="csv") for _ in range(2)]
    with pytest.raises(Unavailable):
        await export(town.center, lights, wish, kind="csv")
    assert held[0].rows == 300
    for one in held:
        one.close()
    assert held[0].size == pytest.approx(len(await made(town, lights, wish, "csv")), rel=0.1)
    few = town.center.settings.model_copy(update={"export_rows": 100})
    town.center.settings = few
    with pytest.raises(BadInput):
        await export(town.center, senior, wish, kind="csv")
    rows = await town.center.rows("SELECT actor, detail FROM audit WHERE action = 'readings.export' ORDER BY audit_id")
    assert (rows[0]["actor"], rows[0]["detail"]["rows"]) == ("person:lena", 300)
    assert len(rows) == 5


async def test_over_http_and_given_up(town: Town, senior: Actor, given: list[Reading]) -> None:
    app = FastAPI(openapi_url=None)
    api.install(app)
    desk.open_desk(desk.Desk(town.center.settings, town.center, Hub(town.center.bus)))
    key = await accounts.issue_key(town.center, senior.login, label="t", expires=None, by="part:test")
    span = {"since": START.isoformat(), "until": (START + timedelta(days=3)).isoformat()}
    transport, headers = httpx.ASGITransport(app=app), {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://city.test/api/v1", headers=headers) as http:
        for kind in ("csv", "xlsx", "parquet"):
            answer = await http.get("/readings/export", params={**span, "format": kind, "within": "cabinet/1"})
            assert answer.status_code == 200, answer.text
            assert answer.headers["x-rows-expected"] == "250"
            assert answer.headers["content-disposition"].endswith(f'.{kind}"')
            assert len(read(kind, answer.content)) == 250
        assert (await http.get("/readings/export", params={**span, "within": "nothing"})).status_code == 404
        totals = await http.get(
            "/readings/totals",
            params={"within": "district/1", "quantity": "lamp_energy", "since": "2026-01-20", "until": "2026-01-21"},
        )
        assert totals.json()["rows"][0]["registers"] == 6
        window = await http.get(f"/series/{given[0][0]}/window", params={**span, "fill": "linear", "points": 10_000})
        assert window.json()["step"] == "raw"
        newest = await http.get("/readings/newest-within", params={"within": "inlet/1", "quantity": "water_flow"})
        assert newest.json()["rows"][0]["value"] == 399 / 3
    desk.open_desk(None)
    # A client that goes away after the first bytes.
    found = await export(town.center, senior, Wish(START, START + timedelta(days=3)), kind="csv")
    assert await anext(found.body)
    await found.body.aclose()  # type: ignore[attr-defined]
    found.close()
    assert not plan.SLOTS.running.total()
