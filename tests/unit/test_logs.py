"""Lines of the log: one form for all who log, for machines and for people, and no secret in either."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import logging, structlog
from citynet import logs, settings
city = settings.load()
logs.configure(city, "ingest")
password = city.secret("db_ingest")
log = structlog.get_logger()
log.warning("stored", rows=5, url=f"postgresql://citynet_ingest:{password}@database:5432/citynet")
log.info(f"the password is {password}", token="abc", part="gateway")
logging.getLogger("psycopg.pool").warning("no connection with %s", "mqtt://u:geheim@host/x")
log.info("bridge", url=city.bridge_url.get_secret_value())
try:
    raise ValueError(password)
except ValueError:
    log.exception("broken")
"""
URL = "mqtt://user:long-bridge-word@broker:1883"


def run(home: Path, form: str) -> str:
    city = {"CITYNET_HOME": str(home), "CITYNET_LOG_FORMAT": form, "CITYNET_BRIDGE_URL": URL}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, **city}, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_is_shown(tmp_path: Path, form: str) -> None:
    text = run(tmp_path, form)
    secret = (tmp_path / "secrets" / "db_ingest").read_text()
    for hidden in (secret, "geheim", "long-bridge-word", "abc"):
        assert hidden not in text
    assert "postgresql://citynet_ingest:***@database:5432/citynet" in text
    assert "the password is ***" in text


def test_machines_read_every_line(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in run(tmp_path, "json").splitlines()]
    assert [list(line)[:4] for line in lines] == [["time", "level", "part", "event"]] * 5
    assert [(line["level"], line["part"]) for line in lines] == [
        ("warning", "ingest"),
        ("info", "gateway"),
        ("warning", "ingest"),
        ("info", "ingest"),
        ("error", "ingest"),
    ]
    assert lines[0]["rows"] == 5
    assert "ValueError" in lines[4]["exception"]
