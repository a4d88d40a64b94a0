"""The sign-in page: plain HTML from the server, a form, a one-time link; nothing of it needs JavaScript."""

from html import escape
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from citynet.errors import Forbidden
from situation_center import auth
from situation_center.desk import current, desk
from situation_center.gate import cookie_of
from situation_center.screens.parts.failures import FAILURES
from situation_center.wording import LANGUAGES, say

FIELD_MAX = 1024
PAGE = """<!DOCTYPE html>
<html lang="{language}" data-theme="dark">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} — citynet</title><link rel="icon" href="/assets/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/vendor/noto-sans.css"><link rel="stylesheet" href="/assets/screens.css"></head>
<body class="signin"><main>
<header><span class="brand">citynet</span><a href="{other}" lang="{other_language}">{other_title}</a></header>
<h1>{lead}</h1>{message}
<form method="post" action="{action}">{fields}<button type="submit" class="primary">{enter}</button></form>
{below}</main></body></html>
"""


LOGIN_FIELDS = """
<label><span>{login}</span><input class="field" name="login" autocomplete="username" required autofocus maxlength="64"
 autocapitalize="none" spellcheck="false"></label>
<label><span>{password}</span><input class="field" name="password" type="password" autocomplete="current-password"
 required maxlength="1024"></label>
"""
LINK_FIELDS = '<input type="hidden" name="link" value="{link}">'


def language_of(request: Request) -> str:
    """What the address says, else the browser, else the city."""
    asked = request.query_params.get("lang")
    if asked in LANGUAGES:
        return str(asked)
    for choice in request.headers.get("accept-language", "").lower().split(","):
        if choice.strip()[:2] in LANGUAGES:
            return choice.strip()[:2]
    return desk().settings.language


def next_path(request: Request) -> str:
    """Where to go after signing in: only into this very site."""
    wanted = request.query_params.get("next", "/")
    return wanted if wanted.startswith("/") and not wanted.startswith(("//", "/\\", "/signin")) else "/"


def _page(request: Request, *, message: str = "", status: int = 200, link: str = "", calm: bool = False) -> Response:
    language = language_of(request)
    text = {
        name: escape(say(language, f"signin.{name}"))
        for name in ("lead", "login", "password", "enter", "link_enter", "link_help")
    }
    query = {"next": next_path(request)} if next_path(request) != "/" else {}
    other = "en" if language == "ru" else "ru"
    fields = LINK_FIELDS if link else LOGIN_FIELDS
    said = f'<p class="{"calm" if calm else "wrong"}" role="alert">{escape(message)}</p>' if message else ""
    here = f"/signin/{escape(link)}" if link else "/signin"
    html = PAGE.format(
        language=language,
        title=escape(say(language, "signin.title")),
        lead=text["lead"],
        message=said,
        fields=fields.format(link=escape(link), **text),
        enter=text["link_enter" if link else "enter"],
        action=escape("/signin?" + urlencode(query | {"lang": language})),
        other=escape(f"{here}?" + urlencode(query | {"lang": other})),
        other_language=other,
        other_title=escape(say(language, "signin.other_language")),
        below="" if link else f'<p class="muted">{text["link_help"]}</p>',
    )
    return HTMLResponse(html, status_code=status)


async def show(request: Request) -> Response:
    """GET /signin, /signin?link=token and /signin/token: a link asks for one click, so that no preview uses it up."""
    link = request.path_params.get("token") or request.query_params.get("link", "")
    language = language_of(request)
    out = say(language, "signin.out") if "out" in request.query_params else ""
    return _page(request, message=out, link=link[:FIELD_MAX], calm=True)


def _field(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value[:FIELD_MAX] if isinstance(value, str) else ""


async def enter(request: Request) -> Response:
    """POST /signin with login and password, or with the token of a link."""
    form = await request.form(max_files=0, max_fields=8)
    db, language = desk().db, language_of(request)
    address = request.client.host if request.client else ""
    who = {"address": address, "client": request.headers.get("user-agent", "")[:200]}
    link = _field(form, "link")
    try:
        if link:
            token = await auth.sign_in_by_link(db, link, **who)
        else:
            token = await auth.sign_in(db, _field(form, "login"), _field(form, "password"), **who)
        await _forget(request)
    except auth.SlowDown:
        return _page(request, message=say(language, "signin.blocked"), status=429)
    except Forbidden:
        return _page(request, message=say(language, "signin.link_bad" if link else "signin.wrong"), status=403)
    except FAILURES:
        return _page(request, message=say(language, "signin.unavailable"), status=503)
    response = RedirectResponse(next_path(request), status_code=303)
    settings = desk().settings
    secure = auth.secure(settings)
    response.set_cookie(auth.cookie_name(settings), token, path="/", httponly=True, samesite="strict", secure=secure)
    return response


async def _forget(request: Request) -> None:
    """End the session that the browser still holds, so that open tabs do not go on as somebody else."""
    old = cookie_of(request.headers, auth.cookie_name(desk().settings))
    if old:
        await auth.sign_out(desk().db, old)


async def leave(request: Request) -> Response:
    """POST /signin/out. The page that follows speaks as the person did."""
    seen = current()
    language = seen.actor.language if seen else language_of(request)
    try:
        await _forget(request)
    except FAILURES:
        return _page(request, message=say(language_of(request), "signin.unavailable"), status=503)
    response = RedirectResponse(f"/signin?out=1&lang={language}", status_code=303)
    response.delete_cookie(auth.cookie_name(desk().settings), path="/")
    return response


ROUTES = [
    Route("/signin", show, methods=["GET"]),
    Route("/signin", enter, methods=["POST"]),
    Route("/signin/out", leave, methods=["POST"]),
    Route("/signin/{token}", show, methods=["GET"]),
]
