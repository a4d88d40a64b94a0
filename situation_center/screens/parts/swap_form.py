"""The form of a swap: another device on the same object, with the registers of both."""

from typing import Any

import dash_mantine_components as dmc
from dash import html

from citynet.access import Actor
from citynet.db import Row
from citynet.errors import BadInput
from situation_center.desk import desk
from situation_center.reference import swap
from situation_center.reference.swap import Register, Swap
from situation_center.screens.parts.marks import panel
from situation_center.views import quantity
from situation_center.wording import measured, say


def swap_form(registers: list[Row], language: str) -> html.Section:
    """The new device, and for each register the last value of the old and the first of the new one."""
    fields: list[Any] = [
        dmc.TextInput(id="swap-eui", label=say(language, "registry.new_device"), value="", size="sm"),
    ]
    for row in registers:
        words = quantity(row["quantity"], row["unit"])
        name = words.name_ru if language == "ru" else words.name_en
        last = f"{name}: {measured(language, row['value'], row['unit'])}"
        for kind in ("final", "initial"):
            label = f"{last} — {say(language, f'registry.{kind}')}"
            fields.append(dmc.TextInput(id={"swap": f"{kind}/{row['series_id']}"}, label=label, value="", size="sm"))
    note = dmc.TextInput(id="swap-note", label=say(language, "registry.note"), value="", size="sm")
    go = html.Button(say(language, "registry.swap"), id="swap-go", n_clicks=0, className="primary")
    return panel(say(language, "registry.swap_title"), html.Div([*fields, note, go], className="pad"))


async def swap_now(who: Actor, ref: str, wanted: Swap, *, given: dict[str, str]) -> None:
    """Swap with the figures of the form. Raises BadInput and what the swap raises."""
    series = sorted({name.partition("/")[2] for name in given})
    found = [
        Register(int(s), _figure(given[f"final/{s}"]), _figure(given[f"initial/{s}"] or "0"))
        for s in series
        if given[f"final/{s}"]
    ]
    await swap.swap(desk().db, who, ref, wanted=Swap(wanted.external_id, registers=found, note=wanted.note))


def _figure(text: str) -> float:
    try:
        return float(text.replace(",", ".").replace(" ", ""))
    except ValueError as error:
        raise BadInput("bad_number", text[:40]) from error
