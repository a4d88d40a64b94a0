"""The gate: nobody without a session gets in, foreign origins are refused, every answer carries the headers."""

import pytest
from starlette.types import Message, Receive, Scope, Send

from citynet.access import Actor
from citynet.errors import Unavailable
from situation_center import desk
from situation_center.gate import Gate

ANNA = Actor(1, "anna", "operator")


async def find(token: str) -> Actor | None:
    if token == "broken":
        raise Unavailable("the database does not answer: try again")
    return ANNA if token == "good" else None


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that says who is looking."""
    try:
        name = desk.viewer().login.encode()
    except Exception:
        name = b"nobody"
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": name})


async def ask(path: str, *, method: str = "GET", kind: str = "http", **headers: str) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    raw = [
        (name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "city.example", **headers}.items()
    ]
    scope: Scope = {"type": kind, "path": path, "method": method, "headers": raw, "query_string": b"", "state": {}}
    gate = Gate(inner, cookie="citynet", find=find, scripts=["'sha256-x'"])
    await gate(scope, receive, send)
    return sent


def header(sent: list[Message], name: str) -> str:
    return str(dict(sent[0]["headers"]).get(name.encode(), b"").decode())


async def test_a_page_without_a_session_leads_to_the_sign_in() -> None:
    sent = await ask("/service/water", accept="text/html")
    assert (sent[0]["status"], header(sent, "location")) == (303, "/signin?next=%2Fservice%2Fwater")


async def test_a_link_from_another_site_asks_once_more_from_our_own_page() -> None:
    sent = await ask("/object/7", accept="text/html", sec_fetch_site="cross-site")
    assert sent[0]["status"] == 200
    assert b'http-equiv="refresh"' in sent[1]["body"]


@pytest.mark.parametrize("path", ["/_dash-layout", "/map/objects.json", "/nosuch"])
async def test_data_without_a_session_is_refused(path: str) -> None:
    assert (await ask(path, cookie="citynet=stolen"))[0]["status"] == 401


async def test_a_session_is_known_inside() -> None:
    sent = await ask("/", cookie="other=1; citynet=good")
    assert (sent[0]["status"], sent[1]["body"]) == (200, b"anna")


@pytest.mark.parametrize(
    "path", ["/signin", "/healthz", "/vendor/citymap.mjs", "/assets/screens.css", "/api/v1/incidents"]
)
async def test_what_is_open_to_all_knows_nobody(path: str) -> None:
    assert (await ask(path))[1]["body"] == b"nobody"


async def test_a_write_from_another_site_is_refused() -> None:
    for origin in ({}, {"origin": "https://evil.example"}, {"origin": "null"}):
        assert (await ask("/signin", method="POST", cookie="citynet=good", **origin))[0]["status"] == 403
    assert (await ask("/signin", method="POST", origin="http://city.example"))[0]["status"] == 200


async def test_a_key_needs_no_origin() -> None:
    assert (await ask("/api/v1/commands", method="POST", authorization="Bearer x"))[0]["status"] == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, 4003), ({"origin": "http://evil.example"}, 4003), ({"origin": "http://city.example"}, 4001),
     ({"origin": "http://city.example", "cookie": "citynet=broken"}, 1013)],
)  # fmt: skip
async def test_a_socket_is_closed_with_a_word(headers: dict[str, str], code: int) -> None:
    sent = await ask("/map/live", kind="websocket", **headers)
    assert sent[-1] == {"type": "websocket.close", "code": code}


async def test_a_socket_with_a_session_is_let_in() -> None:
    sent = await ask("/map/live", kind="websocket", origin="http://city.example", cookie="citynet=good")
    assert sent == [{"type": "websocket.accept"}]


async def test_a_database_that_is_away_is_said() -> None:
    assert (await ask("/", cookie="citynet=broken"))[0]["status"] == 503
    assert (await ask("/signin", cookie="citynet=broken"))[0]["status"] == 200


async def test_every_answer_has_the_security_headers() -> None:
    for sent in (await ask("/"), await ask("/", cookie="citynet=good")):
        policy = header(sent, "content-security-policy")
        assert "script-src 'self' 'sha256-x';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy
        assert header(sent, "x-content-type-options") == "nosniff"
        assert header(sent, "cache-control") == "no-store"
