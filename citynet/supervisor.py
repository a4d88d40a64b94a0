"""Starts a whole city and keeps it alive: servers, schema, streams, parts; used by `citynet up` and by tests."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO

import psycopg
from pydantic import SecretStr

from citynet import bus, db, embedded, migrate
from citynet.errors import CitynetError, ConfigError
from citynet.settings import Settings, counts

PARTS = ("identity", "gateway", "push", "ingest", "analytics", "worker", "web")
# Parts of which more than one runs unless the setting says otherwise: nobody signs in while the only one starts anew.
COPIES = {"identity": 2}
# Parts that listen: each process has a port of its own, counted up from that of the setting.
LISTENING = ("web", "push")
FREE_BYTES_MIN = 1_000_000_000
BACKOFF_S_MAX = 5.0
Say = Callable[[str], None]


def environment(settings: Settings) -> dict[str, str]:
    """Environment that makes a child read exactly these settings."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("CITYNET_")}
    secrets = {name: value for name, value in os.environ.items() if name.startswith("CITYNET_SECRET_")}
    given = {name: getattr(settings, name) for name in Settings.model_fields}
    plain = {n: v.get_secret_value() if isinstance(v, SecretStr) else str(v) for n, v in given.items()}
    return {**env, **secrets, **{f"CITYNET_{name.upper()}": value for name, value in plain.items()}}


@dataclass
class Child:
    """A supervised process and how often it was started."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes]
    restarts: int = 0
    next_try: float = 0.0
    started: float = field(default_factory=time.monotonic)


class Progress:
    """Lines that a child writes for people, by their indent of two, as they come into its log."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.read = log.stat().st_size if log.exists() else 0

    def news(self) -> list[str]:
        """Complete lines since the last call."""
        if not self.log.exists() or self.log.stat().st_size <= self.read:
            return []
        with self.log.open("rb") as file:
            file.seek(self.read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self.read += len(whole)
        return [line for line in whole.decode(errors="replace").splitlines() if line.startswith("  ")]


class City:
    """A city on this machine. With no outside database_url / nats_url it brings its own servers.

    Use as a context manager; call watch() again and again (or run_until()) to have dead children restarted.
    """

    def __init__(self, settings: Settings, *, parts: tuple[str, ...] = PARTS, say: Say = lambda line: None) -> None:
        self.settings, self.parts, self.say = settings, parts, say
        self.postgres = embedded.Postgres(settings)
        self.nats = embedded.Nats(settings)
        self.children: dict[str, Child] = {}
        self.progress: Progress | None = None
        self._lock: IO[str] | None = None

    def __enter__(self) -> "City":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def web_url(self) -> str:
        """Address of the screens."""
        return self.settings.public_url or f"http://{self.settings.web_host}:{self.settings.web_port}"

    def start(self) -> None:
        """Start everything and wait until the screen answers. Raises ConfigError with the remedy."""
        self._take_home()
        self._check_ports()
        self._servers()
        for name in self.parts:
            for number in range(self.copies(name)):
                self.start_part(name, number=number)
        if "web" in self.parts:
            self._wait_for_web()

    def copies(self, part: str) -> int:
        """How many processes of a part run."""
        return counts(self.settings.copies).get(part, COPIES.get(part, 1))

    def _take_home(self) -> None:
        home = self.settings.home
        try:
            home.mkdir(parents=True, exist_ok=True)
            self._lock = (home / "lock").open("a+")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._drop_lock()
            raise ConfigError(
                f"a city already runs in {home}: stop it, or set CITYNET_HOME to another folder"
            ) from error
        except OSError as error:
            raise ConfigError(
                f"no lock can be made in {home} ({error.strerror}): free space or rights, or set CITYNET_HOME"
            ) from error
        free = shutil.disk_usage(home).free
        if free < FREE_BYTES_MIN:
            raise ConfigError(
                f"only {free // 1_000_000} MB are free for {home}, a city needs {FREE_BYTES_MIN // 1_000_000}: "
                "free some space or set CITYNET_HOME to another disk"
            )

    def _check_ports(self) -> None:
        settings = self.settings
        listening = [(one, n) for one in LISTENING if one in self.parts for n in range(self.copies(one))]
        for part, number in listening:
            host, port = getattr(settings, f"{part}_host"), getattr(settings, f"{part}_port") + number
            if embedded.port_taken(host, port):
                name = f"CITYNET_{part.upper()}_PORT"
                raise ConfigError(f"port {port} is taken: stop what listens there or set {name}")

    def _servers(self) -> None:
        if not self.settings.database_url:
            self._step("PostgreSQL", self.postgres.start)
            self._adopt("postgres", self.postgres.process, self._restart_postgres)
            self._step("schema", self._schema)
        if not self.settings.nats_url:
            self._step("NATS with JetStream and MQTT", self.nats.start)
            self._adopt("nats", self.nats.process, self._restart_nats)
        self._step("streams", lambda: asyncio.run(self._streams()))

    def _step(self, what: str, work: Callable[[], None]) -> None:
        began = time.monotonic()
        work()
        self.say(f"  {what}: ready in {time.monotonic() - began:.1f} s")

    def _schema(self) -> None:
        with psycopg.connect(self.postgres.admin_url, autocommit=True) as admin:
            migrate.create_roles(admin, self.settings)
            migrate.create_database(admin)
        migrate.migrate(db.dsn(self.settings, "owner"))

    async def _streams(self) -> None:
        async with bus.connected(self.settings, "admin") as admin:
            await admin.ensure_streams()

    def _restart_postgres(self) -> subprocess.Popen[bytes]:
        self.postgres.start()
        return _alive(self.postgres.process)

    def _restart_nats(self) -> subprocess.Popen[bytes]:
        self.nats.start()
        return _alive(self.nats.process)

    def _adopt(
        self, name: str, process: subprocess.Popen[bytes] | None, start: Callable[[], subprocess.Popen[bytes]]
    ) -> None:
        self.children[name] = Child(name, start, _alive(process))

    def start_part(self, name: str, *arguments: str, command: str = "run", number: int = 0) -> None:
        """Start a part (`citynet run <name>`), or another command, as a supervised child; number: of its copy."""
        words = [
            sys.executable,
            "-m",
            "citynet.cli",
            *((command, name) if command == "run" else (command,)),
            *arguments,
        ]
        child = f"{name}-{number + 1}" if number else name
        port = {f"{name}_port": getattr(self.settings, f"{name}_port") + number} if name in LISTENING else {}
        log = self.settings.home / "logs" / f"{child}.log"

        def start() -> subprocess.Popen[bytes]:
            return embedded.spawn(words, log=log, env=environment(self.settings.model_copy(update=port)))

        self._adopt(child, start(), start)

    def _wait_for_web(self, limit_s: float = 180) -> None:
        began = time.monotonic()
        url = f"http://{self.settings.web_host}:{self.settings.web_port}/healthz"
        while time.monotonic() - began < limit_s:
            self.watch()
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    self.say(f"  parts and screen: ready in {time.monotonic() - began:.1f} s")
                    return
            time.sleep(0.1)
        last = embedded.last_line(self.settings.home / "logs" / "web.log")
        raise ConfigError(f"the screen did not answer within {limit_s:.0f} s, its last words: {last}")

    def watch(self) -> None:
        """Restart children that died; says so. Waits longer each time one dies soon after its start."""
        for line in self.progress.news() if self.progress else ():
            self.say(line)
        broker = self.children.get("nats")
        if broker and broker.process.poll() is None and self.nats.wants_restart():
            self.say("  the disk of the broker was full and has room again")
            embedded.stop(broker.process)
        for child in self.children.values():
            if child.process.poll() is None:
                if time.monotonic() - child.started > 30:
                    child.restarts = 0
                continue
            self._revive(child)

    def _revive(self, child: Child) -> None:
        now = time.monotonic()
        if not child.next_try:
            child.next_try = now + min(BACKOFF_S_MAX, 0.2 * 2 ** min(child.restarts, 6)) * (child.restarts > 0)
            self.say(f"  {child.name} ended ({_how(child.process)}): restarting")
        if now < child.next_try:
            return
        child.restarts += 1
        child.next_try = 0.0
        try:
            child.process = child.start()
            child.started = time.monotonic()
            self.say(f"  {child.name} is back (pid {child.process.pid})")
        except CitynetError as error:
            child.next_try = time.monotonic() + 1
            self.say(f"  {child.name} does not start: {error}")

    def run_until(self, done: Callable[[], bool]) -> None:
        """Watch until done() is true."""
        while not done():
            self.watch()
            time.sleep(0.2)

    def set_clock(self, *, origin: datetime | None = None, speed: float = 1.0) -> None:
        """Set the city clock to run on from origin (default: wall time now) at speed; parts follow at once."""
        wall = datetime.now(UTC)
        with psycopg.connect(db.dsn(self.settings, "owner")) as conn:
            conn.execute(
                "INSERT INTO city_clock (origin, wall_origin, speed) VALUES (%s, %s, %s) ON CONFLICT (only_one) "
                "DO UPDATE SET origin = excluded.origin, wall_origin = excluded.wall_origin, speed = excluded.speed",
                [origin or wall, wall, speed],
            )
            conn.execute("INSERT INTO audit (actor, action) VALUES ('part:supervisor', 'clock.set')")
        asyncio.run(self._announce_clock())

    async def _announce_clock(self) -> None:
        async with bus.connected(self.settings, "admin") as admin:
            await admin.publish("changes.clock", b"{}")

    def account_link(self, login: str = "admin", *, demo: bool = False) -> str:
        """A one-time sign-in address for an account; with demo, the people of the demo exist afterwards."""
        words = [sys.executable, "-m", "citynet.cli", "account", "link", login, *(["--demo"] if demo else [])]
        done = subprocess.run(words, env=environment(self.settings), capture_output=True, text=True)
        if done.returncode:
            raise ConfigError(f"no sign-in link: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
        return done.stdout.strip().splitlines()[-1]

    def stop(self) -> None:
        """Stop parts, then the broker, then the database; nothing stays behind."""
        parts = [child for name, child in self.children.items() if name not in ("postgres", "nats")]
        for child in parts:
            with contextlib.suppress(ProcessLookupError):
                child.process.terminate()
        for child in parts:
            embedded.stop(child.process, wait_s=8)
        self.nats.stop()
        self.postgres.stop()
        self.children.clear()
        self._drop_lock()

    def _drop_lock(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None


def _alive(process: subprocess.Popen[bytes] | None) -> subprocess.Popen[bytes]:
    if process is None:
        raise ConfigError("the server was not started")
    return process


def _how(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    return f"killed by signal {-code}" if code < 0 else f"exit {code}"
