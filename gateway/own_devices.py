"""Device families of the operator's own (*.py in a folder) and keys that device attributes only name; for directory.py.

A file that cannot be used is logged and left out, whatever it does when it is read: the city goes on."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from citynet.settings import Settings
from gateway.devices import CODECS, LANGUAGES, codecs, languages

log = structlog.get_logger()
SECRET = "secret:"  # noqa: S105
NAME_MAX = 100


def folder(settings: Settings) -> Path:
    """Where the operator's files lie."""
    return Path(settings.devices_dir) if settings.devices_dir else settings.home / "devices"


def load(settings: Settings) -> list[str]:
    """Read every file once; the names of those that can be used."""
    _ = codecs(), languages()  # ours first: a file of the same name is the one left out
    used = [file.stem for file in sorted(folder(settings).glob("*.py")) if _read(file)]
    codecs.cache_clear()
    languages.cache_clear()
    return used


def _read(file: Path) -> bool:
    before = CODECS.members, LANGUAGES.members
    spec = importlib.util.spec_from_file_location(f"citynet_own_devices.{file.stem}", file)
    try:
        if spec is None or spec.loader is None:
            raise ImportError(f"{file} is no Python module")
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except (Exception, SystemExit) as error:  # somebody else's code may fail in any way
        CODECS.members, LANGUAGES.members = before
        log.error("own device file left out", file=str(file), error=f"{type(error).__name__}: {error}"[:300])
        return False
    return True


def with_secrets(attributes: Mapping[str, Any], home: Path | None) -> dict[str, Any]:
    """Attributes with "secret:name" replaced by the content of <home>/secrets/name; one that is missing is left out."""
    return {name: _revealed(value, home) for name, value in attributes.items()}


def _revealed(value: Any, home: Path | None) -> Any:
    if home is None or not isinstance(value, str) or not value.startswith(SECRET):
        return value
    name = value.removeprefix(SECRET)
    if not name or len(name) > NAME_MAX or not all(c.isalnum() or c in "-_" for c in name):
        return None
    try:
        return (home / "secrets" / name).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
