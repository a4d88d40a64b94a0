"""Frames -> columns of raw values, answers and quarantine notices. Pure but for counters; called by uplink.py."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeVar

import structlog

from citynet.bus import Frame
from citynet.errors import BadInput
from citynet.model import Quarantined
from citynet.settings import Settings
from gateway import lenient, measured, scripted, texts
from gateway.directory import Directory, Route
from gateway.quarantine import notice
from gateway.repeats import Repeats
from gateway.scripted import Heard
from gateway.targets import NO_SERIES
from gateway.wire import (
    Answer,
    Bad,
    Parsed,
    Radio,
    ReadPlain,
    Reception,
    Sample,
    device_id,
    plain_speakers,
    protocols,
)

log = structlog.get_logger()
T = TypeVar("T")
NOTHING_HEARD: Mapping[int, Heard] = {}
KEYS_NAMED = 20
JOINED = Reception("", -1, 0, [])
# A time near it stands for a moment so many us after the arrival; no other time lies below RELATIVE_BELOW.
TIME_OF_ARRIVAL = -(2**62)
RELATIVE_BELOW = -(2**61)


@dataclass
class Draft:
    """What a batch of frames says, not yet checked: values by columns, samples by columns, and the rest."""

    frames: list[Frame]
    # One entry a value: its place among the targets of its device.
    offset: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    # One entry a sample: its frame, the first target of its device, its time in us (near TIME_OF_ARRIVAL = relative),
    # how many values it has.
    frame: list[int] = field(default_factory=list)
    base: list[int] = field(default_factory=list)
    time: list[int] = field(default_factory=list)
    count: list[int] = field(default_factory=list)

    answers: list[tuple[Frame, int, Answer]] = field(default_factory=list)  # with the device that gave it
    receptions: list[tuple[int, int, Reception]] = field(default_factory=list)  # of frame and device
    notices: list[Quarantined] = field(default_factory=list)
    counters: Counter[str] = field(default_factory=Counter)
    # Read only to be remembered: nothing of it goes on.
    rehearsal: bool = False
    # What scripts made of radio frames, by position.
    heard: Mapping[int, Heard] = field(default_factory=dict)


class At(NamedTuple):
    """Where we are: a frame of a draft and the route of its device."""

    draft: Draft
    position: int
    frame: Frame
    route: Route


@dataclass
class Decoder:
    """Turns frames of one stream into drafts."""

    stream: str
    directory: Directory
    limits: Settings
    repeats: Repeats = field(default_factory=Repeats)

    async def hear(self, frames: list[Frame]) -> dict[int, Heard]:
        """What scripts make of radio frames whose profile has one; their devices must have been met, then and later."""
        if not self.directory.known.scripts:
            return {}
        calls: dict[int, tuple[Route, Parsed]] = {}
        for position, frame in enumerate(frames):
            route = self.directory.route(device_id(frame.subject.split(".")[2]))
            if route is not None and route.script is not None:
                parsed = self.parse(frame)
                if isinstance(parsed, Parsed):
                    calls[position] = route, parsed
        return await scripted.hear(frames, calls, self.directory.pool)

    def decode(self, frames: list[Frame], heard: Mapping[int, Heard] = NOTHING_HEARD) -> Draft:
        """Read every frame; one that cannot be read never harms another."""
        return self._read(Draft(frames, heard=heard))

    def remember(self, frames: list[Frame]) -> None:
        """Look at frames that were decoded before a restart, so that their copies are known."""
        self._read(Draft(frames, rehearsal=True))

    def _read(self, draft: Draft) -> Draft:
        frames, known = draft.frames, self.directory.plain
        for position, frame in enumerate(frames):
            plain = known.get(frame.subject)
            if plain and self._plain(draft, position, plain):
                continue
            refused = self._guarded(frame, partial(self._frame, draft, position, frame.subject.split(".")))
            if refused is not None:
                self._refuse(draft, frame, refused)
        draft.counters["uplinks"] += len(frames)
        return draft

    def parse(self, frame: Frame) -> Parsed | BadInput:
        """What one frame says before a codec reads its bytes, or why it says nothing."""
        tokens = frame.subject.split(".")
        route = self.directory.route(device_id(tokens[2]))
        if route is None:
            return BadInput("unknown_device", device_id(tokens[2]))
        return self._guarded(frame, partial(self._parse, frame, route, tokens))

    def _guarded(self, frame: Frame, work: Callable[[], T]) -> T | BadInput:
        """The result of work, or why there is none."""
        try:
            return work()
        except BadInput as error:
            return error
        except Exception as error:  # a device family may fail in any way: this frame only
            log.exception("codec failed", subject=frame.subject)
            return BadInput("codec_error", f"{type(error).__name__}: {error}")

    def _plain(self, draft: Draft, position: int, plain: tuple[Route, ReadPlain]) -> bool:
        """Read a frame of the commonest form in few steps; False when it must be read with care."""
        frame, (route, read) = draft.frames[position], plain
        if len(frame.data) > self.limits.payload_bytes:
            return False
        said = read(frame.data)
        if said is None:
            return False
        time, values = said
        keys, layout = tuple(values), route.layout
        offsets = layout.shapes.get(keys) or layout.shape(keys)
        if offsets is None or len(offsets) > self.limits.values_per_uplink:
            return False
        draft.offset += offsets
        draft.value += values.values()
        draft.frame.append(position)
        draft.base.append(route.base)
        draft.time.append(TIME_OF_ARRIVAL if time is None else time)
        draft.count.append(len(offsets))
        return True

    def _refuse(self, draft: Draft, frame: Frame, error: BadInput) -> None:
        identifier = device_id(frame.subject.split(".")[2])
        draft.notices.append(
            notice(frame, error.reason, detail=error.detail, stream=self.stream, external_id=identifier)
        )

    def _frame(self, draft: Draft, position: int, tokens: list[str]) -> None:
        frame, identifier, heard = draft.frames[position], device_id(tokens[2]), draft.heard.get(position)
        route = self.directory.route(identifier)
        if route is None:
            raise BadInput("unknown_device", identifier)
        parsed = heard.parsed if heard else self._parse(frame, route, tokens)
        self._take(At(draft, position, frame, route), parsed)

    def _parse(self, frame: Frame, route: Route, tokens: list[str]) -> Parsed:
        protocol = tokens[3]
        if len(frame.data) > self.limits.payload_bytes:
            raise BadInput("too_large", f"{len(frame.data)} bytes")
        speaks = protocols().get(protocol)
        if speaks is None:
            raise BadInput("unknown_protocol", protocol)
        # History may be handed in by anybody's back office, live frames only by the device's own road.
        if route.device.protocol != protocol and (tokens[0] != "hist" or frame.replay_of):
            raise BadInput("wrong_protocol", f"{protocol} instead of {route.device.protocol}")
        plainly = plain_speakers().get(protocol) if route.script is None else None
        if plainly and (read := plainly.plain(tokens)):
            self.directory.plain[frame.subject] = route, read
        return speaks.parse(tokens, frame.data, self.limits)

    def _take(self, at: At, parsed: Parsed) -> None:
        draft, identifier = at.draft, at.route.device.external_id
        registered = at.route.device.attributes.get("application_id")
        if parsed.application and registered not in (None, parsed.application):
            raise BadInput("foreign_identity", f"registered in {registered}, came through {parsed.application}"[:200])
        if parsed.counted:
            draft.counters[parsed.counted] += 1
        if parsed.joined:
            self.repeats.forget(identifier)
        if parsed.repeat is not None and self.repeats.seen(identifier, parsed.repeat, at.frame):
            draft.counters["repeats"] += 1
            return
        if draft.rehearsal:
            return
        if parsed.joined or parsed.reception:
            draft.receptions.append((at.position, at.route.device.device_id, parsed.reception or JOINED))
        if not self._gathered(at, parsed):
            self._told(at, parsed)
        draft.answers += [(at.frame, at.route.device.device_id, answer) for answer in parsed.answers]

    def _gathered(self, at: At, parsed: Parsed) -> bool:
        """Take what a script said in few steps; False when it must be read with care."""
        draft, heard, tree = at.draft, at.draft.heard.get(at.position), at.route.layout.tree
        if heard is None or tree is None or len(parsed.samples) > parsed.replaced:
            return False
        found = scripted.gathered(heard, tree, self.limits)
        if found is None:
            return False
        values, warnings = found
        draft.offset += values.offsets
        draft.value += values.values
        draft.frame.append(at.position)
        draft.base.append(at.route.base)
        draft.time.append(TIME_OF_ARRIVAL if heard.time is None else heard.time)
        draft.count.append(len(values.offsets))
        draft.counters["unmapped"] += values.unmapped
        draft.counters["codec_warnings"] += warnings
        return True

    def _told(self, at: At, parsed: Parsed) -> None:
        """All samples of a frame, and what of it is bad."""
        draft = at.draft
        self._radio(at, parsed)
        empty = not (parsed.counted or parsed.answers or parsed.bad or any(one.values for one in parsed.samples))
        told = texts.read(at.route, parsed) if parsed.bad else []
        for sample in parsed.samples:
            self._sample(at, sample, told)
        if empty:
            draft.counters["empty"] += 1  # such as [] or a null for each value: nothing is lost unseen
        if parsed.bad:
            self._bad(at, parsed.bad)

    def _radio(self, at: At, parsed: Parsed) -> None:
        """Samples of radio bytes: by the script of the profile where it was heard, else by the family in Python."""
        heard = at.draft.heard.get(at.position)
        if heard is not None:
            spoken = scripted.spoken(heard, self.limits)
            parsed.samples[: parsed.replaced] = spoken.samples
            parsed.bad = spoken.bad
            at.draft.counters["codec_warnings"] += spoken.warnings
        elif parsed.radio is not None:
            parsed.samples.append(_radio(at.route, parsed.radio, parsed.bad))

    def _sample(self, at: At, sample: Sample, told: list[texts.Row]) -> None:
        """Rows of a sample; told are further ones of its texts."""
        draft, offsets, count, waiting, coded = at.draft, at.route.targets, 0, [], list(told)
        for key, value in (self._measured(at, sample) if sample.units else sample.values).items():
            offset = offsets.get(key)
            if offset is None:
                coded += self._coded(at, key, value)
            elif offset == NO_SERIES:
                waiting.append(key)
            else:
                draft.offset.append(offset)
                draft.value.append(value)
                count += 1
        for key, offset, value in coded:
            if offset == NO_SERIES:
                waiting.append(key)
            else:
                draft.offset.append(offset)
                draft.value.append(value)
                count += 1
        if count:
            draft.frame.append(at.position)
            draft.base.append(at.route.base)
            draft.time.append(TIME_OF_ARRIVAL + sample.after_us if sample.time is None else sample.time)
            draft.count.append(count)
        if waiting:
            self._note(at, "no_series", waiting)

    def _measured(self, at: At, sample: Sample) -> Mapping[str, float]:
        """Values of which the frame names the unit, as the profile awaits them."""
        values, bad = measured.in_units(self.directory.profile(at.route.device.profile), sample)
        self._bad(at, bad)
        return values

    def _coded(self, at: At, key: str, value: float) -> list[texts.Row]:
        """The row of a number that stands for something else, if the profile says so."""
        known = at.route.codes.get(key)
        if known is None:
            at.draft.counters["unmapped"] += 1
            return []
        offset, codes = known
        meaning = texts.meaning(codes, value)
        if meaning is None:
            self._note(at, "unknown_code", [f"{key} {value:g}"])
            return []
        return [(key, offset, meaning)]

    def _bad(self, at: At, found: list[Bad]) -> None:
        """One notice a reason; what the profile does not map is only counted."""
        by_reason: dict[str, list[str]] = {}
        for bad in found:
            if bad.key and bad.key not in at.route.targets and bad.key not in at.route.codes:
                at.draft.counters["unmapped"] += 1
            else:
                by_reason.setdefault(bad.reason, []).append(f"{bad.key} {bad.detail}".strip())
        for reason, things in by_reason.items():
            self._note(at, reason, things)

    def _note(self, at: At, reason: str, things: list[str]) -> None:
        at.draft.counters["values_refused"] += len(things)
        more = f" and {len(things) - KEYS_NAMED} more" if len(things) > KEYS_NAMED else ""
        self._refuse(at.draft, at.frame, BadInput(reason, ", ".join(things[:KEYS_NAMED]) + more))


def _radio(route: Route, radio: Radio, bad: list[Bad]) -> Sample:
    if route.codec is None:
        raise BadInput("no_codec", f"profile {route.device.profile}: no script, and no language of gateway/devices")
    values, wrong = lenient.numbers(route.codec.decode(radio.data, radio.f_port))
    bad += wrong
    return Sample(radio.time, values)
