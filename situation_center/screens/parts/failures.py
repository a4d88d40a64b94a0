"""Errors that a person is told in words; everything else is a defect and goes to the log."""

import uuid
from types import TracebackType

import psycopg
import psycopg_pool
import structlog
from dash import set_props

from citynet.errors import BadInput, Conflict, Forbidden, NotFound, Unavailable
from situation_center.desk import viewer
from situation_center.wording import say

# The database or the broker is away: the page stays and tries again.
FAILURES = (Unavailable, psycopg.OperationalError, psycopg.InterfaceError, psycopg_pool.PoolTimeout, OSError)
REFUSALS = (Forbidden, Conflict, NotFound, BadInput)


log = structlog.get_logger()


class Missing(BadInput):
    """What a form holds will not do; reason is the word of texts that says why."""


class Logged:
    """A context that lets errors pass but leaves them in the log: Dash answers 500 without a word."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, Exception):
            log.error("defect", exc_info=error)


def defect(error: Exception) -> None:
    """For Dash: what a callback raised unexpectedly goes to the log, and the person is told."""
    log.error("defect", exc_info=error)
    text = say(viewer().language, "error.defect")
    set_props("toast", {"data": {"text": text, "kind": "error", "id": uuid.uuid4().hex}})


def explain(error: Exception, language: str) -> str:
    """What went wrong and what to do, in the viewer's language."""
    match error:
        case Forbidden():
            return say(language, "error.forbidden")
        case Conflict():
            return say(language, "error.conflict")
        case NotFound():
            return say(language, "error.not_found")
        case Missing():
            return say(language, f"error.{error.reason}")
        case BadInput():
            return say(language, "error.bad_input", detail=error.detail or error.reason)
        case _:
            return say(language, "error.unavailable")
