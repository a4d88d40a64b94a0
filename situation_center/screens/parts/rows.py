"""Read models as the browser wants them: ids as text, times as epoch milliseconds, both languages side by side."""

from datetime import timedelta
from typing import Any

from citynet.access import Actor
from situation_center.views.rows import QueueRow, Strip
from situation_center.wording import integer, milliseconds, number, say, span

FLOOD = 10
RATE_LIMIT = 2
LAG_WARN_S, LAG_BAD_S = 30, 300
SILENT_WARN, SILENT_BAD = 0.05, 0.2
KEPT = ("version", "priority", "severity", "state", "condition_active", "title_ru", "title_en", "place_ru", "place_en")
ALSO_KEPT = ("service", "object_id", "owner", "org_ru", "org_en", "deadline_kind", "count", "change")


def queue_row(row: QueueRow, viewer: Actor) -> dict[str, Any]:
    """A row of the queue grid."""
    kept = {name: row[name] for name in (*KEPT, *ALSO_KEPT)}  # type: ignore[literal-required]
    return kept | {
        "id": str(row["incident_id"]),
        "mine": row["owner_id"] == viewer.account_id,
        "opened": milliseconds(row["opened"]),
        "deadline": milliseconds(row["deadline"]),
        "deadline_start": milliseconds(row["deadline_start"]),
    }


def clock_data(strip: Strip) -> dict[str, Any]:
    """What the browser's city clock is set by."""
    return {"now": milliseconds(strip["now"]), "speed": strip["speed"]}


def stage(strip: Strip) -> str:
    """calm, raised or flood: what the room should expect."""
    if strip["alarm_rate_10min"] >= FLOOD:
        return "flood"
    return "raised" if strip["open"].get(1) or strip["alarm_rate_10min"] > RATE_LIMIT else "calm"


def level(value: float | None, warn: float, bad: float) -> str | None:
    """ok (None), warn or bad."""
    if value is None or value <= warn:
        return None
    return "bad" if value > bad else "warn"


def strip_data(strip: Strip, language: str) -> dict[str, Any]:
    """Element id -> its text or its text and data attributes; the same for the first view and for every push."""
    rate, mode = strip["alarm_rate_10min"], stage(strip)
    rate_level = "bad" if rate >= FLOOD else "warn" if rate > RATE_LIMIT else None
    mode_level = {"calm": None, "raised": "warn", "flood": "bad"}[mode]
    oldest = milliseconds(strip["oldest_unacknowledged"])
    lag = strip["ingest_lag_s"]
    silent = f"{strip['silent']} · {number(language, 100 * strip['silent_share'], 1)} %"
    nobody = say(language, "strip.nobody")
    away = strip["sign_in_away"] is not None
    data: dict[str, Any] = {
        "strip-stage": {"text": say(language, f"strip.stage_{mode}"), "level": mode_level},
        "strip-rate": {"text": str(rate), "level": rate_level},
        "strip-gauge": {"level": rate_level, "share": str(min(rate, FLOOD + 2) / (FLOOD + 2))},
        "strip-oldest": {"since": str(oldest)} if oldest else {"since": None, "text": nobody},
        "strip-lag": {"text": _lag(lag, language), "level": level(lag, LAG_WARN_S, LAG_BAD_S)},
        "strip-silent": {"text": silent, "level": level(strip["silent_share"], SILENT_WARN, SILENT_BAD)},
        "strip-sign-in": {
            "text": say(language, "strip.sign_in_away" if away else "strip.sign_in_well"),
            "level": "bad" if away else None,
        },
        "strip-devices": say(language, "strip.of", n=integer(language, strip["devices"])),
    }
    for priority in (1, 2, 3, 4):
        n = strip["unacknowledged"].get(priority, 0)
        data[f"strip-new-{priority}"] = {"text": str(n), "zero": None if n else "yes"}
    data["strip-open"] = str(sum(strip["open"].values()))
    return data


def _lag(lag_s: float | None, language: str) -> str:
    if lag_s is None:
        return "—"
    return (
        f"{number(language, lag_s, 1)} {say(language, 'span.s')}"
        if lag_s < 10
        else span(language, timedelta(seconds=lag_s))
    )
