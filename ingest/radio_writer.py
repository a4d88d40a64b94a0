"""Stores how devices were heard: one row a device, one a link, events where a counter went back. Called by a lane."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from citynet.bus import Frame
from citynet.db import Connection
from citynet.model import Event, LiveChanged, Quarantined, RadioFrame, edge_event
from ingest import events, quarantine
from ingest.lane import Outcome
from ingest.radio import DeviceRadio, Oddity, Weakness, fold, forgotten_before, judge, links
from ingest.table import SQL

FRAMES = msgspec.msgpack.Decoder(list[RadioFrame])
SIGNAL, RADIO = "frame_counter", "radio"
# A device whose counter goes back with every frame is told of once an hour, counted always.
AGAIN = timedelta(hours=1)
WORDS = {
    "reset": (
        "Счётчик кадров начался заново: был {was}, пришёл {came}; сбросов всего: {times}",
        "Frame counter began again: was {was}, came {came}; resets so far: {times}",
    ),
    "replay": (
        "Пришёл старый кадр: счётчик {came} после {was}, через {minutes} мин; повторов всего: {times}",
        "An old frame came again: counter {came} after {was}, {minutes} min later; replays so far: {times}",
    ),
    "weak": (
        "Плохо слышно: запас {margin} дБ, за 30 дней потеряно кадров: {loss} %",
        "Heard badly: a margin of {margin} dB, {loss} % of the frames of 30 days lost",
    ),
    "heard": (
        "Снова слышно хорошо: запас {margin} дБ, за 30 дней потеряно кадров: {loss} %",
        "Heard well again: a margin of {margin} dB, {loss} % of the frames of 30 days lost",
    ),
}


class RadioWriter:
    """Writer of readings.radio; see lane.Write. The same frames again change nothing.

    Two processes may store two batches of one device in the wrong order: then the older frames are not counted.
    """

    def __init__(self, payload_bytes: int) -> None:
        self.payload_bytes = payload_bytes

    async def __call__(self, conn: Connection, frames: list[Frame]) -> Outcome:
        """Store all receptions of frames."""
        heard, aside = _read(frames)
        outcome = await quarantine.add(conn, aside, payload_bytes=self.payload_bytes)
        if heard:
            await self._store(conn, heard, outcome)
        return outcome

    async def _store(self, conn: Connection, heard: dict[int, list[RadioFrame]], outcome: Outcome) -> None:
        ids = {"ids": sorted(heard)}
        rows = await (await conn.execute(SQL["radio_devices"], ids)).fetchall()
        known = {row["device_id"]: DeviceRadio(**row) for row in rows}
        before = {device_id: (one.last_replay, one.last_reset, one.day) for device_id, one in known.items()}
        fresh, odd, weak = [], [], []
        for device_id, frames in heard.items():
            device = known.setdefault(device_id, DeviceRadio(device_id))
            fresh += [frame for frame in frames if frame.arrived_ns > device.arrived_ns]
            odd += [found for frame in frames if (found := fold(device, frame))]
            if turn := judge(device):
                weak.append(turn)
        await conn.execute(SQL["put_radio_devices"], {"rows": Jsonb([known[i].row() for i in sorted(heard)])})
        await conn.execute(SQL["put_radio_links"], {"rows": Jsonb(links(fresh))})
        turned = [i for i, (_, _, day) in before.items() if known[i].day > day]
        if turned:
            newest = max(known[i].last_heard for i in turned)
            await conn.execute(SQL["drop_radio_links"], {"ids": turned, "before": forgotten_before(newest)})
        outcome.counters["radio_frames"] += len(fresh)
        await _tell(conn, [one for one in odd if _worth(one, before)], weak, outcome=outcome)


def _read(frames: list[Frame]) -> tuple[dict[int, list[RadioFrame]], list[Quarantined]]:
    heard: dict[int, list[RadioFrame]] = defaultdict(list)
    aside = []
    for frame in frames:
        try:
            for one in FRAMES.decode(frame.data):
                heard[one.device_id].append(one)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            aside.append(quarantine.of_frame(frame, stream="READINGS", reason="bad_batch", detail=str(error)))
    for several in heard.values():
        several.sort(key=lambda one: one.arrived_ns)
    return heard, aside


def _worth(one: Oddity, before: dict[int, tuple[datetime | None, datetime | None, int]]) -> bool:
    last_replay, last_reset, _ = before.get(one.device_id, (None, None, 0))
    last = last_reset if one.kind == "reset" else last_replay
    return last is None or one.time - last >= AGAIN


async def _tell(conn: Connection, odd: list[Oddity], weak: list[Weakness], *, outcome: Outcome) -> None:
    if not odd and not weak:
        return
    first = {(one.device_id, one.kind): one for one in reversed(odd)}
    ids = {"ids": sorted({one.device_id for one in odd} | {one.device_id for one in weak})}
    places = await (await conn.execute(SQL["radio_places"], ids)).fetchall()
    place = {row["device_id"]: row["object_id"] for row in places}
    said = [event for one in first.values() for event in _events(one, place.get(one.device_id, one.device_id))]
    said += [_weak_event(one, place.get(one.device_id, one.device_id)) for one in weak]
    changed = [condition for condition in await events.store(conn, said) if condition]
    outcome.counters["events_stored"] += len(said)
    if changed:
        body = msgspec.json.encode(LiveChanged(list(dict.fromkeys(changed))))
        outcome.pushes.append(("live.condition", body))


def _events(one: Oddity, object_id: int) -> list[Event]:
    """It happened, and is over: an open edge and its close."""
    figures: dict[str, Any] = {"was": one.was, "came": one.came, "times": one.times}
    figures["minutes"] = round(one.since_s / 60)
    ru, en = (words.format(**figures) for words in WORDS[one.kind])
    given: dict[str, Any] = {"signal": SIGNAL, "time": one.time, "value": float(one.came)}
    return [edge_event(f"radio.{one.kind}", object_id, (ru, en), over=over, **given) for over in (False, True)]


def _weak_event(one: Weakness, object_id: int) -> Event:
    """It began, or it is over."""
    figures = {"margin": "—" if one.margin is None else f"{one.margin:.1f}", "loss": f"{100 * one.loss:.1f}"}
    ru, en = WORDS["heard" if one.over else "weak"]
    why = ru.format(**{name: text.replace(".", ",") for name, text in figures.items()}), en.format(**figures)
    return edge_event("radio.weak", object_id, why, signal=RADIO, over=one.over, time=one.time, value=one.margin)
