"""Recordings: shipped mappings against the real files, time zones, units, rebasing, recorded messages."""

import json
from datetime import UTC, datetime
from importlib.metadata import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from citynet.errors import ConfigError
from simulators import tracks
from simulators.replay import read_messages, rows, shift_times

DATA = Path(__file__).parents[3] / "shared" / "data"
RECORDINGS = {
    "series/heat_denmark_hourly_registers.csv.gz": (1, 13128),
    "series/air_valencia_hourly.csv.gz": (1, 26304),
    "series/water_flow_hourly.csv": (1, 1268),
    "series/electricity_victoria_30min.csv.gz": (1, 52608),
    "waste-bins-wyndham/bins_2021-08-21T18-09.csv": (19, 1),
}


def water_flow() -> Path:
    return Path(str(next(f for f in files("river") or [] if f.name == "water-flow.csv").locate()))


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize("chirpstack", [False, True])
def test_real_recordings(name: str, chirpstack: bool) -> None:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the data set {name} is not here")
    found = tracks.read_tracks(path, tracks.mapping_for(path, None), chirpstack=chirpstack)
    devices, length = RECORDINGS[name]
    assert len(found) == devices
    assert all(len(track.times) == length for track in found)
    assert all((np.diff(track.times) > 0).all() for track in found)
    assert len({track.proposal.key for track in found}) == devices


def test_the_installed_water_flow_in_cubic_metres() -> None:
    [track] = tracks.read_tracks(water_flow(), tracks.mapping_for(water_flow(), None))
    assert track.values["flow"][0] == pytest.approx(100.59 * 3.6)
    assert datetime.fromtimestamp(int(track.times[0]), UTC) == datetime(2022, 3, 20, 10, 0, tzinfo=UTC)


def test_rebase_keeps_weekday_and_hour() -> None:
    now = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
    found = tracks.read_tracks(water_flow(), tracks.mapping_for(water_flow(), None))
    [moved] = tracks.rebase(found, now, 28 * 86400)
    behind = now.timestamp() - moved.times[0]
    assert 28 * 86400 <= behind < 35 * 86400
    assert (moved.times[0] - found[0].times[0]) % tracks.WEEK_S == 0
    assert len(moved.since(now.timestamp()).times) < len(moved.times)


def mapping_text(**changes: str) -> str:
    lines = {
        "name_ru": '"а"', "name_en": '"a"', "class": '"flow_meter"', "service": '"water"', "profile": '"branch-flow"',
        "id": '"x"', "time": '"t"', "timezone": '"Europe/Berlin"',
    } | changes  # fmt: skip
    head = "\n".join(f"{key} = {value}" for key, value in lines.items() if value)
    return head + '\n[place]\nlon = 37.7\nlat = 44.7\n[columns.v]\nkey = "flow"\nunit = "m3/h"\n'


def test_local_times_without_zone_across_summer_time(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(mapping_text())
    frame = pd.DataFrame({"t": ["2022-03-27 01:00:00", "2022-03-27 02:30:00", "2022-03-27 03:00:00"], "v": [1, 2, 3]})
    frame.to_parquet(tmp_path / "r.parquet")
    [track] = tracks.read_tracks(tmp_path / "r.parquet", tracks.read_mapping(tmp_path / "m.toml"))
    assert list(np.diff(track.times)) == [3600]  # 02:30 did not exist that night
    assert list(track.values["flow"]) == [1, 3]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"profile": '"no-such"'}, "no profile"),
        ({"profile": '"valve"'}, "no payload key 'flow'"),
        ({"time": ""}, "time"),
        ({"colour": '"red"'}, "colour"),
    ],
)
def test_a_bad_mapping_is_refused_by_name(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    (tmp_path / "m.toml").write_text(mapping_text(**changes))
    with pytest.raises(ConfigError, match=words):
        tracks.read_mapping(tmp_path / "m.toml")


def test_a_wrong_unit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(mapping_text().replace("m3/h", "L/s"))
    with pytest.raises(ConfigError, match="water_flow is in 'm3/h'"):
        tracks.read_mapping(tmp_path / "m.toml")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(mapping_text())
    (tmp_path / "r.csv").write_text("t,w\n2022-01-01T00:00:00Z,1\n")
    with pytest.raises(ConfigError, match="no column 'v'"):
        tracks.read_tracks(tmp_path / "r.csv", tracks.read_mapping(tmp_path / "m.toml"))


def test_empty_cells_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(mapping_text())
    (tmp_path / "r.csv").write_text("t,v\n2022-01-01T00:00:00Z,1\n2022-01-01T01:00:00Z,\n2022-01-01T01:00:00Z,\n")
    [track] = tracks.read_tracks(tmp_path / "r.csv", tracks.read_mapping(tmp_path / "m.toml"))
    assert [row.values for row in rows(track)] == [{"flow": 1.0}]


def test_recorded_messages(tmp_path: Path) -> None:
    path = tmp_path / "m.ndjson"
    lines = [
        {"time": "2026-01-01T00:00:10Z", "topic": "devices/a/up", "payload": {"time": 1767225610, "values": {"v": 1}}},
        {"time": 1767225600, "topic": "devices/b/up", "payload_b64": "AAEC"},
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    first, second = read_messages(path)
    assert (first.topic, first.payload) == ("devices/b/up", b"\x00\x01\x02")
    assert json.loads(shift_times(second.payload, 60.0))["time"] == 1767225670
    path.write_text('{"time": 1}\n')
    with pytest.raises(ConfigError, match="line 1"):
        read_messages(path)


def test_times_inside_an_event_move_with_their_nanoseconds() -> None:
    event = (
        b'{"time":"2026-01-01T00:00:00.123456789+00:00","rxInfo":[{"nsTime":"2026-01-01T00:00:01Z"}],"object":{"t":5}}'
    )
    moved = json.loads(shift_times(event, 86400))
    assert moved["time"] == "2026-01-02T00:00:00.123456789Z"
    assert moved["rxInfo"][0]["nsTime"].startswith("2026-01-02T00:00:01")
    assert moved["object"] == {"t": 5}
    assert shift_times(b"not json", 5) == b"not json"
