"""The supervised servers: start, kill, come back with the data, refuse a second start, leave nothing behind."""

import os
import signal
import socket
from pathlib import Path

import psycopg
import pytest

from citynet import db, embedded
from citynet.doctor import examine
from citynet.errors import ConfigError
from citynet.settings import Settings
from citynet.supervisor import City


@pytest.fixture
def alone(server_home: Path, tmp_path: Path) -> Settings:
    """Settings of a city with servers of its own, in a folder that PostgreSQL's user can reach."""
    home = server_home / tmp_path.name
    return embedded.apart(home)


def test_killed_servers_come_back_with_their_data_and_stop_leaves_no_process(alone: Settings) -> None:
    said: list[str] = []
    with City(alone, parts=(), say=said.append) as city:
        city.set_clock(speed=60)
        before = {name: child.process.pid for name, child in city.children.items()}
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        city.run_until(
            lambda: all(c.process.poll() is None and c.process.pid != before[n] for n, c in city.children.items())
        )
        with psycopg.connect(db.dsn(alone, "center")) as conn:
            assert conn.execute("SELECT speed FROM city_clock").fetchone() == (60.0,)
        well = {finding.name: finding.well for finding in examine(alone)}
        assert [name for name, fine in well.items() if not fine] == ["sign-in", "screen"]
        with pytest.raises(ConfigError, match="already runs"):
            City(alone, parts=()).start()
        after = [child.process.pid for child in city.children.values()]
    assert any("postgres ended (killed by signal 9)" in line for line in said)
    for pid in after:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_half_written_data_folder_is_said_and_made_anew(alone: Settings) -> None:
    data = alone.home / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("18")
    assert any(f.name == "data folder" and "half written" in f.text for f in examine(alone))
    with City(alone, parts=()):
        assert (data / "citynet.ready").exists()


def test_a_taken_port_names_the_setting(alone: Settings) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", alone.postgres_port))
        squatter.listen()
        with pytest.raises(ConfigError, match="CITYNET_POSTGRES_PORT"), City(alone, parts=()):
            pass
