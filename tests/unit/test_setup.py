"""Set-up on awkward machines: no usable HOME, a package index of one's own, an old node, nothing to do."""

import sys
from pathlib import Path

import pytest

from tools import setup


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without a word about indexes or caches; its HOME is returned."""
    for name in (*setup.PIP_TO_UV.values(), "XDG_CACHE_HOME", "UV_CACHE_DIR", "UV_INDEX_STRATEGY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(setup, "pip_settings", lambda env: {})
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_caches_stay_where_the_user_has_them(bare: Path) -> None:
    assert "UV_CACHE_DIR" not in setup.environment()


@pytest.mark.parametrize("home", ["", "/nonexistent"])
@pytest.mark.usefixtures("bare")
def test_caches_move_into_the_checkout_without_a_home(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", home)
    env = setup.environment()
    assert all(Path(env[n]).parent == setup.TOOLS for n in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "npm_config_cache"))


@pytest.mark.usefixtures("bare")
def test_uv_hears_what_pip_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"index-url": "http://index.test/simple", "extra-index-url": "\nfile:///a\nfile:///b", "find-links": "/x /y"}
    monkeypatch.setattr(setup, "pip_settings", lambda env: told)
    env = setup.environment()
    assert env["UV_DEFAULT_INDEX"] == "http://index.test/simple"
    assert env["UV_INDEX"] == "file:///a file:///b"
    assert env["UV_FIND_LINKS"] == "/x,/y"
    assert env["UV_INDEX_STRATEGY"] == "unsafe-best-match"


@pytest.mark.usefixtures("bare")
def test_what_the_user_told_uv_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "pip_settings", lambda env: {"index-url": "http://index.test/simple"})
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://mine.test/simple")
    assert setup.environment()["UV_DEFAULT_INDEX"] == "http://mine.test/simple"


def test_environment_of_pip_goes_before_its_files() -> None:
    lines = [":env:.index-url='http://env.test'", "global.index-url='http://file.test'", "install.find-links='/x'"]
    assert setup.parse_pip_settings("\n".join(lines)) == {"index-url": "http://env.test", "find-links": "/x"}
    assert setup.parse_pip_settings("") == {}


def test_a_failed_step_names_the_remedy() -> None:
    command = [sys.executable, "-c", "import sys; print('no route'); sys.exit(3)"]
    with pytest.raises(setup.SetupError, match=r"fetching failed:\nno route\nRemedy: plug it in"):
        setup.run(command, what="fetching", remedy="plug it in", env={})
