"""The queue of incidents: a grid with two lines a row, filled by the push, filtered in the browser."""

from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import Input, dcc, html

from situation_center.screens.parts.browser import attrs, in_browser
from situation_center.wording import say


def _column(field: str, renderer: str, title: str, **more: Any) -> dict[str, Any]:
    return {"field": field, "headerName": title, "cellRenderer": renderer, "sortable": False, "resizable": False} | more


def columns(language: str) -> list[dict[str, Any]]:
    """Priority, incident and place, state and owner, countdown and age."""

    def word(name: str) -> str:
        return say(language, f"queue.{name}")

    return [
        _column("priority", "Priority", word("priority"), width=70),
        _column("version", "Incident", word("incident"), flex=1, minWidth=120),
        _column("state", "State", word("state"), width=146),
        _column("deadline", "Due", word("time"), width=104, headerClass="ag-right-aligned-header"),
    ]


def _tools(language: str) -> html.Div:
    options = [{"label": say(language, f"queue.{c}"), "value": c} for c in ("all", "new", "mine")]
    hint = say(language, "queue.search_hint")
    search = dmc.TextInput(id="queue-search", placeholder=hint, size="xs", value="", **attrs(aria_label=hint))
    label = attrs(aria_label=say(language, "queue.filter"))
    choice = dmc.SegmentedControl(id="queue-filter", data=options, value="all", size="xs", **label)
    return html.Div([search, choice], className="queue-tools")


def layout(rows: list[dict[str, Any]], language: str) -> html.Section:
    """The panel of the queue; rows serve the first view only."""
    grid = dag.AgGrid(
        id="queue",
        className="grid",
        rowData=rows,
        columnDefs=columns(language),
        getRowId="params.data.id",
        dashGridOptions={
            "rowHeight": 46,
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": False},
            "suppressCellFocus": True,
            "suppressMovableColumns": True,
            "noRowsOverlayComponent": "NoRows",
            "noRowsOverlayComponentParams": {"text": say(language, "queue.empty")},
            "animateRows": False,
        },
        style={"height": "100%"},
    )
    head = html.Header([html.H2(say(language, "queue.title")), html.Span(id="queue-count"), _tools(language)])
    return html.Section([head, grid, dcc.Store(id="queue-first", data=rows)], className="panel queue-panel")


in_browser("openQueue", Input("queue", "id"), Input("queue-first", "data"))
in_browser("filterQueue", Input("queue-search", "value"), Input("queue-filter", "value"))
