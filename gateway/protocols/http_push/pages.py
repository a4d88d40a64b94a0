"""Addresses of HTTP push and their OpenAPI description, which is served too; app.py has the handlers."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse, Response

if TYPE_CHECKING:
    from gateway.protocols.http_push.app import Push

ABOUT = (
    "Devices, back offices and network servers push frames. Every address but the first two wants "
    "`Authorization: Bearer <token>` of a registered device. 202 means stored: durable and in order of one connection. "
    "With `Idempotency-Key` a request that is repeated with the same body within ten minutes is stored once. "
    "Errors are RFC 9457 problem details; after 429 and 503 wait for `Retry-After` and send again."
)
MOMENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "time": {"oneOf": [{"type": "string", "format": "date-time"}, {"type": "number"}], "description": "or seconds"},
        "values": {"type": "object", "additionalProperties": {"type": "number"}},
        "name": {"type": "string"},
        "value": {"type": "number"},
    },
    "example": {"time": "2026-03-01T10:00:00Z", "values": {"flow": 1.2, "pressure": 4.1}},
}
NAMED = {**MOMENT, "properties": {"device": {"type": "string"}, **MOMENT["properties"]}}
SENML = {"type": "array", "items": {"type": "object"}, "description": "a SenML pack, RFC 8428"}
LINES = {"type": "string", "description": "one message a line"}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
STORED: dict[str, Any] = {
    "type": "object",
    "required": ["stored"],
    "properties": {
        "stored": {"type": "integer", "description": "frames"},
        "refused": {
            "type": "array",
            "description": "values that will be set aside in the quarantine, at most 20",
            "items": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    },
}
WHEN = {
    400: "not JSON, not UTF-8",
    401: "token missing, unknown, ended or revoked",
    403: "the token does not speak for this device or application",
    408: "the body came too slowly",
    413: "body, message or batch too large",
    415: "media type or encoding not taken",
    422: "JSON, but not a message; the type of the problem says why",
    429: "too fast for the credential",
    503: "broker or database away; nothing of the request counts as stored",
}


def _described(bodies: dict[str, dict[str, Any]]) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": PROBLEM}}
    retry = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}}
    answers: dict[str, Any] = {
        str(status): {"description": text, "content": problem} | ({"headers": retry} if status in (429, 503) else {})
        for status, text in WHEN.items()
    }
    answers["202"] = {"description": "stored", "content": {"application/json": {"schema": STORED}}}
    key = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 200}}
    return {
        "requestBody": {"required": True, "content": {kind: {"schema": schema} for kind, schema in bodies.items()}},
        "responses": answers,
        "parameters": [key],
        "security": [{"token": []}],
    }


ONE = _described(
    {
        "application/json": {"oneOf": [MOMENT, {"type": "array", "items": MOMENT}]},
        "application/senml+json": SENML,
        "application/x-ndjson": LINES,
    }
)
MANY = _described({"application/json": {"type": "array", "items": NAMED}, "application/x-ndjson": LINES})
EVENT = _described({"application/json": {"type": "object"}})
EITHER = _described(
    {"application/json": {"type": "object"}, "application/octet-stream": {"type": "string", "format": "binary"}}
)
WAIT_MAX_S = 60
COMMAND: dict[str, Any] = {
    "type": "object",
    "properties": {
        "command_id": {"type": "string", "format": "uuid"},
        "action": {"type": "string"},
        "args": {"type": "object"},
        "deadline": {"type": "string", "format": "date-time"},
    },
    "example": {"command_id": "..", "action": "dim", "args": {"level": 40}, "deadline": "2026-03-01T10:01:00Z"},
}
FETCHED = {"type": "object", "required": ["commands"], "properties": {"commands": {"type": "array", "items": COMMAND}}}
COMMANDS: dict[str, Any] = {
    "responses": {
        **{status: told for status, told in ONE["responses"].items() if status in ("401", "403", "429", "503")},
        "200": {"description": "what waits, perhaps nothing", "content": {"application/json": {"schema": FETCHED}}},
        "409": {"description": "commands of this device go by MQTT", "content": ONE["responses"]["401"]["content"]},
    },
    "security": [{"token": []}],
}
Device = Annotated[str, Path(min_length=1, max_length=200, description="identifier of the device")]


def routes(app: FastAPI, push: "Push") -> None:
    """Add all addresses to the application."""

    @app.get("/healthz", include_in_schema=False)
    async def health() -> JSONResponse:
        return await push.health()

    @app.get("/readyz", include_in_schema=False)
    async def readiness() -> JSONResponse:
        return await push.ready()

    @app.get("/v1/openapi.json", include_in_schema=False)
    async def schema() -> JSONResponse:
        return JSONResponse(description(app))

    more: dict[str, Any] = {"status_code": 202, "response_class": JSONResponse}

    @app.post("/v1/devices/{device}/{lane}", openapi_extra=ONE, summary="Messages of one device", **more)
    async def one(
        request: Request,
        device: Device,
        *,
        lane: Literal["up", "history", "event"],
        commands: Annotated[bool, Query(description="let the answer bring the device's commands")] = False,
    ) -> Response:
        return await push.device(request, device, lane, commands=commands)

    @app.get("/v1/devices/{device}/commands", openapi_extra=COMMANDS, summary="Commands of one device")
    async def commands(
        request: Request,
        device: Device,
        wait: Annotated[float, Query(ge=0, le=WAIT_MAX_S, description="seconds to wait for one")] = 0,
    ) -> Response:
        return await push.waiting(request, device, wait)

    @app.post("/v1/things-stack/{path:path}", include_in_schema=False, **more)
    @app.post("/v1/things-stack", openapi_extra=EVENT, summary="Webhook of The Things Stack v3", **more)
    async def things_stack(request: Request) -> Response:
        return await push.things_stack(request)

    @app.post("/v1/chirpstack", openapi_extra=EITHER, summary="HTTP integration of ChirpStack v4", **more)
    async def chirpstack(request: Request, event: Annotated[str, Query(max_length=40)]) -> Response:
        return await push.chirpstack(request, event)

    # Last: its address is a pattern that fits the others too.
    @app.post("/v1/{lane}", openapi_extra=MANY, summary="Messages of several devices", **more)
    async def many(request: Request, lane: Literal["up", "history"]) -> Response:
        return await push.batch(request, lane)


def description(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document."""
    document = app.openapi()
    token = {"type": "http", "scheme": "bearer", "description": "token of a device"}
    document.setdefault("components", {})["securitySchemes"] = {"token": token}
    return document
