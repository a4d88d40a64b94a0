"""`citynet new` writes files that pass ruff and keep their promise to be one file only."""

import subprocess
import sys
from pathlib import Path

import pytest

from citynet.catalog import Service
from citynet.errors import ConfigError
from tools import new


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout that `new` writes into."""
    for _, folder, _ in new.THINGS.values():
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(new, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize("thing", new.THINGS)
def test_a_new_file_is_clean_and_is_not_overwritten(checkout: Path, thing: str) -> None:
    new.new(thing, "street_noise")
    written = [path for path in checkout.rglob("*") if path.is_file()]
    assert [path.stem for path in written] == ["street_noise"]
    if written[0].suffix == ".py":
        command = [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length", "120", str(written[0])]
        assert subprocess.run(command, capture_output=True, text=True).stdout.strip() == "All checks passed!"
    else:
        import tomllib

        assert Service.model_validate(tomllib.loads(written[0].read_text())).name == "street_noise"
    with pytest.raises(ConfigError, match="exists"):
        new.new(thing, "street_noise")


@pytest.mark.parametrize(("thing", "name"), [("castle", "x_y"), ("device", "../evil"), ("device", "Big")])
def test_foreign_words_are_refused(checkout: Path, thing: str, name: str) -> None:
    with pytest.raises(ConfigError):
        new.new(thing, name)
