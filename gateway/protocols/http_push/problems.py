"""Errors of HTTP push as RFC 9457 problem details: a stable reason for programs, the remedy for people."""

from http import HTTPStatus

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from citynet.db import AWAY
from citynet.errors import BadInput, CitynetError, Forbidden

RETRY_S = 5
# Reasons of gateway/quarantine.py that HTTP has a word for; the others are 422.
STATUS = {"too_large": 413, "not_utf8": 400, "not_json": 400}


class Refused(CitynetError):
    """An answer that is no 2xx."""

    def __init__(self, status: int, reason: str, detail: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.reason, self.headers = status, reason, headers or {}


class TooFast(Refused):
    """The credential has used up its rate."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(429, "too_fast", f"wait {wait_s} s", headers={"Retry-After": str(wait_s)})


def problem(status: int, reason: str, detail: str, *, headers: dict[str, str] | None = None) -> JSONResponse:
    """One problem document."""
    body = {
        "type": f"urn:citynet:problem:{reason}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail[:500],
    }
    return JSONResponse(body, status_code=status, headers=headers, media_type="application/problem+json")


WORDS = {Forbidden: "forbidden", HTTPException: "http", RequestValidationError: "bad_request"}


def reason_of(error: Exception) -> str:
    """The short stable word for an error."""
    if isinstance(error, (Refused, BadInput)):
        return error.reason
    return WORDS.get(type(error), "unavailable")


async def told(_: Request, error: Exception) -> JSONResponse:
    """The answer to an expected error."""
    reason = reason_of(error)
    match error:
        case Refused():
            return problem(error.status, reason, str(error), headers=error.headers)
        case BadInput():
            return problem(STATUS.get(reason, 422), reason, error.detail or reason)
        case Forbidden():
            return problem(403, reason, str(error))
        case RequestValidationError():
            first = error.errors()[0]
            status = 404 if first["loc"][0] == "path" else 422
            return problem(status, reason, f"{first['loc'][-1]}: {first['msg']}; see /v1/openapi.json")
        case HTTPException():
            return problem(error.status_code, reason, str(error.detail), headers=dict(error.headers or {}))
        case _:
            detail = "broker or database does not answer: try again, nothing of this request counts as stored"
            return problem(503, reason, detail, headers={"Retry-After": str(RETRY_S)})


EXPECTED = (CitynetError, RequestValidationError, HTTPException, *AWAY)
