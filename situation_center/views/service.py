"""The page of one city service, drawn from the panels of its TOML file."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from citynet.access import Actor, require
from citynet.catalog import Panel, Service, catalog
from citynet.db import Row
from citynet.errors import NotFound
from situation_center.store import Center, city_now
from situation_center.views import series
from situation_center.views.base import PRIORITIES, SQL, quantity, scope
from situation_center.views.queue import SHOWN, find
from situation_center.views.rows import HeatPanel, KpiPanel, SeriesPanel, ServicePage, TablePanel, TableRow

SERIES_MAX = 12
ROWS_MAX = 500
WINDOW = timedelta(hours=24)
STEP_S = 900
AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": sum,
    "mean": lambda values: sum(values) / len(values),
    "max": max,
    "min": min,
    "count": lambda values: float(len(values)),
}
AnyPanel = KpiPanel | SeriesPanel | TablePanel | HeatPanel


async def service_page(db: Center, actor: Actor, name: str) -> ServicePage:
    """Raises NotFound for an unknown service. Needs screen.open on the service."""
    service = catalog().services.get(name)
    if service is None:
        raise NotFound(f"no service {name[:40]}")
    require(actor, "screen.open", {"service": name})
    given = {"service": name, "zones": scope(actor)["zones"], "quantities": [p.quantity for p in service.panel]}
    rows = await db.rows(SQL["service_values"], given)
    counts = await db.row(SQL["service_counts"], given)
    assert counts is not None
    incidents = await find(db, actor, service=name, states=SHOWN, limit=200)
    return ServicePage(
        name=name,
        title_ru=service.title_ru,
        title_en=service.title_en,
        objects=counts["objects"],
        silent=counts["silent"],
        open={p: sum(row["priority"] == p for row in incidents) for p in PRIORITIES},
        panels=[await _panel(db, actor, panel, service=service, rows=_of(panel, rows)) for panel in service.panel],
        incidents=incidents,
    )


def _of(panel: Panel, rows: list[Row]) -> list[Row]:
    return [r for r in rows if r["quantity"] == panel.quantity and panel.class_ in (None, r["class"])]


async def _panel(db: Center, actor: Actor, panel: Panel, *, service: Service, rows: list[Row]) -> AnyPanel:
    if panel.kind == "kpi":
        return _kpi(panel, rows)
    if panel.kind == "series":
        return await _series(db, actor, panel, rows=rows)
    if panel.kind == "table":
        return _table(panel, rows)
    return _heat(service, panel)


def _kpi(panel: Panel, rows: list[Row]) -> KpiPanel:
    """none = sum for powers and flows that add up, else mean."""
    unit = quantity(panel.quantity).unit
    adds_up = unit in {"kW", "MW", "W", "m3/h", "kW.h", "m3"}
    aggregate = panel.aggregate if panel.aggregate != "none" else "sum" if adds_up else "mean"
    values = [row["value"] for row in rows if row["value"] is not None]
    return KpiPanel(
        kind="kpi",
        title_ru=panel.title_ru,
        title_en=panel.title_en,
        quantity=panel.quantity,
        unit=unit,
        aggregate=aggregate,
        value=AGGREGATES[aggregate](values) if values else None,
        objects=len(values),
    )


async def _series(db: Center, actor: Actor, panel: Panel, *, rows: list[Row]) -> SeriesPanel:
    chosen = _most_telling(rows)
    async with db.reader() as conn:
        until = await city_now(conn)
    ids = [row["series_id"] for row in chosen]
    drawn = await series.steps(db, actor, ids, since=until - WINDOW, until=until, step_s=STEP_S)
    return SeriesPanel(
        kind="series",
        title_ru=panel.title_ru,
        title_en=panel.title_en,
        quantity=panel.quantity,
        unit=quantity(panel.quantity).unit,
        series=[series.series_row(row) for row in chosen],
        points=list(drawn.values()),
    )


def _most_telling(rows: list[Row]) -> list[Row]:
    """At most 12 series: of the class with the fewest objects (inlets before meters), abnormal ones first."""
    sizes = {cls: sum(row["class"] == cls for row in rows) for cls in {row["class"] for row in rows}}
    ordered = sorted(rows, key=lambda r: (r["state"] in {"normal", "unknown"}, sizes[r["class"]], r["series_id"]))
    return ordered[:SERIES_MAX]


def _table(panel: Panel, rows: list[Row]) -> TablePanel:
    return TablePanel(
        kind="table",
        title_ru=panel.title_ru,
        title_en=panel.title_en,
        quantity=panel.quantity,
        unit=quantity(panel.quantity).unit,
        rows=[_table_row(row) for row in rows[:ROWS_MAX]],
    )


def _table_row(row: Row) -> TableRow:
    return TableRow(
        object_id=row["object_id"],
        name_ru=row["object_ru"],
        name_en=row["object_en"],
        value=row["value"],
        time=row["time"],
        state=row["state"],
    )


def _heat(service: Service, panel: Panel) -> HeatPanel:
    known = next((h for h in service.heat if h.quantity == panel.quantity), None)
    said = quantity(panel.quantity)
    return HeatPanel(
        kind="heat",
        title_ru=panel.title_ru,
        title_en=panel.title_en,
        quantity=panel.quantity,
        unit=said.unit,
        min=known.min if known else (said.min or 0.0),
        max=known.max if known else (said.max or 100.0),
    )
