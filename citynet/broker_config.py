"""Configuration of the NATS server: least rights, devices by callout, mappings that make PUBACK mean stored."""

import hashlib
from pathlib import Path

import nkeys

from citynet.model import PARTITIONS
from citynet.settings import Settings
from citynet.streams import quota_bytes

# MQTT topic pattern -> (subject of the stored frame, index of the wildcard that is the device identifier).
# The server applies account mappings to its own $MQTT.msgs.* store request, so PUBACK is the stream's own answer.
MQTT_MAPPINGS = {
    "devices.*.up": ("up.{p}.{{{{wildcard(1)}}}}.native.up", 1),
    "devices.*.event": ("up.{p}.{{{{wildcard(1)}}}}.native.event", 1),
    "devices.*.ack": ("up.{p}.{{{{wildcard(1)}}}}.native.ack", 1),
    "devices.*.history": ("hist.{p}.{{{{wildcard(1)}}}}.native.history", 1),
    "application.*.device.*.event.*": (
        "up.{p}.{{{{wildcard(2)}}}}.chirpstack.{{{{wildcard(1)}}}}.{{{{wildcard(3)}}}}",
        2,
    ),
}
# The Things Stack has one topic more or less for each event; what we publish ourselves, down.push and down.replace, is
# in no mapping.
THINGS_STACK_EVENTS = (
    "up", "up.normalized", "join", "down.queued", "down.sent", "down.ack", "down.nack", "down.failed",
    "down.invalidated", "location.solved", "service.data",
)  # fmt: skip
MQTT_MAPPINGS |= {
    f"v3.*.devices.*.{event}": (
        f"up.{{p}}.{{{{{{{{wildcard(2)}}}}}}}}.things_stack.{{{{{{{{wildcard(1)}}}}}}}}.{event}",
        2,
    )
    for event in THINGS_STACK_EVENTS
}
JS = ["$JS.API.>", "$JS.ACK.>"]
# User -> (may publish, may subscribe). Devices publish by MQTT only what a mapping stores.
USERS: dict[str, tuple[list[str], list[str]]] = {
    "admin": ([">"], [">"]),
    "gateway": (
        [
            "up.*.*.native.up",
            "readings.>",
            "receipts.>",
            "dead.>",
            "stats.>",
            "live.>",
            "rpc.>",
            "_INBOX.>",
            "$MQTT.msgs.devices.*.down.>",
            "devices.*.down.>",
            "$MQTT.msgs.application.*.device.*.command.down",
            "$MQTT.msgs.v3.*.devices.*.down.push",
            "$MQTT.msgs.v3.*.devices.*.down.replace",
            *JS,
        ],
        ["_INBOX.>", "changes.>", "rpc.codec.>", "rpc.uplinks.>", "rpc.commands.>"],
    ),
    # Open to the outside by HTTP: may hand in frames, and ask for the commands of a device that has shown its token.
    "push": (["up.>", "hist.>", "stats.>", "rpc.commands.*", "_INBOX.>"], ["_INBOX.>", "changes.>", "live.fetch.*"]),
    # Of up and hist only what the quarantine sends again.
    "ingest": (
        ["live.>", "receipts.>", "dead.>", "up.>", "hist.>", "stats.>", "_INBOX.>", *JS],
        ["_INBOX.>", "changes.>"],
    ),
    "analytics": (
        ["events.>", "derived.>", "stats.>", "live.part", "_INBOX.>", *JS],
        ["_INBOX.>", "changes.>", "rpc.rule.>"],
    ),
    "center": (
        [
            "commands.>",
            "events.system.*",
            "requests.>",
            "receipts.>",
            "changes.>",
            "live.>",
            "stats.>",
            "rpc.>",
            "_INBOX.>",
            *JS,
        ],
        ["_INBOX.>", "live.>", "stats.>", "rpc.>", "changes.>"],
    ),
    "identity": (["dead.quarantine", "stats.identity", "_INBOX.>"], ["_INBOX.>", "changes.>"]),
    "simulator": (["rpc.registry.propose", "stats.>", "_INBOX.>"], ["_INBOX.>", "live.>", "changes.>"]),
    "fleet": (
        ["devices.*.up", "devices.*.event", "devices.*.ack", "devices.*.history"],
        ["devices.*.down", "devices.*.down.>", "$MQTT.sub.>"],
    ),
    # The bridge carries what any outside broker has for us, and nothing else.
    "bridge": (
        list(MQTT_MAPPINGS),
        [
            "devices.*.down",
            "devices.*.down.>",
            "application.*.device.*.command.down",
            "v3.*.devices.*.down.push",
            "v3.*.devices.*.down.replace",
            "$MQTT.sub.>",
        ],
    ),
    "lorawan": (
        ["application.*.device.*.event.*", *(f"v3.*.devices.*.{event}" for event in THINGS_STACK_EVENTS)],
        [
            "application.*.device.*.command.down",
            "v3.*.devices.*.down.push",
            "v3.*.devices.*.down.replace",
            "$MQTT.sub.>",
        ],
    ),
}


# Shared credentials of the field: whoever holds one speaks MQTT and no more than its subjects. All others are parts.
SHARED = ("fleet", "lorawan", "bridge")
# The part `identity` answers for devices (account AUTH) and ends their sessions (account SYS); neither sees the city.
SIGN_IN = "$SYS.REQ.USER.AUTH"
SESSIONS = "$SYS.REQ.SERVER.PING.CONNZ"
KICK = "$SYS.REQ.SERVER.{server}.KICK"
CONNECTED, DISCONNECTED = "$SYS.ACCOUNT.CITY.CONNECT", "$SYS.ACCOUNT.CITY.DISCONNECT"
SERVICE_USERS = ("auth", "sys")
SIGN_IN_S = 5  # how long the broker waits for the answer to a sign-in


def device_rights(token: str) -> tuple[list[str], list[str]]:
    """What a device may publish and subscribe; token is its identifier as it stands in subjects.

    Exactly what is stored: a frame on another topic of the device would be acknowledged and kept by nobody.
    """
    own = f"devices.{token}."
    publish = [own + topic.removeprefix("devices.*.") for topic in MQTT_MAPPINGS if topic.startswith("devices.*.")]
    # MQTT's "#" covers the level above too: without the first of the two every SUBSCRIBE to down/# is refused.
    return publish, [f"{own}down", f"{own}down.>"]


def issuer(settings: Settings) -> nkeys.KeyPair:
    """The account key that signs what the sign-in service grants. Who holds it is everybody: secret nats_issuer."""
    seed = hashlib.sha256(settings.secret("nats_issuer").encode()).digest()
    return nkeys.from_seed(nkeys.encode_seed(seed, nkeys.PREFIX_BYTE_ACCOUNT))


def _quoted(subjects: list[str]) -> str:
    return "[" + ", ".join(f'"{subject}"' for subject in subjects) + "]"


def _user(settings: Settings, name: str) -> str:
    publish, subscribe = USERS[name]
    password = settings.secret(f"nats_{name}")
    rights = (
        f"publish: {{allow: {_quoted(publish)}}}, subscribe: {{allow: {_quoted(subscribe)}}}, allow_responses: true"
    )
    ways = "MQTT" if name in SHARED else "STANDARD"
    return f'{{user: {name}, password: "{password}", allowed_connection_types: [{ways}], permissions: {{{rights}}}}}'


def _service_accounts(settings: Settings) -> str:
    auth, sys = (settings.secret(f"nats_{name}") for name in SERVICE_USERS)
    may_ask = _quoted([SESSIONS, KICK.format(server="*")])
    may_hear = _quoted(["_INBOX.>", CONNECTED, DISCONNECTED])
    return f"""  AUTH: {{
    users: [{{user: auth, password: "{auth}", allowed_connection_types: [STANDARD], permissions: {{
      publish: {{deny: [">"]}}, subscribe: {{allow: ["{SIGN_IN}"]}}, allow_responses: true}}}}]
  }}
  SYS: {{
    users: [{{user: sys, password: "{sys}", allowed_connection_types: [STANDARD], permissions: {{
      publish: {{allow: {may_ask}}}, subscribe: {{allow: {may_hear}}}}}}}]
  }}"""


def _tls(settings: Settings) -> str:
    """TLS of the MQTT port. With an authority every client must show a certificate, so it is one or the other."""
    if not settings.mqtt_tls_cert:
        return ""
    files = f'cert_file: "{settings.mqtt_tls_cert}", key_file: "{settings.mqtt_tls_key}"'
    client = f', ca_file: "{settings.mqtt_tls_ca}", verify: true' if settings.mqtt_tls_ca else ""
    return f", tls: {{ {files}{client} }}"


def _mappings() -> str:
    lines = []
    for topic, (target, wildcard) in MQTT_MAPPINGS.items():
        partition = f"{{{{partition({PARTITIONS},{wildcard})}}}}"
        lines.append(f'    "$MQTT.msgs.{topic}": "{target.format(p=partition)}"')
    return "\n".join(lines)


def _cluster(settings: Settings) -> str:
    """How the nodes find each other; only who knows the secret nats_cluster is a node."""
    if not settings.nats_cluster:
        return ""
    password = settings.secret("nats_cluster")
    known = [one.strip().removeprefix("nats://") for one in settings.nats_cluster.split(",")]
    routes = ", ".join(f'"nats://node:{password}@{one}"' for one in known)
    return f"""cluster {{
  name: citynet, listen: "{settings.nats_cluster_host}:{settings.nats_cluster_port}", routes: [{routes}]
  authorization {{ user: node, password: "{password}" }}
}}
"""


def broker_config(settings: Settings, *, store: Path, log: str = "nats.log") -> str:
    """Text of nats.conf for one node. Nobody is anonymous: whoever is no user of ours is asked about at the callout."""
    users = ",\n      ".join(_user(settings, name) for name in USERS)
    # In quotes: without, 2m is two million seconds.
    sync = "always" if settings.sync_always else '"2m"'
    known = ", ".join([*USERS, *SERVICE_USERS])
    public_key = issuer(settings).public_key.decode()
    mqtt = f'listen: "{settings.mqtt_host}:{settings.mqtt_port}", ack_wait: "30s", max_ack_pending: 1024'
    if settings.nats_cluster:
        # A lost request closes a device's connection: after 2 s it goes to another node, after 5 s the gap was longer.
        mqtt += f', stream_replicas: {settings.stream_replicas}, js_api_timeout: "2s"'
    quota = quota_bytes(settings) + 500_000_000  # and room for the broker's own MQTT streams
    return f"""# Written by citynet at every start; change settings, not this file.
server_name: {settings.nats_node or "citynet"}
listen: "127.0.0.1:{settings.nats_port}"
max_payload: 1MB
jetstream {{ store_dir: "{store}", max_file: {quota}, sync_interval: {sync} }}
mqtt {{ {mqtt}{_tls(settings)} }}
{_cluster(settings)}log_file: "{settings.home / "logs" / log}"
logfile_size_limit: 32MB
logfile_max_num: 3
system_account: SYS
authorization {{
  timeout: {SIGN_IN_S}
  auth_callout {{ issuer: {public_key}, account: AUTH, auth_users: [{known}] }}
}}
accounts {{
{_service_accounts(settings)}
  CITY: {{
    jetstream: enabled
    mappings {{
{_mappings()}
    }}
    users: [
      {users}
    ]
  }}
}}
"""
