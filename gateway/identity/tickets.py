"""Signs what is granted or refused at a sign-in, as tickets of the broker (NATS JWT version 2)."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import nkeys

from gateway.identity.requests import Request

ACCOUNT = "CITY"
HEADER = json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}, separators=(",", ":")).encode()
UNLIMITED = -1


def _text(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Issuer:
    """Signs tickets with the account key that the broker knows."""

    def __init__(self, key: nkeys.KeyPair) -> None:
        self._key = key
        self._name = key.public_key.decode()
        self._head = _text(HEADER) + b"."

    def _sign(self, claims: Mapping[str, Any], now: int) -> bytes:
        whole = {**claims, "iss": self._name, "iat": now}
        body = json.dumps(whole, separators=(",", ":"), sort_keys=True).encode()
        whole["jti"] = base64.b32encode(hashlib.sha256(body).digest()).decode().rstrip("=")
        signed = self._head + _text(json.dumps(whole, separators=(",", ":")).encode())
        return signed + b"." + _text(self._key.sign(signed))

    def grant(
        self, request: Request, name: str, *, rights: tuple[list[str], list[str]], now: int, until: datetime
    ) -> bytes:
        """The answer that lets a client in as name, with these subjects to publish and to subscribe, at most until."""
        publish, subscribe = rights
        user = {"type": "user", "version": 2, "subs": UNLIMITED, "data": UNLIMITED, "payload": UNLIMITED}
        user |= {"pub": {"allow": publish}, "sub": {"allow": subscribe}}
        claims = {"sub": request.user_nkey, "aud": ACCOUNT, "name": name, "exp": int(until.timestamp()), "nats": user}
        return self._answer(request, {"jwt": self._sign(claims, now).decode()}, now)

    def refuse(self, request: Request, reason: str, *, now: int) -> bytes:
        """The answer that keeps a client out; the reason goes to the broker's log, not to the client."""
        return self._answer(request, {"error": reason}, now)

    def _answer(self, request: Request, what: dict[str, str], now: int) -> bytes:
        body = {"type": "authorization_response", "version": 2, **what}
        return self._sign({"aud": request.server_id, "sub": request.user_nkey, "nats": body}, now)
