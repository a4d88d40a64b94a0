"""What all read models share: the queries and the limits of what an actor may know."""

from pathlib import Path
from typing import Any

from citynet.access import Actor
from citynet.catalog import Quantity, catalog
from citynet.db import named_sql

SQL = named_sql(Path(__file__).with_name("views.sql"))
PRIORITIES = (1, 2, 3, 4)
WORST = ("critical", "high", "medium", "low")


def scope(actor: Actor) -> dict[str, Any]:
    """Parameters that cut a query to the actor's services and zones; empty = all. The same as access.allowed()."""
    return {"services": sorted(actor.services), "zones": sorted(actor.zone_ids)}


def quantity(name: str, unit: str = "1") -> Quantity:
    """A quantity of the catalogue; one that was taken out of it keeps its name."""
    return catalog().quantities.get(name) or Quantity(unit=unit, name_ru=name, name_en=name)


def state_of(conditions: list[tuple[str, str]]) -> str:
    """State of an object from its active (signal, severity): the worst one; unknown when it is only silent."""
    severities = {severity for signal, severity in conditions if signal != "nodata"}
    worst = next((severity for severity in WORST if severity in severities), None)
    return worst or ("unknown" if conditions else "normal")
