"""Log lines of all parts, for people or for machines; no secret that this process has read stands in one.

Called once by whatever starts a process; libraries that log in Python's own way come out in the same form."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from pydantic import SecretStr
from structlog.stdlib import ProcessorFormatter

from citynet import settings as city_settings
from citynet.settings import Settings

FIRST = ("time", "level", "part", "event")
HIDDEN = "***"
IN_URL = re.compile(r"(://[^\s/:@]*:)[^\s/@]+@")
NAMED = re.compile(r"password|secret|token|authorization|api_?key", re.IGNORECASE)
SHORTEST = 6  # what is shorter stands in words by chance
Line = MutableMapping[str, Any]


class Rendered:
    """The last step: the line as text, in which secrets are hidden."""

    def __init__(self, settings: Settings) -> None:
        machines = settings.log_format == "json"
        self._render: Any = (
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
            if machines
            else structlog.dev.ConsoleRenderer(colors=False, timestamp_key="time")
        )
        given = (getattr(settings, name) for name in Settings.model_fields)
        self._given = {one.get_secret_value() for one in given if isinstance(one, SecretStr)}

    def __call__(self, logger: Any, method: str, line: Line) -> str:
        for name, value in line.items():
            if NAMED.search(name) and isinstance(value, str | bytes):
                line[name] = HIDDEN
        text = IN_URL.sub(rf"\1{HIDDEN}@", str(self._render(logger, method, line)))
        for secret in self._given | city_settings.READ:
            if len(secret) >= SHORTEST:
                text = text.replace(secret, HIDDEN)
        return text


def configure(settings: Settings, part: str, *, out: TextIO | None = None) -> None:
    """Every line from now on has time, level, part and event; to standard output where nothing else is said."""

    def ordered(_: Any, __: str, line: Line) -> Line:
        line.setdefault("part", part)
        return {name: line[name] for name in (*FIRST, *(name for name in line if name not in FIRST)) if name in line}

    steps: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        ordered,
    ]
    rendered = Rendered(settings)
    structlog.configure(processors=[*steps, rendered], logger_factory=structlog.WriteLoggerFactory(out or sys.stdout))
    handler = logging.StreamHandler(out or sys.stdout)
    ending: list[Any] = [ProcessorFormatter.remove_processors_meta, rendered]
    handler.setFormatter(ProcessorFormatter(foreign_pre_chain=steps, processors=ending))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
