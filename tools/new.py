"""`citynet new THING NAME`: write a new member of a family from its template, with its checks already green."""

import re
from string import Template
from typing import Annotated

import typer

from citynet.errors import ConfigError
from tools.setup import ROOT

TEMPLATES = ROOT / "tools" / "templates"
# Thing -> (template, folder of the new file, how to see its checks pass).
THINGS = {
    "device": ("device.py.txt", "gateway/devices", "tests/contracts/test_protocols.py"),
    "detector": ("detector.py.txt", "analytics/detectors", "tests/contracts/test_detectors.py"),
    "screen": ("screen.py.txt", "situation_center/screens", "tests/unit"),
    "service": ("service.toml.txt", "schemas/services", "tests/contracts"),
}


def new(
    thing: Annotated[str, typer.Argument(help=", ".join(THINGS))],
    name: Annotated[str, typer.Argument(help="Small letters, digits and _; the name of the file.")],
) -> None:
    """Write one new file; nothing else needs to change. Works in a checkout."""
    if thing not in THINGS:
        raise ConfigError(f"nothing is called {thing!r}: choose {', '.join(THINGS)}")
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,39}", name):
        raise ConfigError(f"{name!r} cannot be a name: use small letters, digits and _")
    template, folder, checks = THINGS[thing]
    path = ROOT / folder / f"{name}{template.removesuffix('.txt')[template.index('.') :]}"
    words = {
        "name": name,
        "dashed": name.replace("_", "-"),
        "title": name.replace("_", " ").capitalize(),
        "camel": name.title().replace("_", ""),
    }
    text = Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(words)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{path.relative_to(ROOT)} exists: choose another name") from error
    typer.echo(f"wrote {path.relative_to(ROOT)}; its checks: .venv/bin/pytest -q {checks}")
