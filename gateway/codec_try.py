"""rpc.codec.try: bytes and a script in, values, warnings and errors out. Asked by the situation centre."""

import json
from dataclasses import dataclass
from typing import Any

import msgspec

from citynet.bus import Incoming
from citynet.catalog import Profile
from citynet.model import CodecTried, CodecTry, Proposed
from citynet.part import Part
from gateway import lenient, texts
from gateway.codecs import Codec
from gateway.directory import Directory
from gateway.normalise import normalise
from gateway.scripted import said

SUBJECT = "rpc.codec.try"


@dataclass
class Trier:
    """Serves tries; many at once wait for the pool's workers like any frame."""

    part: Part
    directory: Directory

    async def run(self) -> None:
        """Answer until the part stops."""
        await self.part.answer(SUBJECT, self._ask, queue="gateway")

    async def _ask(self, message: Incoming) -> bytes:
        try:
            asked = msgspec.json.decode(message.data, type=CodecTry)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return msgspec.json.encode(CodecTried(ok=False, error=str(error)))
        self.part.counters["codec_tries"] += 1
        return msgspec.json.encode(await self.answer(asked))

    async def answer(self, asked: CodecTry) -> CodecTried:
        """What the script makes of the input."""
        if len(asked.source.encode("utf-8", "surrogatepass")) > self.part.settings.codec_source_bytes:
            return CodecTried(
                ok=False, error=f"the script is longer than {self.part.settings.codec_source_bytes} bytes"
            )
        (result,) = await self.directory.pool.run(Codec(asked.source), asked.entry, [_input(asked)])
        if result.kind != "result":
            return CodecTried(ok=False, kind=result.kind, error=result.text)
        return _told(json.loads(result.text), self.directory.profile(asked.profile))


def _input(asked: CodecTry) -> str:
    given: dict[str, Any] = {"fPort": asked.f_port, "recvTime": round(asked.time.timestamp() * 1000)}
    if asked.entry == "encodeDownlink":
        return json.dumps({**given, "data": asked.data})
    return json.dumps({**given, "bytes": list(asked.payload), "variables": {}})


def _told(found: dict[str, Any], profile: Profile | None) -> CodecTried:
    data = found.get("data")
    values, bad = lenient.numbers(data) if isinstance(data, dict) else ({}, [])
    told = {one.key: one.reason for one in bad if not any(key.startswith(f"{one.key}[") for key in values)}
    words = {one.key: one.text for one in bad if one.text}
    for key, text in words.items():
        mapping = profile.map.get(key) if profile else None
        value = texts.stands_for(mapping, text) if mapping else None
        if value is not None:
            values[key] = value
            del told[key]
        else:
            told[key] = "unknown_code" if mapping and mapping.codes else "text"
    return CodecTried(
        ok=True,
        values=values,
        words={key: text for key, text in words.items() if key in values},
        refused=told,
        warnings=said(found.get("warnings")),
        errors=said(found.get("errors")),
        output=json.dumps(found, ensure_ascii=False, indent=1),
        measures=[Proposed(**one) for one in normalise(data)],
    )
