"""A little camera: a real HTTP server whose paths behave well or badly, and which counts who asks."""

import hashlib
import re
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

USER, PASSWORD = "viewer", "s3cret-of-the-gate"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\x00" * 1_000 + b"\xff\xd9"
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 " + b"\x00" * 24
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
# path -> status, type that the camera claims, body.
PLAIN: dict[str, tuple[int, str, bytes]] = {
    "/png": (200, "text/html", PNG),
    "/jpeg": (200, "application/octet-stream", JPEG),
    "/webp": (200, "image/webp", WEBP),
    "/svg": (200, "image/svg+xml", SVG),
    "/html": (200, "image/jpeg", b"<html>\xff\xd8\xff</html>"),
    "/empty": (200, "image/jpeg", b""),
    "/broken": (500, "image/jpeg", JPEG),
    "/big": (200, "image/jpeg", JPEG + b"\x00" * 100_000),
}
REALM = f'realm="gate", nonce="{"7" * 16}"'


class Camera(ThreadingHTTPServer):
    """hits: requests by path; told: the Authorization headers that came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Behaviour)
        self.hits: Counter[str] = Counter()
        self.told: list[str] = []
        self.over = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class Behaviour(BaseHTTPRequestHandler):
    """One request."""

    server: Camera
    endless: ClassVar[dict[str, bytes]] = {"/endless": JPEG, "/stream": b"--frame\r\nContent-Type: image/jpeg\r\n\r\n"}

    def do_GET(self) -> None:
        self.server.hits[self.path] += 1
        with suppress(ConnectionError):
            self._answer()

    def _answer(self) -> None:
        if self.path in PLAIN:
            self._send(*PLAIN[self.path])
        elif self.path in self.endless:
            self._send_endless(self.endless[self.path])
        elif self.path == "/silent":
            self.server.over.wait(60)
        elif self.path == "/redirect":
            self._send(302, "text/plain", b"", location=self.server.url("/png"))
        else:
            self._guarded()

    def _guarded(self) -> None:
        """/basic and /digest want the password, /strange a sign-in that nobody knows."""
        given = self.headers.get("authorization", "")
        if given:
            self.server.told.append(given)
        basic = f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
        proofs = {"/basic": basic, "/digest": f'response="{self._proof()}"'}
        if proofs.get(self.path, "\n") in given:
            self._send(200, "image/png", PNG)
        else:
            kind = {"/digest": "Digest", "/basic": "Basic"}.get(self.path, "Digest algorithm=RED,")
            self._send(401, "text/plain", b"", **{"www-authenticate": f"{kind} {REALM}"})

    def _proof(self) -> str:
        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        (nonce,) = re.findall(r'nonce="(\w+)"', REALM)
        return md5(f"{md5(f'{USER}:gate:{PASSWORD}')}:{nonce}:{md5(f'GET:{self.path}')}")

    def _send(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _send_endless(self, first: bytes) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(first)
        while not self.server.over.is_set():
            self.wfile.write(b"\x00" * 4_096)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def camera() -> Iterator[Camera]:
    """A camera that answers until the block is left."""
    server = Camera()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
