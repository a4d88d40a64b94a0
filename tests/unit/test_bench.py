"""The frame of the benchmarks, and that our load and the reference say the same rows."""

from datetime import UTC, datetime
from functools import partial

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from bench import reference
from bench.commands import app
from bench.frame import Report, in_turn, medians, spread
from ingest.table import microseconds
from simulators.load import fleet, length_bytes

START = datetime(2026, 3, 2, 12, 0, 0, 4000, tzinfo=UTC)


def test_competitors_take_turns_and_the_order_turns_round() -> None:
    order: list[str] = []

    def turn(name: str) -> float:
        order.append(name)
        return len(order)

    found = in_turn({name: partial(turn, name) for name in "abc"}, rounds=2)
    assert "".join(order) == "abccba"
    assert medians(found) == {"a": 3.5, "b": 3.5, "c": 3.5}
    assert spread(found["a"]) == pytest.approx(5 / 3.5)


def test_a_report_is_json_with_the_machine_among_its_conditions() -> None:
    report = msgspec.json.decode(Report({"over_x": 1.23456}, {"rows_s": 123456.0}, {"rounds": 5}).json())
    assert report["ratios"] == {"over_x": 1.235}
    assert report["figures"] == {"rows_s": 123500.0}
    assert {"cores", "cpu", "python", "rounds"} <= report["conditions"].keys()


def test_the_command_names_its_benchmarks() -> None:
    assert "ingest" in CliRunner().invoke(app, ["--list"]).output.split()
    unknown = CliRunner().invoke(app, ["nothing", "--quick"])
    assert unknown.exit_code == 2
    assert "ingest" in unknown.output


@pytest.mark.parametrize(("moments", "keys"), [(1, ("a",)), (3, ("a", "b"))])
def test_the_reference_has_the_rows_of_the_load(moments: int, keys: tuple[str, ...]) -> None:
    series = {"d0": [11, 12], "d1": [21, 22], "d2": [31, 32]}
    said = []
    for number, message in enumerate(fleet(list(series), messages=6, moments=moments, keys=keys, start=START)):
        device = f"d{number % 3}"
        assert message.head.endswith(f"devices/{device}/up".encode())
        body = msgspec.json.decode(message.payload)
        for moment in body if isinstance(body, list) else [body]:
            for key, value in moment["values"].items():
                said.append((series[device][keys.index(key)], round(moment["time"] * 1e6), value))
    numbers = [found[: len(keys)] for found in series.values()]
    rows = reference.as_rows(numbers, messages=6, moments=moments, start_us=microseconds(START))
    assert list(zip(rows.series.tolist(), rows.time.tolist(), rows.value.tolist(), strict=True)) == said
    assert len(np.unique(rows.time)) == 2 * moments


@pytest.mark.parametrize(
    ("length", "wire"), [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (16_384, b"\x80\x80\x01")]
)
def test_lengths_are_written_as_mqtt_does(length: int, wire: bytes) -> None:
    assert length_bytes(length) == wire
