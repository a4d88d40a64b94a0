"""Verdicts and tickets of the sign-in service: real certificates, exact claims, no secret in sight."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import nkeys
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from citynet.broker_config import SHARED, USERS, broker_config, device_rights, issuer
from citynet.credentials import Credential, client_id, device_of, digest
from citynet.settings import Settings
from gateway.identity import violations
from gateway.identity.judge import SESSION_MAX, Granted, Refused, claimed, first_look, judge
from gateway.identity.requests import Request, read
from gateway.identity.tickets import Issuer

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TOKEN = "a-token"


def credential(**changes: Any) -> Credential:
    base: dict[str, Any] = {
        "credential_id": 1,
        "device_id": 2,
        "external_id": "lamp-1",
        "kind": "token",
        "sha256": digest(TOKEN),
        "subject": "",
        "valid_from": NOW - timedelta(days=1),
        "valid_to": None,
    }
    return Credential(**{**base, **changes})


def request(**changes: Any) -> Request:
    base: dict[str, Any] = {
        "server_id": "NSERVER",
        "user_nkey": "UNKEY",
        "way": "mqtt",
        "client_id": "lamp-1",
        "user": "lamp-1",
        "password": TOKEN,
        "host": "10.0.0.1",
    }
    return Request(**{**base, **changes})


def certificate(*, common_name: str = "lamp-1") -> x509.Certificate:
    """A device certificate as an authority would make it; the broker has checked its chain before we see it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "city"), x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    )
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=9))
    return builder.sign(key, SHA256())


def shown(one: x509.Certificate, **changes: Any) -> Request:
    pem = one.public_bytes(Encoding.PEM).decode()
    return request(user="", password="", certificate=pem, **changes)


def test_a_certificate_stands_for_the_device_it_is_registered_for() -> None:
    mine, other = certificate(), certificate()
    subject = credential(kind="x509", sha256=None, subject="CN=lamp-1,O=city")
    pinned = credential(kind="x509", sha256=mine.fingerprint(SHA256()), subject="CN=lamp-1,O=city")
    assert first_look(shown(mine)) is None
    assert claimed(shown(mine)) == "lamp-1"
    assert isinstance(judge(shown(mine), [subject], NOW), Granted)
    assert isinstance(judge(shown(other), [subject], NOW), Granted)
    assert isinstance(judge(shown(mine), [pinned], NOW), Granted)
    assert judge(shown(other), [pinned], NOW) == Refused("wrong_certificate")
    assert judge(shown(certificate(common_name="lamp-2")), [subject], NOW) == Refused("wrong_certificate")
    assert judge(shown(mine), [credential()], NOW) == Refused("wrong_certificate")
    assert judge(shown(mine, client_id="lamp-2"), [subject], NOW) == Refused("foreign_client_id")
    assert judge(request(user="", password="", certificate="no PEM"), [subject], NOW) == Refused("wrong_certificate")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"way": "nats"}, "not_mqtt"),
        ({"way": "websocket"}, "not_mqtt"),
        ({"user": ""}, "no_credential"),
        ({"password": ""}, "no_credential"),
        ({"user": "a.*"}, "bad_identifier"),
        ({"user": ">"}, "bad_identifier"),
        ({"user": "a b"}, "bad_identifier"),
        ({"user": "a\x7f"}, "bad_identifier"),
        ({"user": "a/b"}, "bad_identifier"),
    ],
)
def test_what_is_refused_at_first_sight(changes: dict[str, Any], reason: str) -> None:
    assert first_look(request(**changes)) == Refused(reason)


def test_time_counts() -> None:
    ended, ahead = credential(valid_to=NOW), credential(valid_from=NOW + timedelta(seconds=1))
    soon = credential(valid_to=NOW + timedelta(minutes=1))
    assert judge(request(), [ended], NOW) == Refused("credential_ended")
    assert judge(request(), [ahead], NOW) == Refused("credential_ended")
    assert judge(request(), [soon], NOW) == Granted(soon, NOW + timedelta(minutes=1))
    assert judge(request(), [credential()], NOW) == Granted(credential(), NOW + SESSION_MAX)
    assert judge(request(), [], NOW) == Refused("unknown_device")


@given(st.text(min_size=1))
def test_client_ids_name_one_device(name: str) -> None:
    assert device_of(client_id(name)) == name
    assert "." not in client_id(name)


def opened(ticket: bytes, key: nkeys.KeyPair) -> dict[str, Any]:
    """Claims of a ticket whose signature holds."""
    head, body, signature = ticket.split(b".")
    assert json.loads(base64.urlsafe_b64decode(head + b"==")) == {"typ": "JWT", "alg": "ed25519-nkey"}
    assert key.verify(head + b"." + body, base64.urlsafe_b64decode(signature + b"=="))
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + b"=="))
    assert claims.pop("jti")
    assert claims.pop("iss") == key.public_key.decode()
    return claims


def test_a_ticket_grants_exactly_the_device(tmp_path: Any) -> None:
    key = issuer(Settings(home=tmp_path))
    until = NOW + timedelta(hours=1)
    now = int(NOW.timestamp())
    rights = device_rights("lamp//1")
    answer = opened(Issuer(key).grant(request(), "lamp.1", rights=rights, now=now, until=until), key)
    user = opened(answer["nats"].pop("jwt").encode(), key)
    assert answer == {
        "aud": "NSERVER",
        "sub": "UNKEY",
        "iat": now,
        "nats": {"type": "authorization_response", "version": 2},
    }
    topics = [f"devices.lamp//1.{kind}" for kind in ("up", "event", "ack", "history")]
    assert user == {
        "aud": "CITY",
        "sub": "UNKEY",
        "name": "lamp.1",
        "iat": now,
        "exp": now + 3600,
        "nats": {
            "type": "user",
            "version": 2,
            "subs": -1,
            "data": -1,
            "payload": -1,
            "pub": {"allow": topics},
            "sub": {"allow": ["devices.lamp//1.down", "devices.lamp//1.down.>"]},
        },
    }
    refused = opened(Issuer(key).refuse(request(), "wrong_token", now=now), key)
    assert refused["nats"]["error"] == "wrong_token"
    assert "jwt" not in refused["nats"]


@given(st.binary(max_size=300))
def test_foreign_bytes_are_no_request(data: bytes) -> None:
    assert read(data) is None
    assert read(b"e30." + base64.urlsafe_b64encode(data) + b".x") is None


def test_a_request_never_shows_its_password() -> None:
    assert TOKEN not in repr(request())


def test_the_configuration_lets_nobody_in_by_the_other_door(tmp_path: Any) -> None:
    settings = Settings(home=tmp_path)
    text = broker_config(settings, store=tmp_path)
    for name in USERS:
        way = "MQTT" if name in SHARED else "STANDARD"
        (line,) = [one for one in text.splitlines() if f"{{user: {name}," in one]
        assert f"allowed_connection_types: [{way}]" in line
    assert issuer(settings).seed.decode() not in text
    assert settings.secret("nats_issuer") not in text
    assert (tmp_path / "secrets" / "nats_issuer").stat().st_mode & 0o777 == 0o600
    assert "tls" not in text
    files = {"mqtt_tls_cert": "/c", "mqtt_tls_key": "/k", "mqtt_tls_ca": "/a"}
    assert "verify: true" in broker_config(settings.model_copy(update=files), store=tmp_path)


def test_violations_are_read_from_the_log_of_the_broker() -> None:
    seen: list[tuple[str, str, str, str]] = []

    def note(reason: str, external_id: str, *, host: str = "", detail: str = "") -> None:
        seen.append((reason, external_id, host, detail))

    violations.found(
        b'[1] 2026/11/25 02:22:34.177362 [ERR] 10.0.0.7:51271 - mid:13 - "lamp%2E1" - Publish Violation - '
        b'Subject "devices.a//b.up"\n'
        b'[1] 2026/11/25 02:22:34.483074 [ERR] 10.0.0.7:51271 - mid:13 - "lamp-1" - Subscription Violation - '
        b'Subject "devices.x.down.>", SID devices.x.down.>\n'
        b"[1] 2026/11/25 02:22:34.483074 [INF] something else\n",
        note,
    )
    assert seen == [
        ("foreign_topic", "lamp.1", "10.0.0.7", "published devices/a.b/up"),
        ("foreign_topic", "lamp-1", "10.0.0.7", "subscribed devices/x/down/>"),
    ]
