"""Which outside brokers the bridge serves and which topics it carries, from CITYNET_BRIDGES and CITYNET_BRIDGE_URL."""

import ssl
import tomllib
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr, ValidationError

from citynet.broker_config import MQTT_MAPPINGS, USERS
from citynet.errors import ConfigError
from citynet.settings import Settings
from gateway.bridge.ends import End, Plan
from gateway.bridge.file import Broker, File, Route
from gateway.bridge.topics import Topics

# What our broker stores, and what it has for devices and network servers, as MQTT writes it.
INTO_CITY = tuple(one.replace(".", "/").replace("*", "+") for one in MQTT_MAPPINGS)
OUT_OF_CITY = tuple(one.replace(".", "/").replace("*", "+").replace(">", "#") for one in USERS["bridge"][1])


def plans(settings: Settings) -> list[Plan]:
    """All bridges of the installation. Raises ConfigError that names what is wrong, never a password."""
    url = settings.bridge_url.get_secret_value()
    brokers = [Broker(name="default", url=url)] if url else []
    folder = Path()
    if settings.bridges:
        path = Path(settings.bridges)
        folder = path.parent
        brokers += _read(path)
    if not brokers:
        raise ConfigError(
            "no outside broker: set CITYNET_BRIDGES to a file as in docs/how-to/bridge.md,"
            " or CITYNET_BRIDGE_URL, for example mqtt://user:password@host:1883"
        )
    names = [broker.name for broker in brokers]
    for name in set(names):
        if names.count(name) > 1:
            raise ConfigError(f"two bridges are called {name!r}: rename one")
    return [_plan(broker, settings, folder) for broker in brokers]


def _read(path: Path) -> list[Broker]:
    try:
        return File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).bridge
    except OSError as error:
        raise ConfigError(f"CITYNET_BRIDGES: {path} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(word) for word in first["loc"])
        raise ConfigError(f"{path}: {where}: {first['msg']}") from error


def _plan(broker: Broker, settings: Settings, folder: Path) -> Plan:
    where = f"bridge {broker.name}"
    up, down = _topics(broker.up, INTO_CITY, where), _topics(broker.down, ("#",), where)
    for route in broker.up:
        if not Topics.may_lead(route.from_, route.to, INTO_CITY):
            words = f"{route.to or route.from_!r} is no topic that our broker stores: {', '.join(INTO_CITY)}"
            raise ConfigError(f"{where}: {words}")
    for route in broker.down:
        if not Topics.may_lead(route.from_, "", OUT_OF_CITY):
            raise ConfigError(f"{where}: {route.from_!r} is no topic of ours for devices: {', '.join(OUT_OF_CITY)}")
    if broker.group and broker.version != "5":
        raise ConfigError(f'{where}: a shared subscription needs version = "5"')
    return Plan(broker.name, _outside(broker, folder), _inside(broker, settings), up, down, broker.quiet_s)


def _topics(routes: tuple[Route, ...], allowed: tuple[str, ...], where: str) -> Topics:
    try:
        return Topics([(route.from_, route.to) for route in routes], allowed)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def _outside(broker: Broker, folder: Path) -> End:
    parts = urlsplit(broker.url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ConfigError(f"bridge {broker.name}: the address must look like mqtt://host:1883 or mqtts://host:8883")
    filters = broker.subscribe or [route.from_ for route in broker.up]
    password = broker.password.get_secret_value() or unquote(parts.password or "")
    if broker.password_file:
        password = _secret(folder / broker.password_file, broker.name)
    secure = parts.scheme == "mqtts"
    return End(
        side="outside",
        host=parts.hostname,
        port=parts.port or (8883 if secure else 1883),
        client_id=broker.client_id or _client_id(broker.name),
        filters=tuple(f"$share/{broker.group}/{one}" if broker.group else one for one in filters),
        version=broker.version,
        tls=_tls(broker, folder) if secure else None,
        user=broker.user or unquote(parts.username or ""),
        password=SecretStr(password),
        in_flight=broker.in_flight,
        keepalive_s=broker.keepalive_s,
        session_expiry_s=broker.session_expiry_s,
    )


def _inside(broker: Broker, settings: Settings) -> End:
    """Our own broker, as the user that may do what a bridge must and nothing else."""
    return End(
        side="inside",
        host="127.0.0.1" if settings.mqtt_host == "0.0.0.0" else settings.mqtt_host,  # noqa: S104
        port=settings.mqtt_port,
        client_id=_client_id(broker.name),
        filters=tuple(route.from_ for route in broker.down),
        user="bridge",
        password=SecretStr(settings.secret("nats_bridge")),
        in_flight=broker.in_flight,
    )


def _client_id(name: str) -> str:
    return "citynet-bridge" if name == "default" else f"citynet-bridge-{name}"


def _secret(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"bridge {name}: password_file {path} cannot be read: {error.strerror}") from error


def _tls(broker: Broker, folder: Path) -> ssl.SSLContext:
    ca = str(folder / broker.ca) if broker.ca else None
    try:
        context = ssl.create_default_context(cafile=ca)
        if broker.certificate:
            key = str(folder / broker.key) if broker.key else None
            context.load_cert_chain(folder / broker.certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"bridge {broker.name}: ca, certificate or key cannot be used: {error}") from error
    return context
