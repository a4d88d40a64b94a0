"""Events about clocks that are wrong: a sentence with its figures in both languages. Called by the engine."""

from analytics.clocks import Skew
from analytics.judge import instant
from analytics.layout import Layout
from analytics.rules import why
from citynet.model import Event, edge_event

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
    words = FINE if one.over else BEHIND if one.behind_s > 0 else AHEAD if one.behind_s > -ahead_s else FAR_AHEAD
    figures = {"minutes": abs(one.behind_s) / 60, "lasted": one.lasted_s / 60}
    told = why(words, figures, over=one.over)
    object_id, now = layout.object_ids[one.place], instant(one.time_us)
    return edge_event(RULE, object_id, told, signal=SIGNAL, over=one.over, time=now, value=one.behind_s)
