"""Commands by a profile's script: encodeDownlink makes the bytes, decodeDownlink proves them. Used by downlink.py."""

import json
from typing import Any

from citynet.catalog import CommandSpec
from citynet.errors import BadInput
from citynet.model import Command
from gateway.codecs import Codec, Entry, verdict
from gateway.codecs.pool import Pool
from gateway.devices import Codec as Family
from gateway.devices import Values, codec_of
from gateway.directory import Directory
from gateway.scripted import output, said

PORTS = range(1, 224)
NO_DECODER = "the script has no decodeDownlink"


def data_of(spec: CommandSpec, args: dict[str, Any]) -> dict[str, Any]:
    """What encodeDownlink gets as data. Raises BadInput when the profile names an argument that there is not."""
    given = {argument.name: args.get(argument.name, argument.default) for argument in spec.arg}
    if spec.downlink is None:
        return {"command": spec.name, **given}
    filled = _filled(spec.downlink, given)
    return filled if isinstance(filled, dict) else {}


def _filled(template: Any, given: dict[str, Any]) -> Any:
    if isinstance(template, dict):
        return {key: _filled(value, given) for key, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, given) for value in template]
    if isinstance(template, str) and template.startswith("$"):
        if template[1:] not in given:
            raise BadInput("bad_argument", f"the profile's downlink names {template}, which is no argument")
        return given[template[1:]]
    return template


async def encode(pool: Pool, codec: Codec, *, spec: CommandSpec, command: Command) -> tuple[int, bytes]:
    """Port and bytes of a command. Raises BadInput: what does not read back as what was meant is not sent."""
    data = data_of(spec, command.args)
    given: dict[str, Any] = {"data": data, "variables": command.attributes.get("variables") or {}}
    if spec.f_port:
        given["fPort"] = spec.f_port
    found = await _call(pool, codec, "encodeDownlink", given=given)
    f_port, numbers = found.get("fPort", spec.f_port), found.get("bytes")
    if not isinstance(f_port, int) or f_port not in PORTS:
        raise BadInput("codec_error", f"the codec names no port: {f_port!r}; set f_port in the profile's command")
    if not isinstance(numbers, list) or not all(type(n) is int and 0 <= n <= 255 for n in numbers):
        raise BadInput("codec_error", "the codec returned no bytes")
    await _prove(pool, codec, data=data, f_port=f_port, numbers=numbers)
    return f_port, bytes(numbers)


async def _prove(pool: Pool, codec: Codec, *, data: dict[str, Any], f_port: int, numbers: list[int]) -> None:
    """Read the bytes back where the script can; a field that both name must say the same."""
    try:
        back = await _call(pool, codec, "decodeDownlink", given={"bytes": numbers, "fPort": f_port})
    except BadInput as error:
        if NO_DECODER in error.detail:
            return
        raise BadInput("codec_error", f"decodeDownlink refuses what encodeDownlink made: {error}") from error
    told = back.get("data")
    seen: dict[str, Any] = told if isinstance(told, dict) else {}
    for key in set(data) & set(seen):
        if not verdict.same(data[key], seen[key]):
            raise BadInput("codec_error", f"{key} reads back as {seen[key]!r} instead of {data[key]!r}")


async def _call(pool: Pool, codec: Codec, entry: Entry, *, given: dict[str, Any]) -> dict[str, Any]:
    (result,) = await pool.run(codec, entry, [json.dumps(given)])
    output(result)
    found: dict[str, Any] = json.loads(result.text)
    if said(found.get("errors")):
        raise BadInput("codec_refused", "; ".join(said(found["errors"])))
    return found


def _decodes_nothing(_: bytes, __: int) -> Values:
    raise BadInput("no_codec", "made for one command")


def _packs_nothing(_: Values) -> tuple[int, bytes]:
    raise BadInput("no_codec", "made for one command")


async def codec_for(directory: Directory, spec: CommandSpec, command: Command) -> Family | None:
    """What protocols encode a command with: the family in Python where it knows commands, else the profile's script."""
    family = codec_of(directory.profile(command.profile), command.profile, command.attributes)
    script = directory.script(command.profile)
    if script is None or (family and family.encode) or command.protocol == "native":
        return family
    made = await encode(directory.pool, script, spec=spec, command=command)
    return Family(_decodes_nothing, _packs_nothing, (), encode=lambda *_: made)
