"""Errors of the API as RFC 9457 problem details: no internals, always the remedy."""

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from citynet.db import AWAY
from citynet.errors import BadInput, CitynetError, Conflict, Forbidden, NotFound, Unavailable
from situation_center.auth import SlowDown
from situation_center.cameras import NoPicture

STATUS: dict[type[CitynetError], int] = {NotFound: 404, Conflict: 409, BadInput: 422, Forbidden: 403, Unavailable: 503}
EXPECTED = (CitynetError, HTTPException, RequestValidationError, *AWAY)
TITLES = {
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    409: "Conflict",
    422: "Bad input",
    429: "Too many attempts",
    502: "The camera gave no picture",
    503: "Unavailable",
}


def problem(status: int, reason: str, detail: str, *, headers: dict[str, str] | None = None) -> JSONResponse:
    """One problem; reason is a short stable word for programs."""
    body = {
        "type": f"urn:citynet:problem:{reason}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
    }
    return JSONResponse(body, status_code=status, headers=headers, media_type="application/problem+json")


def told(error: Exception) -> JSONResponse:
    """The answer to an expected error."""
    match error:
        case SlowDown():
            return problem(429, "slow_down", str(error), headers={"Retry-After": str(error.retry_s)})
        case BadInput():
            return problem(422, error.reason, error.detail or error.reason)
        case NoPicture():
            return problem(502, error.reason, str(error))
        case CitynetError():
            status = STATUS.get(type(error), 500)
            return problem(status, type(error).__name__.lower(), str(error))
        case RequestValidationError():
            first = error.errors()[0]
            where = ".".join(str(word) for word in first["loc"][1:])
            return problem(422, "bad_request", f"{where}: {first['msg']}"[:500])
        case HTTPException():
            challenge = {"WWW-Authenticate": "Bearer"} if error.status_code == 401 else None
            return problem(error.status_code, "http", str(error.detail), headers=challenge)
        case _:
            return problem(503, "unavailable", "the database does not answer: try again")
