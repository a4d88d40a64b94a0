"""The card on the right: what is wrong, why, what to do next, what can be ordered, what has been done."""

from typing import Any
from zoneinfo import ZoneInfo

from dash import html

from citynet import access
from citynet.access import Actor
from situation_center.screens.parts.browser import attrs
from situation_center.screens.parts.marks import empty, figures, object_link, priority_mark, severity_word
from situation_center.views.rows import Card, CommandRow, ConditionRow, LogRow, PossibleCommand, QueueRow
from situation_center.wording import clock_time, date_time, milliseconds, number, say, word

# How a command's state is marked; the word always stands beside it.
COMMAND_MARKS = {
    "confirmed": "✓",
    "rejected": "✕",
    "failed": "✕",
    "expired": "✕",
    "cancelled": "✕",
    "superseded": "↷",
    "unknown": "?",
    "unknown_final": "?",
}
WORK = ("acknowledge", "take", "assign", "dispatch", "start", "resolve", "verify", "close", "reopen", "false_alarm")
KEY_OF = {"acknowledge": "A", "take": "T"}
LOG_MAX = 30
CANCELLABLE = ("requested", "approved", "queued")
# What a device may have obeyed: there may be something to take back.
DONE = ("acknowledged", "confirmed", "unknown", "unknown_final", "failed", "superseded")


def named(row: Any, field: str, language: str) -> str:
    """The text of a field that comes in both languages."""
    return str(row[f"{field}_{language}"] or row[f"{field}_ru"] or "")


def layout(card: Card, who: Actor, zone: ZoneInfo) -> html.Div:
    """Everything above the plot and below it; the plot has its own place."""
    incident, language = card["incident"], who.language
    ids = " ".join(row["command_id"] for row in card["commands"])
    upper = [headline(incident, language, zone), why(card, language), next_step(card, language), work(card, language)]
    return html.Div([part for part in upper if part is not None], className="card", **attrs(data_commands=ids))


def lower(card: Card, who: Actor, zone: ZoneInfo) -> html.Div:
    """Below the plot: commands, related, log."""
    language = who.language
    parts = [
        commands(card["possible"], card["commands"], who=who, zone=zone, id_="card-commands"),
        related(card, language, zone),
        journal(card["log"], language, zone),
    ]
    return html.Div([part for part in parts if part is not None], className="card")


def headline(incident: QueueRow, language: str, zone: ZoneInfo) -> html.Section:
    """Priority, title, place, state, owner, deadline."""
    owner = incident["owner"] or named(incident, "org", language) or say(language, "card.nobody")
    facts = [
        html.Span([say(language, f"state.{incident['state']}")], className="strong"),
        html.Span([f"{say(language, 'card.owner')}: ", html.B(owner)]),
        html.Span(say(language, "card.opened", time=date_time(language, incident["opened"], zone))),
    ]
    top = [priority_mark(incident["priority"]), html.Span(_deadline(incident, language), className="right")]
    place = object_link(incident["object_id"], named(incident, "place", language))
    title = html.H2(named(incident, "title", language))
    return html.Section(
        [
            html.Div(top, className="head-line"),
            title,
            html.Div(place, className="strong"),
            html.Div(facts, className="facts"),
        ],
        className="headline",
    )


def _deadline(incident: QueueRow, language: str) -> list[Any]:
    if not incident["deadline"] or not incident["deadline_kind"]:
        return []
    times = milliseconds(incident["deadline"]), milliseconds(incident["deadline_start"])
    marks = attrs(data_deadline=str(times[0]), data_start=str(times[1]))
    return [html.Span(word(language, "deadline", incident["deadline_kind"]) + " ", className="muted"), html.B(**marks)]


def why(card: Card, language: str) -> html.Section:
    """The reason in words, the numbers behind it, the rule and its version."""
    words: list[Any] = [html.H2(say(language, "card.why"), className="label"), html.P(named(card, "why", language))]
    if card["conditions"]:
        worst = card["conditions"][0]
        words += [figures(_numbers(worst, card, language)), _rule(worst, language)]
    return html.Section(words)


def _numbers(condition: ConditionRow, card: Card, language: str) -> list[tuple[str, str]]:
    now = next((s["value"] for s in card["plot"] if s["series_id"] == condition["series_id"]), condition["value"])
    pairs = [
        (say(language, "card.value"), number(language, now)),
        (say(language, "card.peak"), number(language, condition["peak"])),
    ]
    if condition["low"] is not None and condition["high"] is not None:
        usual = f"{number(language, condition['low'])}–{number(language, condition['high'])}"
        pairs.insert(1, (say(language, "card.usual"), usual))
    if condition["score"] is not None:
        pairs.append((say(language, "card.score"), f"{number(language, condition['score'], 1)} σ"))
    return pairs


def _rule(condition: ConditionRow, language: str) -> html.P:
    text = say(language, "card.rule", rule=condition["rule_id"], version=condition["rule_version"])
    return html.P([text, " · ", html.Code(condition["rule_text"])], className="muted small-text")


def next_step(card: Card, language: str) -> html.Section | None:
    """What the rule's author says the operator does."""
    text = named(card, "action", language)
    if not text:
        return None
    return html.Section([html.H2(say(language, "card.next"), className="label"), html.P(text, className="next")])


def work(card: Card, language: str) -> html.Section | None:
    """The work actions that this viewer may do in this state."""
    names = [name for name in WORK if name in card["allowed"]]
    if not names:
        return html.Section(html.P(say(language, "card.no_right"), className="muted")) if not card["allowed"] else None
    buttons = [_work_button(name, language, first=i == 0) for i, name in enumerate(names)]
    return html.Section(html.Div(buttons, className="actions"), id="card-work")


def _work_button(name: str, language: str, *, first: bool) -> html.Button:
    label: list[Any] = [say(language, f"card.{name}")]
    if name in KEY_OF:
        label.append(html.Kbd(KEY_OF[name]))
    return html.Button(label, id={"work": name}, className="primary" if first else "", n_clicks=0)


def commands(
    possible: list[PossibleCommand], sent: list[CommandRow], *, who: Actor, zone: ZoneInfo, id_: str
) -> html.Section | None:
    """Command buttons by object and the state of what was ordered."""
    language = who.language
    if not possible and not sent:
        return None
    body: list[Any] = [html.H2(say(language, "card.commands"), className="label")]
    body += [command_state(row, who, zone) for row in sent]
    for object_id in dict.fromkeys(p["object_id"] for p in possible):
        body += _command_group([p for p in possible if p["object_id"] == object_id], language)
    return html.Section(body, id=id_)


def _command_group(possible: list[PossibleCommand], language: str) -> list[Any]:
    """What one object can be told, side by side."""
    buttons = html.Div([_command_button(p, language) for p in possible], className="actions")
    return [html.Div(named(possible[0], "object", language), className="one-line"), buttons]


def _command_button(command: PossibleCommand, language: str) -> html.Button:
    many = f" ({command['targets']})" if command["targets"] > 1 else ""
    more = "…" if command["args"] or command["dangerous"] else ""
    key = f"{command['object_id']}/{command['action']}"
    return html.Button(f"{named(command, 'title', language)}{many}{more}", id={"command": key}, n_clicks=0)


def command_state(row: CommandRow, who: Actor, zone: ZoneInfo) -> html.Div:
    """Never better than reality: confirmed only when telemetry has shown the effect."""
    language = who.language
    args = ", ".join(f"{number(language, v)}" if isinstance(v, float | int) else str(v) for v in row["args"].values())
    title = named(row, "title", language) + (f" {args}" if args else "")
    said = say(language, "card.requested", time=clock_time(row["requested"], zone), who=_who(row["requested_by"]))
    word_ = say(language, f"command_state.{row['state']}")
    state = html.Span(word_, className="strong", **attrs(data_command_state=row["state"]))
    mark = html.Span(COMMAND_MARKS.get(row["state"], "…"), className="state-mark", **attrs(aria_hidden="true"))
    more = [said, *_waits_for(row, language, zone), *([row["detail"]] if row["detail"] else [])]
    parts = [mark, html.Span(title), state, html.Span(" · ".join(more), className="muted")]
    buttons = _second_person(row, who)
    return html.Div([*parts, html.Div(buttons, className="sign")] if buttons else parts, className="command-state")


def _waits_for(row: CommandRow, language: str, zone: ZoneInfo) -> list[str]:
    """What a command waits for that no person can hasten."""
    said = []
    if row["cancel_asked"] and row["finished"] is None:
        said.append(_kept(row, language) or say(language, "card.cancel_asked"))
    if row["airtime_of"] and row["airtime_from"]:
        time = clock_time(row["airtime_from"], zone)
        said.append(say(language, "card.airtime", gateway=row["airtime_of"], time=time))
    if row["fetched"]:
        said.append(say(language, "card.fetched"))
    if row["next_uplink"] is not None:
        said.append(say(language, "card.next_uplink", time=clock_time(row["next_uplink"], zone)))
    return said


def _kept(row: CommandRow, language: str) -> str:
    """Why a command could not be taken back from its network server; empty while that is still tried."""
    return say(language, "card.kept", why=word(language, "kept", row["kept"])) if row["kept"] else ""


def _second_person(row: CommandRow, who: Actor) -> list[html.Button]:
    """A waiting dangerous command is approved by somebody else; what is not begun can be cancelled, the rest undone."""
    names = ["approve"] if row["state"] == "requested" and row["requested_by"] != who.name else []
    names += ["cancel"] if (row["state"] in CANCELLABLE or row["held"]) and not row["cancel_asked"] else []
    if row["before"] is not None and row["state"] in DONE and access.allowed(who, "command.request"):
        names.append("roll_back")
    return [
        html.Button(
            say(who.language, f"card.{name}_command"), id={name: row["command_id"]}, n_clicks=0, className="small"
        )
        for name in names
        if name == "roll_back" or access.allowed(who, f"command.{name}")
    ]


def related(card: Card, language: str, zone: ZoneInfo) -> html.Section | None:
    """The conditions inside this incident and other incidents nearby."""
    lines = [_condition(c, language, zone) for c in card["conditions"]]
    lines += [_incident(row, language) for row in card["related"]]
    if not lines:
        return None
    return html.Section(
        [html.H2(say(language, "card.related"), className="label"), html.Ul(lines, className="lines related")]
    )


def _condition(row: ConditionRow, language: str, zone: ZoneInfo) -> html.Li:
    since = row["returned"]
    state = (
        say(language, "card.condition_active")
        if since is None
        else say(language, "card.condition_returned", time=clock_time(since, zone))
    )
    times = f" ×{row['count']}" if row["count"] > 1 else ""
    text: list[Any] = [object_link(row["object_id"], named(row, "object", language)), f"{times} — {state}"]
    return html.Li([severity_word(language, row["severity"]), html.Span(text)])


def _incident(row: QueueRow, language: str) -> html.Li:
    text = f"{named(row, 'title', language)} · {named(row, 'place', language)}"
    open_it = html.Button(text, id={"open": str(row["incident_id"])}, n_clicks=0, className="small")
    return html.Li([priority_mark(row["priority"]), open_it])


def journal(rows: list[LogRow], language: str, zone: ZoneInfo) -> html.Section:
    """What was done, newest first."""
    lines = [
        html.Li(
            [
                html.Time(clock_time(row["at"], zone), dateTime=row["at"].isoformat()),
                html.Span([*_said(row, language), html.Small(f" — {_who(row['actor'])}")]),
            ]
        )
        for row in sorted(rows, key=lambda r: -r["log_id"])[:LOG_MAX]
    ]
    body = html.Ul(lines, className="lines") if lines else html.P(say(language, "card.log_empty"), className="muted")
    return html.Section([html.H2(say(language, "card.log"), className="label"), body])


def _said(row: LogRow, language: str) -> list[Any]:
    action = word(language, "log", row["action"])
    text = named(row, "text", language)
    return [html.B(action), f": {text}"] if text else [html.B(action)]


def _who(actor: str) -> str:
    return actor.partition(":")[2] or actor


def nothing(language: str) -> html.Div:
    """No selection."""
    return empty(say(language, "card.empty"), say(language, "card.empty_keys"))
