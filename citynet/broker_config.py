"""Configuration of the NATS server: one account, users with least rights, mappings that make PUBACK mean stored."""

from pathlib import Path

from citynet.bus import quota_bytes
from citynet.model import PARTITIONS
from citynet.settings import Settings

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
        ["_INBOX.>", "changes.>", "rpc.codec.>", "rpc.uplinks.>"],
    ),
    # Open to the outside by HTTP: may hand in frames and nothing else.
    "push": (["up.>", "hist.>", "stats.>", "_INBOX.>"], ["_INBOX.>", "changes.>"]),
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
        ["commands.>", "requests.>", "receipts.>", "changes.>", "live.>", "stats.>", "rpc.>", "_INBOX.>", *JS],
        ["_INBOX.>", "live.>", "stats.>", "rpc.>", "changes.>"],
    ),
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


def _quoted(subjects: list[str]) -> str:
    return "[" + ", ".join(f'"{subject}"' for subject in subjects) + "]"


def _user(settings: Settings, name: str) -> str:
    publish, subscribe = USERS[name]
    password = settings.secret(f"nats_{name}")
    rights = (
        f"publish: {{allow: {_quoted(publish)}}}, subscribe: {{allow: {_quoted(subscribe)}}}, allow_responses: true"
    )
    return f'{{user: {name}, password: "{password}", permissions: {{{rights}}}}}'


def _mappings() -> str:
    lines = []
    for topic, (target, wildcard) in MQTT_MAPPINGS.items():
        partition = f"{{{{partition({PARTITIONS},{wildcard})}}}}"
        lines.append(f'    "$MQTT.msgs.{topic}": "{target.format(p=partition)}"')
    return "\n".join(lines)


def broker_config(settings: Settings, *, store: Path) -> str:
    """Text of nats.conf for one node. Every user has a password; nobody is anonymous."""
    users = ",\n      ".join(_user(settings, name) for name in USERS)
    sync = "always" if settings.sync_always else "2m"
    quota = quota_bytes(settings) + 500_000_000  # and room for the broker's own MQTT streams
    return f"""# Written by citynet at every start; change settings, not this file.
server_name: citynet
listen: "127.0.0.1:{settings.nats_port}"
max_payload: 1MB
jetstream {{ store_dir: "{store}", max_file: {quota}, sync_interval: {sync} }}
mqtt {{ listen: "{settings.mqtt_host}:{settings.mqtt_port}", ack_wait: "30s", max_ack_pending: 1024 }}
accounts {{
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
