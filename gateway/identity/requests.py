"""What the broker asks at a sign-in: a ticket (NATS JWT version 2) with what the client gave. Read, never logged."""

import base64

import msgspec

REQUEST_BYTES_MAX = 100_000


class _Server(msgspec.Struct):
    id: str


class _Client(msgspec.Struct):
    host: str = ""
    type: str = ""
    mqtt_id: str = ""


class _Options(msgspec.Struct):
    user: str = ""
    password: str = msgspec.field(name="pass", default="")


class _Tls(msgspec.Struct):
    verified_chains: list[list[str]] = []


class _Body(msgspec.Struct):
    server_id: _Server
    user_nkey: str
    client_info: _Client
    connect_opts: _Options
    client_tls: _Tls | None = None


class _Claims(msgspec.Struct):
    nats: _Body


CLAIMS = msgspec.json.Decoder(_Claims)


class Request(msgspec.Struct, frozen=True):
    """One sign-in as the broker asks about it. certificate is PEM, of a chain that the broker has verified."""

    server_id: str
    user_nkey: str
    way: str
    client_id: str
    user: str
    password: str
    host: str
    certificate: str = ""

    def __repr__(self) -> str:
        return f"Request({self.user!r} from {self.host})"  # a password never comes into a log


def read(token: bytes) -> Request | None:
    """The request in a ticket of the broker; None for anything else.

    Its signature is not checked: it proves nothing but that the sender has a key, and nobody but the broker may publish
    in the account that it comes from.
    """
    try:
        _, body, _ = token.split(b".") if len(token) < REQUEST_BYTES_MAX else (b"", b"", b"")
        asked = CLAIMS.decode(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))).nats
    except (ValueError, msgspec.MsgspecError):
        return None
    chains = asked.client_tls.verified_chains if asked.client_tls else []
    return Request(
        server_id=asked.server_id.id,
        user_nkey=asked.user_nkey,
        way=asked.client_info.type,
        client_id=asked.client_info.mqtt_id,
        user=asked.connect_opts.user,
        password=asked.connect_opts.password,
        host=asked.client_info.host,
        certificate=chains[0][0] if chains and chains[0] else "",
    )
