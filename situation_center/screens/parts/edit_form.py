"""The form that changes an object of the registry: its fields, and its attributes by the types of its class."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from citynet.access import Actor
from citynet.classes import Attribute, ObjectClass
from citynet.db import Row
from citynet.errors import BadInput, Conflict
from situation_center.desk import desk
from situation_center.reference import cells, devices, history, kinds, writing
from situation_center.reference.devices import FIXED, SOURCE, Edit
from situation_center.registry_versions import Version, holder
from situation_center.screens.parts.failures import Missing
from situation_center.screens.parts.marks import panel
from situation_center.screens.parts.masters import masters
from situation_center.wording import say, unit

FIELDS = ("name_ru", "name_en", "address", "tags", "parent", "lon", "lat")
# Fields of the registry under the names of the form.
STORED = {"parent": "parent_id"}


def edit_form(now: Row, kind: ObjectClass | None, language: str) -> html.Section:
    """Inputs with what is there; what another system has the last word on is closed and says so."""
    shown = _texts(now, kind)
    fields = [_input(name, shown[name], now, kind=kind, language=language) for name in FIELDS]
    own = [_input(name, text, now, kind=kind, language=language) for name, text in shown.items() if name not in FIELDS]
    head = [html.H3(say(language, "registry.attributes"), className="label")] if own else []
    why = dmc.TextInput(id={"thing": "note"}, label=say(language, "registry.why"), value="", size="sm")
    save = html.Button(say(language, "registry.save"), id="thing-save", n_clicks=0, className="primary")
    seen = dcc.Store(id="thing-seen", data=now["recorded_from"].isoformat())
    body = [html.Div(fields, className="fields"), *head, html.Div(own, className="fields"), why, save, seen]
    return panel(say(language, "registry.edit"), html.Div(body, className="pad"))


def _texts(now: Row, kind: ObjectClass | None) -> dict[str, str]:
    """What the inputs hold, by name: fields, then attributes of the class, then what programs have added."""
    found = {name: "" if now[name] is None else str(now[name]) for name in FIELDS}
    found["tags"] = ", ".join(now["tags"])
    listed = [a.name for a in kind.attribute] if kind else []
    names = dict.fromkeys([*listed, *sorted(now["attributes"])])
    fixed = FIXED if now["class_"] == "device" else ()
    return found | {
        f"attributes.{name}": writing.write_attribute(now["attributes"].get(name), kind.find(name) if kind else None)
        for name in names
        if name not in fixed
    }


def _input(name: str, text: str, now: Row, *, kind: ObjectClass | None, language: str) -> Any:
    key = name.partition(".")[2]
    known = kind.find(key) if kind and key else None
    given = {"id": {"thing": name}, "size": "sm", **_who_writes(name, now, kind, language=language)}
    given["label"] = _label(known, language) if known else key or say(language, f"registry.{name}")
    if known is None or known.type in ("text", "link", "image", "number"):
        return dmc.TextInput(value=text, **given)
    if known.type == "date":
        return dmc.TextInput(value=text, placeholder=say(language, "registry.day"), **given)
    if known.type in ("bool", "enum"):
        return dmc.Select(data=_choices(known, language), value=text or None, clearable=not known.required, **given)
    return dmc.Textarea(value=text, autosize=True, minRows=1, maxRows=6, **given)


def _label(known: Attribute, language: str) -> str:
    title = known.title_ru if language == "ru" else known.title_en
    return f"{title}, {unit(language, known.unit)}" if known.unit else title


def _choices(known: Attribute, language: str) -> list[dict[str, str]]:
    if known.type == "bool":
        return [{"value": v, "label": say(language, f"registry.{w}")} for v, w in (("true", "yes"), ("false", "no"))]
    return [{"value": v, "label": v} for v in known.values]


def _who_writes(name: str, now: Row, kind: ObjectClass | None, *, language: str) -> dict[str, Any]:
    """Closed where another system has the last word; else, where the class names an order, that order."""
    version = Version(
        **{n: now[n] for n in ("name_ru", "name_en", "address", "tags", "lon", "lat", "attributes", "origin")}
    )
    field = STORED.get(name, name)
    if name != "parent" and (other := holder(version, field, source=SOURCE, cls=kind)):
        return {"disabled": True, "description": say(language, "registry.written_by", system=other)}
    order = kind.order_of(name.partition(".")[2] or name) if kind else ()
    return {"description": say(language, "registry.order", order=masters(order, language))} if order else {}


async def save_edit(who: Actor, ref: str, given: Mapping[str, str], *, seen: str) -> None:
    """Write what differs from what was shown, all or nothing. Raises BadInput, also where it has changed since."""
    now = await history.as_of(desk().db, who, ref)
    moment = datetime.fromisoformat(seen)
    kind = next((k for k in await kinds.listed(desk().db, who) if k.name == now["class_"]), None)
    shown = _texts(now, kind)
    changed = {name: text for name, text in given.items() if name in shown and text != shown[name]}
    if changed:
        wanted = Edit(**_fields(changed, given, kind), seen=moment, note=given.get("note", ""))
        try:
            await devices.edit(desk().db, who, ref, wanted=wanted)
        except Conflict as error:
            raise Missing("seen_changed") from error


def _fields(changed: Mapping[str, str], given: Mapping[str, str], kind: ObjectClass | None) -> dict[str, Any]:
    found: dict[str, Any] = {n: changed[n] for n in ("name_ru", "name_en", "address", "parent") if n in changed}
    if "tags" in changed:
        found["tags"] = cells.tags(changed["tags"])
    if "lon" in changed or "lat" in changed:
        lon, lat = given["lon"], given["lat"]
        if not (lon and lat):
            raise BadInput("bad_coordinates", f"{lon} {lat}")
        found["place"] = (cells.coordinate(lon, 180), cells.coordinate(lat, 90))
    keys = [name for name in changed if name.startswith("attributes.")]
    found["attributes"] = {k.partition(".")[2]: _value(k.partition(".")[2], changed[k], kind) for k in keys}
    return found


def _value(key: str, text: str, kind: ObjectClass | None) -> Any:
    """Typed; an empty input takes the attribute away."""
    try:
        return cells.attribute(text, kind.find(key) if kind else None) if text else None
    except BadInput as error:
        raise BadInput(error.reason, f"{key}: {error.detail}") from error
