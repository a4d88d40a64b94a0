"""Run the whole test suite for `make test`; its last line is a closing line over all of it.

Without Chromium the browser tests are left out and the closing line says so; under CI=true that is an error.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tools.setup import ROOT, browser

REMEDY = "apt-get install chromium fonts-dejavu-core, or name a Chromium in CITYNET_TEST_BROWSER"
# A whole city wants both cores: these run after the others and one by one.
WHOLE_CITY = ["tests/flows/test_demo_check.py", "tests/browser"]

MEMORY, MEMORY_BYTES = Path("/dev/shm"), 6_000_000_000  # noqa: S108


def folders(memory: Path = MEMORY) -> dict[str, str]:
    """Where the tests have their folders: in memory where that is plenty, since each writes a database and a broker."""
    found = re.search(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text()) if memory.is_dir() else None
    if not found or "TMPDIR" in os.environ or os.statvfs(memory).f_flag & os.ST_NOEXEC:
        return {}
    plenty = min(shutil.disk_usage(memory).free, int(found[1]) * 1000 // 2) >= MEMORY_BYTES
    return {"TMPDIR": str(memory)} if plenty and os.access(memory, os.W_OK) else {}


def run_pytest(*choice: str) -> Counter[str]:
    """Run pytest, pass its output on, and return how many passed, failed .. by its closing line."""
    command = [sys.executable, "-m", "pytest", "-q", *choice, *sys.argv[1:]]
    closing = ""
    env = os.environ | folders()
    with subprocess.Popen(
        command, cwd=ROOT, env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as pytest:
        assert pytest.stdout
        for line in pytest.stdout:
            print(line, end="", flush=True)
            closing = line if line.strip() else closing
    counts = Counter({name: int(number) for number, name in re.findall(r"(\d+) (\w+)", closing.split(" in ")[0])})
    if pytest.returncode and not counts["failed"] and not counts["error"] and not counts["errors"]:
        counts["failed"] += 1  # pytest itself broke
    return counts


def main() -> int:
    began = time.monotonic()
    whole = WHOLE_CITY if browser() else WHOLE_CITY[:-1]
    if not browser() and os.environ.get("CI") == "true":
        sys.exit(f"CI runs the browser tests and has no Chromium.\nRemedy: {REMEDY}")
    light = [f"--ignore={path}" for path in WHOLE_CITY]
    counts = run_pytest("-n", "2", "--dist", "worksteal", *light, "tests")
    counts += run_pytest(*whole)
    bad = counts["failed"] + counts["error"] + counts["errors"]
    missing = "" if browser() else f"; browser tests not run: {REMEDY}"
    words = f"{counts['passed']} passed, {bad} failed, {counts['skipped']} skipped"
    print(f"{words} in {time.monotonic() - began:.0f} s{missing}" if missing else words)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
