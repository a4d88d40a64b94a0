"""Write the reference pages and .env.example from the code, for `make docs`; tests/contracts/test_docs.py compares."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin

import msgspec
import typer
from pydantic import SecretStr
from typer.core import TyperCommand

from citynet import cli, model
from citynet.settings import Settings
from tools.setup import ROOT

NOTE = "<!-- Written by `make docs`; change the code instead. -->\n"


def kind_of(annotation: Any) -> str:
    """Return what to write for a setting, in words."""
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(annotation))
    return {bool: "true or false", int: "number", Path: "folder", SecretStr: "secret"}.get(annotation, "text")


def fields() -> Iterator[tuple[str, str, str, str]]:
    """Yield name, kind, default and description of every setting."""
    for name, field in Settings.model_fields.items():
        value = field.get_default()
        shown = "" if isinstance(value, SecretStr) else str(value).lower() if isinstance(value, bool) else str(value)
        yield f"CITYNET_{name.upper()}", kind_of(field.annotation), shown, field.description or ""


def env_example() -> str:
    lines = ["# Every setting with its default. Copy to .env and change what you need; secrets belong in files."]
    for name, _, default, description in fields():
        lines += ["", f"# {description}", f"#{name}={default}"]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    head = ["# Settings", "From the environment or `.env`; the environment wins.", ""]
    columns = ["| setting | kind | default | meaning |", "|---|---|---|---|"]
    rows = [f"| `{name}` | {kind} | {f'`{value}`' if value else ''} | {text} |" for name, kind, value, text in fields()]
    return "\n".join([NOTE, *head, *columns, *rows]) + "\n"


def helps(command: TyperCommand, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the help text of a command and of all below it."""
    command.rich_markup_mode = None  # plain text, the same on every terminal
    context = command.make_context(path, [], resilient_parsing=True, terminal_width=100)
    yield path, command.get_help(context)
    for name, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            yield from helps(below, f"{path} {name}")


@cache
def commands_page() -> str:
    cli._add_commands(None)
    root = cast(TyperCommand, typer.main.get_command(cli.app))
    parts = [f"## {path}\n\n```\n{text.strip()}\n```\n" for path, text in helps(root, "citynet")]
    return "\n".join([NOTE, "# Commands", "", *parts])


def messages() -> Iterator[tuple[str, str]]:
    """Yield name and JSON schema of every message that travels between rooms."""
    for kind in (model.Event, model.Command, model.Receipt, model.Quarantined, model.ProposalRequest, model.Reply):
        yield kind.__name__.lower(), json.dumps(msgspec.json.schema(kind), indent=1, ensure_ascii=False) + "\n"
    columns = [{"name": field.name, "type": str(field.type)} for field in model.READINGS_SCHEMA]
    yield "readings", json.dumps({"format": "Arrow IPC stream", "columns": columns}, indent=1) + "\n"


def pages() -> dict[Path, str]:
    """Return every generated file with its text."""
    reference = ROOT / "docs" / "reference"
    return {
        ROOT / ".env.example": env_example(),
        reference / "settings.md": settings_page(),
        reference / "commands.md": commands_page(),
        **{ROOT / "schemas" / "messages" / f"{name}.json": text for name, text in messages()},
    }


def main() -> None:
    for file, text in pages().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        print(f"wrote {file.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
