"""Callbacks that run in the browser: functions of assets/screens.js and loader.js, and attributes for them."""

from typing import Any

from dash import ClientsideFunction, Output, clientside_callback

# What such a callback does lies beside Dash (grid, map, attributes), so its output is a store that nobody reads.
SINK = Output("sink", "data", allow_duplicate=True)


def in_browser(function: str, *wiring: Any, namespace: str = "screens") -> None:
    """Call namespace.function in the browser with these inputs and states, also once at the beginning."""
    target = ClientsideFunction(namespace, function)
    clientside_callback(target, SINK, *wiring, prevent_initial_call="initial_duplicate")


def attrs(**named: str) -> dict[str, Any]:
    """HTML attributes with a dash in their name: attrs(aria_label="x", data_clock="time")."""
    return {name.replace("_", "-"): value for name, value in named.items()}
