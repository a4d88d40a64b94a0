"""Run the whole test suite for `make test`; its last line is pytest's closing line.

Without Chromium the browser tests are left out and the closing line says so; under CI=true that is an error.
"""

import os
import subprocess
import sys

from tools.setup import ROOT, browser

REMEDY = "apt-get install chromium fonts-dejavu-core, or name a Chromium in CITYNET_TEST_BROWSER"


def run_pytest(*choice: str) -> tuple[int, str]:
    """Run pytest on two workers, pass its output on, and return its exit code and closing line."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", *choice, *sys.argv[1:]]
    closing = ""
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as pytest:
        assert pytest.stdout
        for line in pytest.stdout:
            if closing:
                print(closing, flush=True)
            closing = line.rstrip("\n")
    return pytest.returncode, closing


def main() -> int:
    if browser():
        code, closing = run_pytest("tests")
        print(closing)
        return code
    if os.environ.get("CI") == "true":
        sys.exit(f"CI runs the browser tests and has no Chromium.\nRemedy: {REMEDY}")
    code, closing = run_pytest("--ignore=tests/browser", "tests")
    print(f"{closing}; browser tests not run: {REMEDY}")
    return code


if __name__ == "__main__":
    sys.exit(main())
