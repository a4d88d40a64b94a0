"""The whole city, headless, at 60x: nothing lost, nothing doubled, every planted fault found, commands confirmed."""

import json
import subprocess
import sys

KEYS = {
    "uplinks_in", "readings_stored", "duplicated", "lost", "quarantined", "events", "incidents", "webhooks_delivered",
    "commands_confirmed", "commands_unknown", "faults_planted", "faults_found", "fault_delay_s_max",
    "stored_ms_p50", "stored_ms_p99", "screen_ms_p50", "screen_ms_p99",
}  # fmt: skip


def test_demo_check() -> None:
    command = [sys.executable, "-m", "citynet.cli", "demo-check", "--seconds", "60", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr[-4000:]
    report = json.loads(done.stdout)
    assert set(report) >= KEYS, done.stderr
    assert report["lost"] == report["duplicated"] == report["quarantined"] == 0, done.stderr
    assert report["faults_found"] == report["faults_planted"] == 5, done.stderr
    assert report["incidents"] >= 5, done.stderr
    assert report["commands_confirmed"] >= 10, done.stderr
    assert report["commands_unknown"] == 1, done.stderr
    assert report["webhooks_delivered"] >= 5, done.stderr
    assert report["screen_ms_p50"] is not None, done.stderr
