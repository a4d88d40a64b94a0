"""Who may call a route: session cookie or API key, and the action that the route declares."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, HTTPException, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from citynet.access import Actor, require
from citynet.errors import Forbidden
from situation_center import auth
from situation_center.api.problems import EXPECTED, told
from situation_center.desk import Desk, desk
from situation_center.gate import SAFE_METHODS, same_origin

F = TypeVar("F", bound=Callable[..., Any])
Handler = Callable[[Request], Awaitable[Response]]


class ProblemRoute(APIRoute):
    """A route whose expected errors become problem details; others stay errors of the server."""

    def get_route_handler(self) -> Handler:  # type: ignore[override]
        """See APIRoute."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except EXPECTED as error:
                return told(error)

        return handle


async def who(request: Request) -> Actor:
    """Who calls, by key or session. Raises HTTPException (401), Forbidden."""
    place = desk()
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        actor = await auth.actor_of_key(place.db, key.strip()[:200])
    else:
        actor = await auth.actor_of(place.db, request.cookies.get(auth.cookie_name(place.settings)))
        if request.method not in SAFE_METHODS and not same_origin(request.headers, place.settings.public_url):
            raise Forbidden("foreign origin: programs use an API key")
    if actor is None:
        raise HTTPException(401, "sign in, or send `Authorization: Bearer <API key>`")
    return actor


class May:
    """Dependency of a route: the actor, who has the right to the declared action."""

    def __init__(self, action: str) -> None:
        self.action = action

    async def __call__(self, request: Request) -> Actor:
        """Who calls. 401 for nobody, 403 without the right."""
        actor = await who(request)
        require(actor, self.action)
        return actor


class Public:
    """Dependency of a route that anybody may call."""

    action = "public"

    def __call__(self) -> None:
        """Nothing to ask."""


def public(function: F) -> F:
    """Declare a plain function as open to anybody."""
    function.action = "public"  # type: ignore[attr-defined]
    return function


PUBLIC = Depends(Public())
Place = Annotated[Desk, Depends(desk)]
ReadsRegistry = Annotated[Actor, Depends(May("registry.read"))]
WritesRegistry = Annotated[Actor, Depends(May("registry.write"))]
Installs = Annotated[Actor, Depends(May("device.install"))]
ViewsCameras = Annotated[Actor, Depends(May("camera.view"))]
ReadsReadings = Annotated[Actor, Depends(May("reading.read"))]
ReadsIncidents = Annotated[Actor, Depends(May("incident.read"))]
ReadsCommands = Annotated[Actor, Depends(May("command.read"))]
ReadsPipeline = Annotated[Actor, Depends(May("pipeline.read"))]
ReadsQuarantine = Annotated[Actor, Depends(May("quarantine.read"))]
ReplaysQuarantine = Annotated[Actor, Depends(May("quarantine.replay"))]
WritesCodecs = Annotated[Actor, Depends(May("codec.write"))]
OwnsAccount = Annotated[Actor, Depends(May("account.own"))]
WritesCredentials = Annotated[Actor, Depends(May("credential.write"))]
WritesWebhooks = Annotated[Actor, Depends(May("webhook.write"))]
Orders = Annotated[Actor, Depends(May("command.request"))]
Approves = Annotated[Actor, Depends(May("command.approve"))]
Cancels = Annotated[Actor, Depends(May("command.cancel"))]
