"""Events about stuck values: a sentence with its figures in both languages. Called by the engine."""

from analytics.judge import instant
from analytics.layout import Layout
from analytics.rules import why
from analytics.stuck import HOUR_S, Stuck
from citynet.model import Event, edge_event

RULE = "device.stuck"
WORDS = (
    "Значение {value:.6g} не меняется {lasted:.0f} ч; прежде не дольше {usual:.1f} ч",
    "The value {value:.6g} has not changed for {lasted:.0f} h; before, {usual:.1f} h at most",
)


def told(found: list[Stuck], layout: Layout) -> list[Event]:
    """One event for each."""
    return [_event(one, layout) for one in found]


def _event(one: Stuck, layout: Layout) -> Event:
    figures = {"value": one.value, "lasted": one.lasted_s / HOUR_S, "usual": one.usual_s / HOUR_S}
    series_id = layout.series_ids[one.row]
    return edge_event(
        RULE,
        layout.object_ids[int(layout.obj_of_row[one.row])],
        why(WORDS, figures, over=one.over),
        signal=f"stuck_{series_id}",
        over=one.over,
        time=instant(one.time_us),
        series_id=series_id,
        value=one.value,
    )
