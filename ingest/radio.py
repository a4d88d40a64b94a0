"""Frames over the air -> a device's radio: counter, losses by day, links to gateways. Pure; radio_writer.py stores it.

Only the counter tells what was lost: a gap is frames that nobody heard. A counter that goes back is a device that began
again (or was replaced), or an old frame sent again by somebody.
"""

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from citynet.model import RadioFrame
from ingest.table import moment

DAYS = 30
DAY_US = 86_400_000_000
# LoRaWAN 1.0: a network server takes no larger step. A larger one is a counter begun anew, not so many losses.
GAP_MAX = 16_384
# Network servers may hand over two frames in the wrong order; so near each other that is no attack.
LATE_FRAMES, LATE_S = 8, 120.0
# A counter that began anew is seen with one of its first frames, or by the next ones that follow on the low one.
FIRST_FRAMES, NEXT_FRAMES = 2, 16
# Heard badly, and well again. Below 3 dB fading alone costs frames; more than one in twenty is more than a good place
# loses. It takes 20 frames, and losses on three days: a gateway that was off for one is no bad place.
WEAK_FRAMES, WEAK_DAYS = 20, 3
MARGIN_DB, MARGIN_FINE_DB = 3.0, 5.0
LOSS, LOSS_FINE = 0.05, 0.03


@dataclass
class DeviceRadio:
    """A row of radio_device."""

    device_id: int
    arrived_ns: int = 0
    last_heard: datetime = field(default_factory=lambda: moment(0))
    session: str = ""
    f_cnt: int = -1
    low_f_cnt: int | None = None
    spreading: int = 0
    rssi: float | None = None
    snr: float | None = None
    day: int = 0
    frames: list[int] = field(default_factory=lambda: [0] * DAYS)
    lost: list[int] = field(default_factory=lambda: [0] * DAYS)
    month_frames: int = 0
    month_lost: int = 0
    resets: int = 0
    replays: int = 0
    last_reset: datetime | None = None
    last_replay: datetime | None = None
    frequency: int = 0
    margin: float | None = None
    weak: datetime | None = None

    def row(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {name: v.isoformat() if isinstance(v, datetime) else v for name, v in asdict(self).items()}


@dataclass(frozen=True)
class Oddity:
    """A counter that did what it should not: was is the highest so far, came the one of the frame."""

    kind: Literal["reset", "replay"]
    device_id: int
    time: datetime
    was: int
    came: int
    times: int
    since_s: float


def fold(known: DeviceRadio, frame: RadioFrame) -> Oddity | None:
    """Take one frame into a device; frames older than the newest one taken in change nothing."""
    if frame.arrived_ns <= known.arrived_ns:
        return None
    now, before = moment(frame.time_us), known.last_heard
    known.arrived_ns = frame.arrived_ns
    if frame.f_cnt < 0:
        known.session, known.f_cnt, known.low_f_cnt = "", -1, None
        return None
    _turn(known, frame.time_us // DAY_US)
    if frame.session != known.session:
        if known.session or known.f_cnt >= 0:
            known.f_cnt = -1
        known.session, known.low_f_cnt, first = frame.session, None, True
    else:
        first = False
    oddity = _count(known, frame, first=first or known.f_cnt < 0, since_s=(now - before).total_seconds())
    known.month_frames, known.month_lost = sum(known.frames), sum(known.lost)
    known.last_heard = max(now, before)
    if frame.heard and not (oddity and oddity.kind == "replay"):
        best = max(frame.heard, key=lambda one: one.rssi)
        known.rssi, known.snr = best.rssi, best.snr
        known.spreading = frame.spreading or known.spreading
        known.frequency = frame.frequency or known.frequency
        _mean(known)
    return oddity


def _mean(known: DeviceRadio) -> None:
    """The moving mean of the margin; the newest twenty frames or so make it."""
    if not known.spreading or known.snr is None:
        return
    margin = known.snr + 7.5 + 2.5 * (known.spreading - 7)
    share = max(1 / WEAK_FRAMES, 1 / max(known.month_frames, 1))
    known.margin = margin if known.margin is None else known.margin + share * (margin - known.margin)


@dataclass(frozen=True)
class Weakness:
    """A device that is heard badly (or well again): margin in dB, share of the frames of 30 days that was lost."""

    device_id: int
    time: datetime
    margin: float | None
    loss: float
    over: bool


def judge(known: DeviceRadio) -> Weakness | None:
    """Whether it is heard badly now and was not before, or the other way round."""
    sent = known.month_frames + known.month_lost
    if sent < WEAK_FRAMES:
        return None
    loss = known.month_lost / sent
    days = sum(lost > LOSS * (lost + frames) for frames, lost in zip(known.frames, known.lost, strict=True))
    low = known.margin is not None and known.margin < MARGIN_DB
    fine = (known.margin is None or known.margin >= MARGIN_FINE_DB) and loss < LOSS_FINE
    if known.weak is None and not low and not (loss > LOSS and days >= WEAK_DAYS):
        return None
    if known.weak is not None and not fine:
        return None
    over = known.weak is not None
    known.weak = None if over else known.last_heard
    return Weakness(known.device_id, known.last_heard, known.margin, loss, over)


def _turn(known: DeviceRadio, day: int) -> None:
    """Days since the last frame had none."""
    for empty in range(max(known.day + 1, day - DAYS + 1), day + 1):
        known.frames[empty % DAYS] = known.lost[empty % DAYS] = 0
    known.day = max(known.day, day)


def _count(known: DeviceRadio, frame: RadioFrame, *, first: bool, since_s: float) -> Oddity | None:
    came, was, place = frame.f_cnt, known.f_cnt, frame.time_us // DAY_US % DAYS
    step = came - was
    if first or 0 < step <= GAP_MAX:
        known.f_cnt, known.low_f_cnt = came, None
        known.frames[place] += 1
        known.lost[place] += 0 if first else step - 1
        return None
    if step == 0 and since_s <= LATE_S:
        return None  # sent again by the device itself: it did not hear the answer
    if -LATE_FRAMES <= step < 0 and since_s <= LATE_S and known.lost[place]:
        known.frames[place] += 1
        known.lost[place] -= 1
        return None
    return _gone_back(known, frame, since_s)


def _gone_back(known: DeviceRadio, frame: RadioFrame, since_s: float) -> Oddity:
    came, was, low, now = frame.f_cnt, known.f_cnt, known.low_f_cnt, moment(frame.time_us)
    follows = low is not None and 0 < came - low <= NEXT_FRAMES
    if came > was or came <= FIRST_FRAMES or follows:
        known.resets, known.last_reset = known.resets + 1, now
        known.replays -= 1 if follows else 0
        known.f_cnt, known.low_f_cnt = came, None
        known.frames[frame.time_us // DAY_US % DAYS] += 1
        return Oddity("reset", known.device_id, now, was, came, known.resets, since_s)
    known.replays, known.last_replay, known.low_f_cnt = known.replays + 1, now, came
    return Oddity("replay", known.device_id, now, was, came, known.replays, since_s)


def links(frames: list[RadioFrame]) -> list[dict[str, Any]]:
    """For each device and gateway: frames, newest moment, mean RSSI and SNR."""
    found: dict[tuple[int, str], list[tuple[int, float, float]]] = defaultdict(list)
    for frame in frames:
        for one in frame.heard:
            found[frame.device_id, one.gateway].append((frame.time_us, one.rssi, one.snr))
    return [
        {
            "device_id": device_id,
            "gateway": gateway,
            "heard": moment(max(time for time, _, _ in views)).isoformat(),
            "frames": len(views),
            "rssi": sum(rssi for _, rssi, _ in views) / len(views),
            "snr": sum(snr for _, _, snr in views) / len(views),
        }
        for (device_id, gateway), views in sorted(found.items())
    ]


def forgotten_before(now: datetime) -> datetime:
    """Links that were heard last before it are old."""
    return now - timedelta(days=DAYS)
