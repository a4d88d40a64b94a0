"""Events about clocks that are wrong: a sentence with its figures in both languages. Called by the engine."""

from analytics.clocks import Skew
from analytics.judge import instant
from analytics.layout import Layout
from analytics.rules import BACK_EN, BACK_RU, Number, RussianNumber
from citynet.model import Event, event_id

RULE, SIGNAL = "device.clock", "clock"
BEHIND = (
    "Показания помечены на {minutes:.0f} мин раньше, чем пришли, уже {lasted:.0f} мин: часы отстают",
    "Readings are stamped {minutes:.0f} min before they come, for {lasted:.0f} min by now: the clock is slow",
)
AHEAD = (
    "Показания помечены на {minutes:.0f} мин позже, чем пришли, уже {lasted:.0f} мин: часы спешат",
    "Readings are stamped {minutes:.0f} min after they come, for {lasted:.0f} min by now: the clock is fast",
)
# The true time of such a reading is not kept: it is stored at its arrival.
FAR_AHEAD = (
    "Показания помечены больше чем на {minutes:.0f} мин позже, чем пришли, уже {lasted:.0f} мин: часы спешат",
    "Readings are stamped more than {minutes:.0f} min after they come, for {lasted:.0f} min by now: the clock is fast",
)
FINE = ("Время показаний сходится с их приходом", "Readings are stamped when they come")


def told(found: list[Skew], layout: Layout, *, ahead_s: float) -> list[Event]:
    """One event for each. ahead_s: a clock further ahead than this is not believed."""
    return [_event(one, layout, ahead_s) for one in found]


def _event(one: Skew, layout: Layout, ahead_s: float) -> Event:
    object_id = layout.object_ids[one.place]
    now = instant(one.time_us)
    edge = "close" if one.over else "open"
    words = FINE if one.over else BEHIND if one.behind_s > 0 else AHEAD if one.behind_s > -ahead_s else FAR_AHEAD
    figures = {"minutes": abs(one.behind_s) / 60, "lasted": one.lasted_s / 60}
    before = (BACK_RU, BACK_EN) if one.over else ("", "")
    return Event(
        event_id=event_id(RULE, 1, object_id, signal=SIGNAL, opened=now, edge=edge, n=0),
        rule_id=RULE,
        rule_version=1,
        object_id=object_id,
        signal=SIGNAL,
        edge="close" if one.over else "open",
        severity="low",
        time=now,
        why_ru=before[0] + words[0].format_map({name: RussianNumber(value) for name, value in figures.items()}),
        why_en=before[1] + words[1].format_map({name: Number(value) for name, value in figures.items()}),
        value=one.behind_s,
    )
