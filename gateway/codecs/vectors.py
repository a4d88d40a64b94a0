"""Test vectors of codecs on disk. lorawan-devices: <codec>.yaml with examples beside the scripts that it names.
chirpstack-device-profiles: test_decode_<name>.json and test_encode_<name>.json beside <name>.js. TS013 packages:
examples.json beside main.js or index.js. Ours: <name>.vectors.json beside <name>.js."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from citynet.errors import BadInput
from gateway.codecs import Entry, yaml12

SECTIONS: dict[str, Entry] = {
    "uplinkDecoder": "decodeUplink",
    "downlinkEncoder": "encodeDownlink",
    "downlinkDecoder": "decodeDownlink",
}
MENTIONS = re.compile("|".join(SECTIONS))
TESTS: dict[str, Entry] = {
    "test_decode_downlink_": "decodeDownlink",
    "test_decode_": "decodeUplink",
    "test_encode_": "encodeDownlink",
}
OURS = ".vectors.json"
EXAMPLES = "examples.json"
PACKAGE_MAINS = ("main.js", "index.js")
KINDS: dict[str, Entry] = {
    "uplink": "decodeUplink",
    "downlink-encode": "encodeDownlink",
    "downlink-decode": "decodeDownlink",
}
HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")


@dataclass(frozen=True)
class Vector:
    """One call of a script and what it must return; normalized = what normalizeUplink must make of its data."""

    name: str
    entry: Entry
    input: dict[str, Any]
    expected: dict[str, Any]
    normalized: dict[str, Any] | None = None


@dataclass(frozen=True)
class Suite:
    """Vectors of one script. literal = text of a list of tests in JavaScript's notation, still to be read.

    optional: the repository keeps tests of scripts that it no longer has, and does not run them.
    """

    name: str
    script: Path
    vectors: tuple[Vector, ...] = ()
    literal: str = ""
    optional: bool = False
    entry: Entry = "decodeUplink"
    broken: str = ""


def find(folder: Path) -> Iterator[Suite]:
    """Every suite under a folder, in order of its path. What cannot be read is a suite that is broken."""
    for file in sorted(folder.rglob("*")):
        if file.suffix not in (".yaml", ".yml", ".json") or not file.is_file():
            continue
        name = str(file.relative_to(folder))
        if file.suffix != ".json":
            yield from _things(file, name)
        elif file.name == EXAMPLES:
            yield from _package(file, name)
        elif file.name.endswith(OURS):
            yield _literal(file, name, file.name.removesuffix(OURS))
        else:
            for prefix, entry in TESTS.items():
                if file.name.startswith(prefix):
                    yield _literal(file, name, file.stem.removeprefix(prefix), entry=entry, optional=True)
                    break


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8-sig", errors="replace")


def _literal(file: Path, name: str, script: str, *, entry: Entry = "decodeUplink", optional: bool = False) -> Suite:
    return Suite(name, file.with_name(f"{script}.js"), literal=_text(file), entry=entry, optional=optional)


def _package(file: Path, name: str) -> Iterator[Suite]:
    """A driver as TS013 packs it: bytes are text in hexadecimal. Examples of something else are left alone."""
    script = next((main for main in map(file.with_name, PACKAGE_MAINS) if main.is_file()), None)
    if script is None:
        return
    try:
        listed = json.loads(_text(file))
        typed = [found for found in listed if found["type"] in KINDS]
        vectors = tuple(_example(_bytes(found), f"{name}: ", entry=KINDS[found["type"]]) for found in typed)
    except (ValueError, TypeError, KeyError, BadInput) as error:
        yield Suite(name, script, broken=f"{EXAMPLES} cannot be read: {error}")
        return
    yield Suite(name, script, vectors)


def _bytes(found: dict[str, Any]) -> dict[str, Any]:
    return {key: _listed(side) if isinstance(side, dict) else side for key, side in found.items()}


def _listed(side: dict[str, Any]) -> dict[str, Any]:
    text = side.get("bytes")
    return {**side, "bytes": list(bytes.fromhex(text))} if isinstance(text, str) and HEX.fullmatch(text) else side


def _things(file: Path, name: str) -> Iterator[Suite]:
    text = _text(file)
    if not MENTIONS.search(text):
        return
    try:
        document = yaml12.load(text)
    except BadInput as error:
        yield Suite(name, file, broken=str(error))
        return
    for section, entry in SECTIONS.items():
        found = document.get(section) if isinstance(document, dict) else None
        if not isinstance(found, dict) or not found.get("fileName") or not found.get("examples"):
            continue
        title = f"{name} {section}"
        try:
            vectors = tuple(_example(example, f"{title}: ", entry=entry) for example in found["examples"])
        except BadInput as error:
            yield Suite(title, file, broken=str(error))
            continue
        yield Suite(title, file.parent / str(found["fileName"]), vectors, entry=entry)


def _example(found: Any, title: str, *, entry: Entry) -> Vector:
    if not isinstance(found, dict) or not isinstance(found.get("input"), dict):
        raise BadInput("bad_vector", f"{title}an example has no input")
    output = found.get("output")
    normalized = found.get("normalizedOutput")
    return Vector(
        name=f"{title}{found.get('description') or ''}".strip(),
        entry=entry,
        input=found["input"],
        expected=output if isinstance(output, dict) else {},
        normalized=normalized if isinstance(normalized, dict) else None,
    )


def from_tests(suite: Suite, tests: object) -> tuple[Vector, ...]:
    """Vectors of a suite's literal once it is read. Raises BadInput."""
    if not isinstance(tests, list):
        raise BadInput("bad_vector", f"{suite.name}: not a list of tests")
    return tuple(_test(test, suite, number) for number, test in enumerate(tests, 1))


def _test(test: Any, suite: Suite, number: int) -> Vector:
    expected = test.get("expected") if isinstance(test, dict) else None
    if not isinstance(expected, dict) or not isinstance(test.get("input"), dict):
        raise BadInput("bad_vector", f"{suite.name}: test {number} has no input or no expected")
    entry = test.get("call", suite.entry)
    if entry not in get_args(Entry):
        raise BadInput("bad_vector", f"{suite.name}: test {number} calls {entry!r}")
    return Vector(f"{suite.name}: {test.get('name') or number}", entry, test["input"], expected)
