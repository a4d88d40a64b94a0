"""Device files of the operator's own: read at the start, left out when broken."""

from pathlib import Path

import structlog

from citynet.settings import Settings
from gateway import own_devices
from gateway.devices import CODECS, codecs

GOOD = """
from gateway.devices import CODECS, Codec, Layout
LAYOUT = Layout(1, ">B", {"level": 1.0})
CODECS.register("my-sensor")(Codec(LAYOUT.decode, LAYOUT.pack, ()))
"""
BROKEN = {
    "syntax": "def :",
    "import": "import nothing_of_this_name",
    "raises": GOOD.replace("my-sensor", "half") + "\n1 / 0",
    "exits": "import sys; sys.exit(3)",
    "twice": GOOD.replace("my-sensor", "lamp-lora"),
    "wrong": "from gateway.devices import CODECS; CODECS.no_such_thing",
}


def test_own_files_are_read_and_broken_ones_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "devices"
    folder.mkdir()
    for name, text in {**BROKEN, "zgood": GOOD}.items():
        (folder / f"{name}.py").write_text(text)
    before = set(codecs())
    try:
        with structlog.testing.capture_logs() as logs:
            assert own_devices.load(Settings(home=tmp_path)) == ["zgood"]
        assert set(codecs()) - before == {"my-sensor"}
        assert codecs()["my-sensor"].decode(b"\x07", 1) == {"level": 7.0}
        left_out = {Path(line["file"]).stem for line in logs if line["log_level"] == "error"}
        assert left_out == set(BROKEN)
    finally:
        CODECS.members = {name: one for name, one in CODECS.members.items() if name in before}
        codecs.cache_clear()


def test_a_folder_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert own_devices.load(Settings(home=tmp_path)) == []
