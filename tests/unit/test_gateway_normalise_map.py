"""The map that outputs of a device propose: what the gateway then reads is what the proposer said."""

import json
import tomllib
from typing import Any

import pytest
from typer.testing import CliRunner

from citynet.catalog import Profile
from gateway.codecs.commands import app
from gateway.normalise import normalise
from gateway.sync.maps import sector_of
from tests.support.gateway import chirpstack
from tests.unit.test_gateway_mapping import EUI, decoder, road

OUTPUTS: list[dict[str, Any]] = [
    {"TempC_SHT": 21.5, "BatV": 3.05, "energyWh": 1234, "pm2_5": 7, "door": "open", "leak": False},
    {"TempC_SHT": "-3.5", "BatV": 3.0, "energyWh": 1300, "door": "closed", "alarm_threshold": 5},
    {"tempF": 77, "deep": {"list": [{"name": "humidity", "value": 44.5, "unit": "%"}, {"co2_ppm": 612}]}},
]


def written(outputs: list[Any]) -> str:
    lines = "\n".join(json.dumps(output) for output in outputs)
    result = CliRunner().invoke(app, ["normalise", "-", "--map"], input=lines)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_gateway_reads_what_was_proposed(output: dict[str, Any]) -> None:
    maps = tomllib.loads(written([output]))["profile"]["map"]
    rows, reasons, _ = road(
        decoder(maps, protocol="chirpstack"), chirpstack({"fPort": 1, "object": output}, device=EUI)
    )
    places = list(dict.fromkeys((m["quantity"], m.get("channel", "")) for m in maps.values()))
    told = {(one["quantity"], one["channel"]): one["value"] for one in normalise(output)}
    assert {places[series - 1]: value for series, value in rows} == told
    assert reasons == []


def test_outputs_of_one_device_give_one_map() -> None:
    maps = tomllib.loads(written(OUTPUTS[:2]))["profile"]["map"]
    assert maps["door"] == {"quantity": "door_open", "codes": {"open": 1, "closed": 0}}
    assert maps["energyWh"] == {"quantity": "energy_active", "unit": "W.h"}
    assert "alarm_threshold" not in maps


def test_where_outputs_disagree_a_person_decides() -> None:
    text = written([{"battery": 3.6}, {"battery": 87}])
    assert tomllib.loads(text) == {}
    assert "# battery: the outputs disagree" in text


def test_a_unit_is_decided_by_all_numbers_of_a_path() -> None:
    maps = tomllib.loads(written([{"energy": 12}, {"energy": 12.5}, {"energy": 1300}]))["profile"]["map"]
    assert maps["energy"] == {"quantity": "energy_active"}


def test_an_opposite_word_inverts() -> None:
    maps = tomllib.loads(written([{"closed": 1, "vacant": "yes"}]))["profile"]["map"]
    assert maps == {
        "closed": {"quantity": "door_open", "invert": True},
        "vacant": {"quantity": "occupancy", "codes": {"yes": 0}},
    }


def test_a_guess_is_marked_and_can_be_left_out() -> None:
    text = written([{"distance": 120}])
    assert tomllib.loads(text)["profile"]["map"]["distance"] == {"quantity": "distance", "unit": "mm"}
    assert "# guessed" in text
    sure = CliRunner().invoke(app, ["normalise", "-", "--map", "--sure"], input='{"distance": 120}')
    assert (sure.exit_code, sure.output) == (0, "")


@pytest.mark.parametrize(("cls", "sector"), [("heat_meter", "heat"), ("lamp", "lighting"), ("sensor", "")])
def test_a_synchronised_profile_has_the_sector_of_its_class(cls: str, sector: str) -> None:
    profile = Profile.model_validate({"name": "chirpstack-x", "class": cls, "map": {}})
    assert sector_of(profile) == sector
