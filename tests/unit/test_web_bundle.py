"""The JavaScript of the map: its own tests, and a bundle that is there and needs no other host."""

import re
import subprocess

import pytest

from tools import setup

OTHER_HOST = re.compile(r"""(?:fetch|import|src=|url)\s*\(?["']https?://(?!localhost|127\.)""")


def test_units_of_the_bundle() -> None:
    folder, _ = setup.node(setup.environment())
    files = sorted(str(file) for file in (setup.WEB / "test").glob("*.test.js"))
    command = [f"{folder}/node", "--test", *files]
    done = subprocess.run(command, cwd=setup.WEB, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("name", ["citymap.mjs", "citymap.css", "maplibre-gl-worker.mjs", "noto-sans.css"])
def test_bundle_is_built_and_asks_no_other_host(name: str) -> None:
    text = (setup.BUNDLE / name).read_text()
    assert text
    assert not OTHER_HOST.findall(text)
