"""The outermost ASGI layer of the web process: who may come in, from which origin, with which security headers."""

import json
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from citynet.access import Actor
from citynet.errors import Unavailable
from situation_center import desk

SESSION_ENDED = 4001
FOREIGN_ORIGIN = 4003
OPEN_PATHS = ("/signin", "/healthz", "/assets/", "/vendor/", "/favicon.ico")
# The REST API answers for itself: it also takes keys.
OWN_SIGN_IN = ("/api/", "/docs/api", "/metrics", "/readyz")
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(self)",
}
# Styles are injected by Dash, AG Grid and Plotly; scripts never are: hashes of Dash's two inline ones come later.
CSP = (
    "default-src 'self'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "worker-src 'self' blob:; connect-src 'self'; font-src 'self' data:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
Find = Callable[[str], Awaitable[Actor | None]]


def cookie_of(headers: Headers, name: str) -> str:
    """The value of a cookie, empty when there is none."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def same_origin(headers: Headers, public_url: str) -> bool:
    """Whether the browser says that the request comes from our own pages."""
    origin = headers.get("origin", "")
    ours = {headers.get("host", ""), urlsplit(public_url).netloc}
    return bool(origin) and urlsplit(origin).netloc in ours - {""}


class Gate:
    """Nobody without a session reaches a page, an asset of Dash or a socket."""

    def __init__(self, app: ASGIApp, *, cookie: str, find: Find, scripts: list[str], public_url: str = "") -> None:
        self.app, self.cookie, self.find, self.public_url = app, cookie, find, public_url
        self.scripts = scripts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, self._with_headers(scope, send))
        else:
            await self.app(scope, receive, send)

    async def _enter(self, scope: Scope) -> bool:
        """Whether the request carries a living session; remembers whose."""
        token = cookie_of(Headers(scope=scope), self.cookie)
        actor = await self.find(token) if token else None
        visit = desk.Visit(actor, token) if actor else None
        desk.enter(visit)
        scope.setdefault("state", {})["actor"] = actor
        return visit is not None

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not same_origin(Headers(scope=scope), self.public_url):
            await _close(receive, send, code=FOREIGN_ORIGIN)
            return
        try:
            known = await self._enter(scope)
        except Unavailable:
            await _close(receive, send, code=1013)
            return
        if not known:
            await _close(receive, send, code=SESSION_ENDED)
            return
        await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, headers = scope["path"], Headers(scope=scope)
        own = path.startswith(OWN_SIGN_IN)
        writes = scope["method"] not in SAFE_METHODS and not (own and "authorization" in headers)
        if writes and not same_origin(headers, self.public_url):
            await _answer(send, 403, {"error": "foreign origin: the request comes from another site"})
            return
        try:
            known = await self._enter(scope)
        except Unavailable as error:
            if not path.startswith(OPEN_PATHS):
                await _answer(send, 503, {"error": str(error)})
                return
            known = False
        if known or own or path.startswith(OPEN_PATHS):
            await self.app(scope, receive, send)
        elif "text/html" in headers.get("accept", "") and scope["method"] == "GET":
            # A link from a mail or another site: the browser withholds a strict cookie until our own page asks.
            foreign = headers.get("sec-fetch-site") == "cross-site"
            await (_again(send) if foreign else _redirect(send, _back_to(scope)))
        else:
            await _answer(send, 401, {"error": "the session has ended: sign in again"})

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", CSP.format(scripts=" ".join(self.scripts)))
                if "cache-control" not in headers:
                    headers["Cache-Control"] = _caching(scope)
            await send(message)

        return add


def _caching(scope: Scope) -> str:
    """Component suites carry a fingerprint in their name; our own files are asked for again by ETag."""
    path = scope["path"]
    if path.startswith("/_dash-component-suites/"):
        return "private, max-age=86400"
    return "no-cache" if path.startswith(("/assets/", "/vendor/")) else "no-store"


def _back_to(scope: Scope) -> str:
    """Where to sign in, and where to go on afterwards."""
    query = scope.get("query_string", b"").decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "")
    return "/signin" if wanted == "/" else f"/signin?next={quote(wanted, safe='')}"


async def _answer(send: Send, status: int, body: dict[str, str]) -> None:
    data = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})


async def _again(send: Send) -> None:
    body = b'<!DOCTYPE html><html lang="ru"><meta http-equiv="refresh" content="0"><title>citynet</title></html>'
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": body})


async def _redirect(send: Send, to: str) -> None:
    headers = [(b"location", to.encode("latin-1", "replace")), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _close(receive: Receive, send: Send, *, code: int) -> None:
    """Accept and close with a code that the page understands; a refused handshake tells a browser nothing."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": code})
