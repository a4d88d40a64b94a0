"""Events about stuck values: a sentence with its figures in both languages. Called by the engine."""

from analytics.judge import instant
from analytics.layout import Layout
from analytics.rules import BACK_EN, BACK_RU, Number, RussianNumber
from analytics.stuck import HOUR_S, Stuck
from citynet.model import Event, event_id

RULE = "device.stuck"
RU = "Значение {value:.6g} не меняется {lasted:.0f} ч; прежде не дольше {usual:.1f} ч"
EN = "The value {value:.6g} has not changed for {lasted:.0f} h; before, {usual:.1f} h at most"


def told(found: list[Stuck], layout: Layout) -> list[Event]:
    """One event for each."""
    return [_event(one, layout) for one in found]


def _event(one: Stuck, layout: Layout) -> Event:
    object_id = layout.object_ids[int(layout.obj_of_row[one.row])]
    signal = f"stuck_{layout.series_ids[one.row]}"
    now = instant(one.time_us)
    edge = "close" if one.over else "open"
    figures = {"value": one.value, "lasted": one.lasted_s / HOUR_S, "usual": one.usual_s / HOUR_S}
    before = (BACK_RU, BACK_EN) if one.over else ("", "")
    return Event(
        event_id=event_id(RULE, 1, object_id, signal=signal, opened=now, edge=edge, n=0),
        rule_id=RULE,
        rule_version=1,
        object_id=object_id,
        signal=signal,
        edge="close" if one.over else "open",
        severity="low",
        time=now,
        why_ru=before[0] + RU.format_map({name: RussianNumber(value) for name, value in figures.items()}),
        why_en=before[1] + EN.format_map({name: Number(value) for name, value in figures.items()}),
        series_id=layout.series_ids[one.row],
        value=one.value,
    )
