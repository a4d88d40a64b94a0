"""`citynet codec normalise`: decoded outputs in, quantities with UCUM units out."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from citynet.errors import BadInput, ConfigError
from gateway.lenient import balance, parse
from gateway.normalise import known_of, normalise, propose, unwrapped
from gateway.normalise.maps import as_toml, profile_map

DOCUMENT_BYTES_MAX = 1_000_000
DEPTH_MAX = 32


def _lines(file: str) -> Iterator[bytes]:
    if file == "-":
        yield from sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as lines:
            yield from lines
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error


def _documents(file: str) -> Iterator[tuple[int, bytes]]:
    """Documents with the number of their first line: one a line, or one over as many lines as its brackets are open."""
    held, start, opened = b"", 0, 0
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        held, start = held + line, start or number
        opened += balance(line.decode(errors="replace"))
        if len(held) > DOCUMENT_BYTES_MAX:
            raise BadInput("too_large", f"line {start}: a document is longer than {DOCUMENT_BYTES_MAX} bytes")
        if opened <= 0:
            yield start, held
            held, start, opened = b"", 0, 0
    if held:
        yield start, held


def _outputs(file: str) -> Iterator[tuple[int, Any]]:
    for number, document in _documents(file):
        try:
            yield number, parse(document, DEPTH_MAX)
        except BadInput as error:
            raise BadInput(error.reason, f"line {number}: {error.detail}") from error


def _told(output: Any, *, guesses: bool) -> Iterator[str]:
    found, unmapped = propose(unwrapped(output), known_of(output, guesses=guesses))
    for one in found:
        channel = f"[{one.channel}]" if one.channel else ""
        given = f"   (from {one.given_unit})" if one.given_unit not in ("", one.unit) else ""
        guessed = "   guessed" if one.guessed else ""
        yield f"  {one.path} -> {one.quantity}{channel} = {one.value:g} {one.unit}{given}{guessed}"
    for miss in unmapped:
        yield f"  {miss.path} -> unmapped: {miss.reason}"


def _write_map(outputs: Iterable[Any], *, guesses: bool) -> None:
    maps, doubtful = profile_map((unwrapped(o), known_of(o, guesses=guesses)) for o in outputs)
    for line in as_toml(maps):
        typer.echo(line)
    for path in doubtful:
        typer.echo(f"# {path}: the outputs disagree or the gateway cannot reach it, decide yourself")


def normalise_command(
    file: Annotated[
        str, typer.Argument(help="A file with decoded outputs (JSON), one after the other; - reads from a pipe.")
    ],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON list a line: path, quantity, channel, unit, value, how.")
    ] = False,
    sure: Annotated[bool, typer.Option("--sure", help="No guess of the unit of a bare number in doubt.")] = False,
    as_map: Annotated[
        bool, typer.Option("--map", help="The map of a profile for the device that gave all these outputs.")
    ] = False,
) -> None:
    """Say what decoded outputs measure: quantity, channel, UCUM unit, value; what is in doubt is marked or left out."""
    if as_map:
        _write_map((output for _, output in _outputs(file)), guesses=not sure)
        return
    for number, output in _outputs(file):
        if as_json:
            typer.echo(json.dumps(normalise(output, guesses=not sure), ensure_ascii=False))
            continue
        typer.echo(f"output {number}")
        for line in _told(output, guesses=not sure):
            typer.echo(line)
