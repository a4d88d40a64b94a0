"""Errors that a person is told in words; everything else is a defect and goes to the log."""

import psycopg
import psycopg_pool

from citynet.errors import BadInput, Conflict, Forbidden, NotFound, Unavailable
from situation_center.wording import say

# The database or the broker is away: the page stays and tries again.
FAILURES = (Unavailable, psycopg.OperationalError, psycopg.InterfaceError, psycopg_pool.PoolTimeout, OSError)
REFUSALS = (Forbidden, Conflict, NotFound, BadInput)


def explain(error: Exception, language: str) -> str:
    """What went wrong and what to do, in the viewer's language."""
    match error:
        case Forbidden():
            return say(language, "error.forbidden")
        case Conflict():
            return say(language, "error.conflict")
        case NotFound():
            return say(language, "error.not_found")
        case BadInput():
            return say(language, "error.bad_input", detail=error.detail or error.reason)
        case _:
            return say(language, "error.unavailable")
