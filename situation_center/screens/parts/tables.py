"""The table of objects of a service page: every object with its newest value, age and state; also the map in a list."""

from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import Input, html

from situation_center.screens.parts.browser import attrs, in_browser
from situation_center.views.rows import TableRow
from situation_center.wording import milliseconds, say, unit

WORST_FIRST = ("critical", "high", "medium", "low", "unknown", "normal")


def object_rows(rows: list[TableRow]) -> list[dict[str, Any]]:
    """Rows as the grid wants them, the worst first."""
    order = {name: i for i, name in enumerate(WORST_FIRST)}
    ranked = sorted(rows, key=lambda r: order[r["state"]])
    return [
        {
            "id": str(row["object_id"]),
            "name_ru": row["name_ru"],
            "name_en": row["name_en"],
            "value": row["value"],
            "time": milliseconds(row["time"]),
            "state": row["state"],
        }
        for row in ranked
    ]


def _columns(language: str, unit_: str) -> list[dict[str, Any]]:
    name = f"name_{language}"
    written = unit(language, unit_)
    value = say(language, "object.value") + (f", {written}" if written else "")
    number = {"function": "measured(params.value)"}
    right = {"type": "rightAligned", "headerClass": "ag-right-aligned-header"}
    return [
        {
            "field": name,
            "headerName": say(language, "service.object"),
            "cellRenderer": "ObjectName",
            "flex": 1,
            "minWidth": 150,
        },
        {"field": "value", "headerName": value, "valueFormatter": number, "width": 130, **right},
        {"field": "time", "headerName": say(language, "service.age"), "cellRenderer": "Age", "width": 92, **right},
        {"field": "state", "headerName": say(language, "service.state"), "cellRenderer": "ObjectState", "width": 124},
    ]


def choosing_grid(id_: str, rows: list[dict[str, Any]], columns: list[dict[str, Any]], *, empty: str) -> dag.AgGrid:
    """A grid from which one row is chosen; rows carry a text `id`, empty is said where there is none."""
    return dag.AgGrid(
        id=id_,
        className="grid",
        rowData=rows,
        columnDefs=columns,
        getRowId="params.data.id",
        defaultColDef={"sortable": True, "resizable": True, "suppressHeaderMenuButton": True},
        dashGridOptions={
            "rowHeight": 30,
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            "suppressCellFocus": True,
            "noRowsOverlayComponent": "NoRows",
            "noRowsOverlayComponentParams": {"text": empty},
            "animateRows": False,
        },
        style={"height": "100%"},
    )


def objects(rows: list[TableRow], *, title: str, unit_: str, language: str) -> html.Section:
    """The table with its search."""
    hint = say(language, "service.search")
    search = dmc.TextInput(id="table-search", placeholder=hint, size="xs", value="", **attrs(aria_label=hint))
    grid = choosing_grid("table", object_rows(rows), _columns(language, unit_), empty=say(language, "queue.none_found"))
    head = html.Header([html.H2(title), html.Div(search, className="grow")])
    return html.Section([head, grid], className="panel table-panel")


in_browser("openTable", Input("table", "id"))
in_browser("filterTable", Input("table-search", "value"))
