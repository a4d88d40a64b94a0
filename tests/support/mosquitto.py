"""Debian's mosquitto as the outside broker of bridge tests, with or without TLS."""

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from citynet import embedded

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
needs_mosquitto = pytest.mark.skipif(not MOSQUITTO, reason="no mosquitto: apt-get install mosquitto")


def password_file(folder: Path, user: str, password: str) -> Path:
    """What mosquitto reads for password_file."""
    users = folder / "users"
    users.touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(users), user, password], check=True, capture_output=True)
    return users


class Mosquitto:
    """A mosquitto on a free port; it keeps sessions on disk when it is told to stop."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = embedded.free_port()
        self._config = folder / "mosquitto.conf"
        words = [
            f"listener {self.port} 127.0.0.1",
            f"persistence true\npersistence_location {folder}/",
            "max_inflight_messages 100\nmax_queued_messages 100000",
            *([f"user {folder.owner()}"]),
            *(lines or ["allow_anonymous true"]),
        ]
        self._config.write_text("\n".join(words) + "\n")
        self.start()

    @property
    def url(self) -> str:
        """Address without TLS."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start; connecting clients try again until it listens."""
        self.process = subprocess.Popen([MOSQUITTO or "", "-c", str(self._config)], stderr=subprocess.DEVNULL)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process and wait for it."""
        self.process.send_signal(how)
        self.process.wait(10)
