"""May this client in, and as which device? Pure: a request and the credentials of the device it names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from citynet.credentials import Credential, client_id, device_of, with_certificate, with_token
from citynet.errors import BadInput
from gateway.identity.requests import Request
from gateway.wire import subject_token

# Why somebody was not let in, or what somebody was seen to do; docs/how-to/identity.md has the table.
REASONS = {
    "no_credential": "neither a name with a token nor a certificate",
    "not_mqtt": "a device came to the port of the parts",
    "bad_identifier": "the name cannot stand in a topic",
    "unknown_device": "no device of this name has a credential",
    "wrong_token": "the device exists, the token is not its own",
    "wrong_certificate": "the certificate is good, but belongs to no such device",
    "credential_ended": "the right credential, but before or after its time",
    "foreign_client_id": "right credential, but the client id of somebody else",
    "registry_away": "the database does not answer, and this device is not remembered",
    "too_many_failures": "the address fails again and again, and this device has not signed in from there before",
    "foreign_topic": "a signed-in device published or subscribed to what is not its own",
    "duplicate_client_id": "connections with this client id throw each other out: two devices with one identity",
}
SESSION_MAX = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Granted:
    """A device may in, at most until."""

    credential: Credential
    until: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody may in; reason is a word of REASONS."""

    reason: str


def claimed(request: Request) -> str:
    """The device that a client says it is. A client with a certificate need give no name."""
    return request.user or (device_of(request.client_id) if request.certificate else "")


def first_look(request: Request) -> Refused | None:
    """What can be refused without looking anything up."""
    if request.way != "mqtt":
        return Refused("not_mqtt")
    name = claimed(request)
    if not name or not (request.password or request.certificate):
        return Refused("no_credential")
    try:
        subject_token(name)
    except BadInput:
        return Refused("bad_identifier")
    return None if name.isprintable() else Refused("bad_identifier")


def judge(request: Request, credentials: Sequence[Credential], now: datetime) -> Granted | Refused:
    """The verdict for a request that passed first_look(); now is wall time."""
    if not credentials:
        return Refused("unknown_device")
    found = _proof(request, credentials)
    if found is None:
        return Refused("wrong_token" if request.password else "wrong_certificate")
    if not found.usable(now):
        return Refused("credential_ended")
    # A stolen client id would throw the other device out and take its session with what waits in it.
    if request.client_id != client_id(found.external_id):
        return Refused("foreign_client_id")
    until = now + SESSION_MAX
    return Granted(found, min(until, found.valid_to) if found.valid_to else until)


def _proof(request: Request, credentials: Sequence[Credential]) -> Credential | None:
    if request.password:
        return with_token(credentials, request.password)
    try:
        certificate = x509.load_pem_x509_certificate(request.certificate.encode())
        subject = certificate.subject.rfc4514_string()
    except ValueError:
        return None
    return with_certificate(credentials, subject, certificate.fingerprint(SHA256()))
