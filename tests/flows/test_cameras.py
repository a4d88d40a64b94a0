"""Pictures of cameras: asked once for many, told in clear words, never from where they must not come."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI
from pydantic import ValidationError
from structlog.testing import capture_logs

from citynet.catalog import catalog
from citynet.errors import BadInput
from citynet.model import Proposal, ProposalRequest
from citynet.settings import Settings
from situation_center import api, cameras, desk, registry_write
from situation_center.live import Hub
from situation_center.reference import kinds
from tests.flows.center import person, quiet_center, town_of
from tests.flows.test_center_api import Client
from tests.support.camera import JPEG, PASSWORD, PNG, USER, WEBP, Camera, camera

GOOD = {"/png": ("image/png", PNG), "/jpeg": ("image/jpeg", JPEG), "/webp": ("image/webp", WEBP)}
BAD = {
    "/svg": "image", "/html": "image", "/empty": "image", "/stream": "image", "/broken": "answer",
    "/redirect": "answer", "/big": "size", "/endless": "size", "/silent": "away",
    "/basic": "sign_in", "/digest": "sign_in",
}  # fmt: skip
SECRETS = {"/basic": "gate", "/digest": "gate", "/strange": "gate", "/stolen": "../nats_center", "/none": "nowhere"}


@pytest.fixture
def lens() -> Iterator[Camera]:
    with camera() as server:
        yield server


@pytest.fixture
async def client(city: Settings, lens: Camera) -> AsyncIterator[Client]:
    more = {"camera_networks": "127.0.0.0/8", "camera_timeout_s": 1.5, "camera_bytes": 20_000}
    settings = city.model_copy(update=more)
    async with quiet_center(settings) as center, town_of(center) as town:
        app = FastAPI(openapi_url=None)
        api.install(app)
        place = desk.Desk(settings, center, Hub(center.bus))
        desk.open_desk(place)
        await registry_write.apply(center, ProposalRequest("test", list(objects(lens))), catalog())
        yield Client(town, app)
        await place.album.close()
        desk.open_desk(None)


def objects(lens: Camera) -> Iterator[Proposal]:
    for path in (*GOOD, *BAD):
        yield named(f"camera{path}", {"snapshot": lens.url(path)})
    for path, secret in SECRETS.items():
        yield named(f"camera/secret{path}", {"snapshot": lens.url(path), "snapshot_secret": secret})
    yield named("camera/blind", {"link": "rtsp://camera.example/1"})
    yield named("camera/meta", {"snapshot": "http://169.254.169.254/latest/meta-data"})


def named(key: str, attributes: dict[str, str]) -> Proposal:
    return Proposal(key=key, cls="camera", name_ru="Камера", name_en="Camera", service="waste", attributes=attributes)


async def seen(http: httpx.AsyncClient, key: str) -> httpx.Response:
    return await http.get(f"/objects/{key}/snapshot")


async def test_pictures_and_why_there_are_none(client: Client, lens: Camera) -> None:
    async with client.http(await client.key(await person(client.town.center, "ivan", "operator"))) as http:
        for path, (kind, data) in GOOD.items():
            answer = await seen(http, f"camera{path}")
            assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, kind, data)
            assert "sandbox" in answer.headers["content-security-policy"]
            assert answer.headers["last-modified"].endswith("GMT")
        found = dict(zip(BAD, await asyncio.gather(*(seen(http, f"camera{path}") for path in BAD)), strict=True))
        assert {path: answer.json()["type"].rpartition(":")[2] for path, answer in found.items()} == BAD
        assert {answer.status_code for answer in found.values()} == {502}
        assert lens.hits["/png"] == 1  # nobody followed the redirect
        assert (await seen(http, "camera/meta")).json()["type"].endswith(":refused")
        assert (await seen(http, "camera/blind")).status_code == 404


async def test_ten_people_ask_a_camera_once(client: Client, lens: Camera) -> None:
    async with client.http(await client.key(await person(client.town.center, "ivan", "operator"))) as http:
        for key, status in (("/png", 200), ("/silent", 502)):
            answers = await asyncio.gather(*(seen(http, f"camera{key}") for _ in range(10)))
            assert {answer.status_code for answer in answers} == {status}
            await seen(http, f"camera{key}")
            assert lens.hits[key] == 1
        desk.desk().album.keep_s = 0
        assert (await seen(http, "camera/png")).status_code == 200
        assert lens.hits["/png"] == 2


async def test_passwords_come_from_secrets_and_stay_there(
    client: Client, lens: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITYNET_SECRET_CAMERA_GATE", f"{USER}:{PASSWORD}")
    async with client.http(await client.key(await person(client.town.center, "ivan", "operator"))) as http:
        with capture_logs() as logs:
            answers = {path: await seen(http, f"camera/secret{path}") for path in SECRETS}
        words = {p: a.json()["type"].rpartition(":")[2] if a.status_code != 200 else "" for p, a in answers.items()}
        assert words == {"/basic": "", "/digest": "", "/strange": "sign_in", "/stolen": "secret", "/none": "secret"}
        assert not {"/stolen", "/none"} & set(lens.hits)
        assert [told.partition(" ")[0] for told in lens.told] == ["Basic", "Digest"]
        said = str(logs) + "".join(f"{a.headers}{a.content!r}" for a in answers.values())
        assert PASSWORD not in said
        assert "camera gave no picture" in said


async def test_who_may_look(client: Client, lens: Camera) -> None:
    center = client.town.center
    people = [
        ("anna", "executive", (), 403),
        ("petr", "brigade", (), 403),
        ("oleg", "utility_dispatcher", ("water",), 404),
    ]
    for login, role, services, status in people:
        async with client.http(await client.key(await person(center, login, role, services=services))) as http:
            assert (await seen(http, "camera/png")).status_code == status
    assert not lens.hits


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "192.168.1.1", "172.16.0.1",
     "100.64.0.1", "169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "2130706433"],
)  # fmt: skip
async def test_no_machine_of_our_own_is_asked(lens: Camera, host: str) -> None:
    limits = cameras.Limits(1.0, 20_000, (), ssl.create_default_context())
    with pytest.raises(cameras.NoPicture) as told:
        await cameras.ask(cameras.Request(f"http://{host}:{lens.server_port}/png"), limits)
    assert told.value.reason == "refused"
    assert not lens.hits


async def test_what_an_address_may_be(client: Client) -> None:
    center = client.town.center
    for url in (
        "rtsp://camera.example/1",
        "http://viewer:word@camera.example/",
        "/etc/passwd",
        "http://[",
        "https:///x",
    ):
        wrong = ProposalRequest("test", [named("camera/wrong", {"snapshot": url})])
        with pytest.raises(BadInput, match="no image"):
            await registry_write.apply(center, wrong, catalog())
    admin = await person(center, "root", "administrator")
    body = {"title_ru": "киоск", "title_en": "kiosk"}
    picture = {"name": "view", "title_ru": "Вид", "title_en": "View"}
    for kind in ("link", "image"):
        await kinds.save(center, admin, "kiosk", body=body | {"attribute": [picture | {"type": kind}]})
    with pytest.raises(BadInput, match="cannot become"):
        await kinds.save(center, admin, "kiosk", body=body | {"attribute": [picture | {"type": "link"}]})
    with pytest.raises(ValidationError):
        Settings(camera_networks="10.0.0.1/8")
