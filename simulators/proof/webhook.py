"""A utility's webhook receiver: takes Standard Webhooks 1.0 and counts the deliveries whose signature holds."""

import base64
import hashlib
import hmac
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY_MAX = 1_000_000


class Receiver:
    """Use as a context manager; url is where it listens."""

    def __init__(self) -> None:
        self.secret = secrets.token_bytes(32)
        self.delivered: set[str] = set()
        self.refused = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(min(BODY_MAX, int(self.headers.get("content-length", 0))))
                good = outer.verify(dict(self.headers.items()), body)
                self.send_response(204 if good else 401)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Silent: the report counts."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def verify(self, headers: dict[str, str], body: bytes) -> bool:
        """v1 = base64 HMAC-SHA256 of id.timestamp.body."""
        fields = {name.lower(): value for name, value in headers.items()}
        identity, stamp = fields.get("webhook-id", ""), fields.get("webhook-timestamp", "")
        digest = hmac.new(self.secret, f"{identity}.{stamp}.".encode() + body, hashlib.sha256).digest()
        wanted = f"v1,{base64.b64encode(digest).decode()}"
        good = any(hmac.compare_digest(wanted, given) for given in fields.get("webhook-signature", "").split())
        if good:
            self.delivered.add(identity)
        else:
            self.refused += 1
        return good

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
