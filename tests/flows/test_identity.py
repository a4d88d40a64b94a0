"""Devices sign in as themselves: the callout on a real broker and database, theft refused, revocation at once."""

import asyncio
import queue
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from citynet import embedded
from citynet.bus import INGEST_DEAD, NatsBus
from citynet.credentials import of_devices, with_token
from citynet.db import Database
from citynet.model import Quarantined
from citynet.part import Part, close_part
from citynet.settings import Settings
from gateway.identity import app, keeper, limits
from situation_center import credentials
from tests.conftest import make_part
from tests.support.certificates import Authority
from tests.support.gateway import BIN, LAMP, collect, plant, until

BY = "person:admin"
REFUSED = "Not authorized"


@asynccontextmanager
async def identity(settings: Settings) -> AsyncIterator[Part]:
    """The sign-in service at work inside the test."""
    part = await make_part(settings, "identity", role="identity")
    work = asyncio.create_task(app.run(part))
    try:
        await until(lambda: part.active)
        yield part
        assert not work.done(), work.exception()
    finally:
        part.stopping.set()
        await asyncio.wait([work])
        await close_part(part)


@pytest.fixture
async def service(city: Settings, broker: embedded.Nats, center_db: Database) -> AsyncIterator[Part]:
    """A planted city with one sign-in service."""
    await plant(center_db)
    async with identity(city) as part:
        yield part


Tls = tuple[Path, tuple[Path, Path]]


class Device:
    """A device as it would sign in: what the broker answers, and when it ends the connection."""

    def __init__(
        self, settings: Settings, user: str | None, token: str, *, name: str | None = None, tls: Tls | None = None
    ) -> None:
        self.answers: queue.Queue[str] = queue.Queue()
        self.granted: queue.Queue[int] = queue.Queue()
        self.closed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=(user or "") if name is None else name,
            clean_session=False,
            reconnect_on_failure=False,
        )
        if tls:
            authority, own = tls
            certificate, key = own
            self.client.tls_set(str(authority), str(certificate), str(key))
        if user is not None:
            self.client.username_pw_set(user, token)
        self.client.on_connect = lambda _, __, ___, reason, ____: self.answers.put(str(reason))
        self.client.on_subscribe = lambda _, __, ___, codes, ____: self.granted.put(codes[0].value)
        self.client.on_disconnect = self._disconnected
        self.client.connect(settings.mqtt_host, settings.mqtt_port)
        self.client.loop_start()

    def _disconnected(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self.closed.set)

    async def answer(self, limit_s: float = 10) -> str:
        """The broker's word on the sign-in."""
        return await asyncio.to_thread(self.answers.get, timeout=limit_s)

    async def publish(self, topic: str) -> None:
        """Until PUBACK."""
        await asyncio.to_thread(self.client.publish(topic, b'{"values": {"level": 1}}', qos=1).wait_for_publish, 10)

    async def subscribe(self, topic: str) -> int:
        """The code of the broker's answer; 128 = refused."""
        self.client.subscribe(topic, qos=1)
        return await asyncio.to_thread(self.granted.get, timeout=10)


@contextmanager
def signing_in(
    settings: Settings, user: str | None, token: str, *, name: str | None = None, tls: Tls | None = None
) -> Iterator[Device]:
    """A device that tries to get in."""
    device = Device(settings, user, token, name=name, tls=tls)
    try:
        yield device
    finally:
        device.client.disconnect()
        device.client.loop_stop()


async def uplinks(bus: NatsBus) -> int:
    """Frames stored."""
    return (await bus.stream_state("UPLINKS"))[0]


async def test_a_device_speaks_as_itself_and_as_nobody_else(
    city: Settings, service: Part, center_db: Database, admin_bus: NatsBus
) -> None:
    token = await credentials.issue_token(center_db, LAMP, by=BY)
    with signing_in(city, LAMP, token) as lamp:
        assert await lamp.answer() == "Success"
        assert await lamp.subscribe(f"devices/{LAMP}/down/#") == 1
        await lamp.publish(f"devices/{LAMP}/up")
        assert await uplinks(admin_bus) == 1
        assert await lamp.subscribe("devices/other/down/#") == 128
        assert await lamp.subscribe("devices/+/down/#") == 128
        for topic in ("devices/other/up", f"devices/{LAMP}/anything", "up/0/other/native/up", "$SYS/x"):
            await lamp.publish(topic)
        assert await uplinks(admin_bus) == 1
        await until(lambda: service.counters["foreign_topic"] == 6)
        assert not lamp.closed.is_set()
    assert service.counters["signed_in"] == 1


@pytest.mark.parametrize(
    ("user", "given", "name", "reason"),
    [
        (LAMP, "wrong", None, "wrong_token"),
        (LAMP, "", None, "no_credential"),
        ("nobody", "right", None, "unknown_device"),
        (BIN, "right", None, "unknown_device"),
        (LAMP, "right", BIN, "foreign_client_id"),
        (LAMP, "right", f"{LAMP}-2", "foreign_client_id"),
        ("lamp-1.>", "right", LAMP, "bad_identifier"),
        (None, "", "somebody", "no_credential"),
    ],
)
async def test_whoever_is_not_the_device_is_refused_counted_and_shown(
    city: Settings, service: Part, center_db: Database, admin_bus: NatsBus, *, user: str | None, given: str,
    name: str | None, reason: str,
) -> None:  # fmt: skip
    token = await credentials.issue_token(center_db, LAMP, by=BY)
    with signing_in(city, user, token if given == "right" else given, name=name) as thief:
        assert await thief.answer() == REFUSED
    assert service.counters[reason] == 1
    assert service.counters["signed_in"] == 0
    (frame,) = await collect(admin_bus, INGEST_DEAD, 1)
    notice = msgspec.json.decode(frame.data, type=Quarantined)
    assert (notice.stage, notice.reason, notice.external_id) == ("sign_in", reason, user or "")
    assert "from 127.0.0.1" in notice.detail
    assert token.encode() not in frame.data


async def test_a_stolen_client_id_does_not_throw_the_device_out(
    city: Settings, service: Part, center_db: Database
) -> None:
    mine = await credentials.issue_token(center_db, LAMP, by=BY)
    other = await credentials.issue_token(center_db, BIN, by=BY)
    with signing_in(city, LAMP, mine) as lamp:
        assert await lamp.answer() == "Success"
        with signing_in(city, BIN, other, name=LAMP) as thief:
            assert await thief.answer() == REFUSED
        await lamp.publish(f"devices/{LAMP}/up")
        assert not lamp.closed.is_set()


async def test_a_shared_user_with_the_client_id_of_a_device_is_thrown_out(
    city: Settings, service: Part, center_db: Database
) -> None:
    await credentials.issue_token(center_db, LAMP, by=BY)
    with signing_in(city, "lorawan", city.secret("nats_lorawan"), name=LAMP) as thief:
        await asyncio.wait_for(thief.closed.wait(), 10)
    assert service.counters["foreign_client_id"] == 1


async def test_parts_and_the_field_do_not_come_by_each_others_door(city: Settings, service: Part) -> None:
    with signing_in(city, "admin", city.secret("nats_admin")) as thief:
        assert await thief.answer() == REFUSED


async def test_revoked_while_it_speaks(city: Settings, service: Part, center_db: Database) -> None:
    token = await credentials.issue_token(center_db, LAMP, by=BY)
    with signing_in(city, LAMP, token) as lamp, signing_in(city, "lorawan", city.secret("nats_lorawan")) as network:
        assert await lamp.answer() == await network.answer() == "Success"
        await credentials.revoke(center_db, LAMP, by=BY)
        await announced(city)
        await asyncio.wait_for(lamp.closed.wait(), 5)
        assert not network.closed.is_set()
    with signing_in(city, LAMP, token) as lamp:
        assert await lamp.answer() == REFUSED
    await until(lambda: service.counters["sessions_ended"] == 1)


async def announced(settings: Settings) -> None:
    """What the worker does with the outbox of a changed credential."""
    part = await make_part(settings, "worker", role="center")
    await part.bus.publish("changes.credential.all", b"[]")
    await close_part(part)


async def test_a_change_of_token_has_a_time_of_grace(city: Settings, service: Part, center_db: Database) -> None:
    old = await credentials.issue_token(center_db, LAMP, by=BY)
    new = await credentials.issue_token(center_db, LAMP, by=BY, grace=timedelta(hours=1))
    for token in (old, new):
        with signing_in(city, LAMP, token) as lamp:
            assert await lamp.answer() == "Success"
    with signing_in(city, LAMP, new) as lamp:
        assert await lamp.answer() == "Success"
        await credentials.issue_token(center_db, LAMP, by=BY, grace=timedelta(seconds=0.2))

        async def over() -> bool:
            found = with_token((await of_devices(center_db, [LAMP]))[LAMP], new)
            return found is not None and not found.usable(datetime.now(UTC))

        await until(over)
        await announced(city)
        await asyncio.wait_for(lamp.closed.wait(), 10)
    with signing_in(city, LAMP, new) as lamp:
        assert await lamp.answer() == REFUSED
    assert service.counters["credential_ended"] == 1


async def test_without_the_service_sessions_go_on_and_nobody_new_comes_in(
    city: Settings, broker: embedded.Nats, center_db: Database, admin_bus: NatsBus
) -> None:
    await plant(center_db)
    token = await credentials.issue_token(center_db, LAMP, by=BY)
    async with identity(city):
        device = Device(city, LAMP, token)
        assert await device.answer() == "Success"
    await device.publish(f"devices/{LAMP}/up")
    assert await uplinks(admin_bus) == 1
    with signing_in(city, BIN, token) as other:
        assert await other.answer() == REFUSED
    async with identity(city):
        with signing_in(city, LAMP, token) as again:
            assert await again.answer() == "Success"
    device.client.loop_stop()


async def test_two_services_share_and_one_is_enough(city: Settings, broker: embedded.Nats, center_db: Database) -> None:
    await plant(center_db)
    token = await credentials.issue_token(center_db, LAMP, by=BY)
    async with identity(city) as one:
        async with identity(city) as two:
            for _ in range(60):
                with signing_in(city, LAMP, token) as lamp:
                    assert await lamp.answer() == "Success"
                if one.counters["signed_in"] and two.counters["signed_in"]:
                    break
            assert one.counters["signed_in"]
            assert two.counters["signed_in"]
        with signing_in(city, LAMP, token) as lamp:
            assert await lamp.answer() == "Success"


async def test_while_the_database_is_away_the_known_come_in(city: Settings, service: Part, center_db: Database) -> None:
    token = await credentials.issue_token(center_db, LAMP, by=BY)
    other = await credentials.issue_token(center_db, BIN, by=BY)
    with signing_in(city, LAMP, token) as lamp:
        assert await lamp.answer() == "Success"
    await service.db.pool.close()
    with signing_in(city, LAMP, token) as lamp, signing_in(city, LAMP, "wrong") as thief:
        assert await lamp.answer() == "Success"
        assert await thief.answer() == REFUSED
    with signing_in(city, BIN, other) as unknown:
        assert await unknown.answer() == REFUSED
    assert service.counters["registry_away"] == 1


async def test_a_certificate_signs_in_its_device_and_no_other(
    city: Settings, center_db: Database, tmp_path: Path
) -> None:
    """TLS on the whole port: the broker checks the chain, the service whose certificate it is."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    certificate, key = authority.sign("broker")
    files = {"mqtt_tls_cert": str(certificate), "mqtt_tls_key": str(key), "mqtt_tls_ca": str(authority.file)}
    settings = city.model_copy(update=files)
    await plant(center_db)
    await credentials.issue_certificate(center_db, LAMP, by=BY, subject=f"CN={LAMP}")
    server = embedded.Nats(settings)
    server.start()
    try:
        async with identity(settings) as service:
            mine = (authority.file, authority.sign(LAMP))
            with signing_in(settings, None, "", name=LAMP, tls=mine) as lamp:
                assert await lamp.answer() == "Success"
                assert await lamp.subscribe(f"devices/{LAMP}/down/#") == 1
                assert await lamp.subscribe("devices/other/down/#") == 128
            with signing_in(settings, None, "", name=LAMP, tls=(authority.file, authority.sign("other"))) as other:
                assert await other.answer() == REFUSED
            assert service.counters["wrong_certificate"] == 1
            with signing_in(settings, None, "", name=LAMP, tls=(authority.file, stranger.sign("thief"))) as thief:
                await asyncio.wait_for(thief.closed.wait(), 10)
                assert thief.answers.empty()
            assert (service.counters["signed_in"], service.counters["wrong_certificate"]) == (1, 1)
    finally:
        server.stop()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that starts now slows an address soon, and for long."""
    monkeypatch.setattr(limits, "FREE", 3)
    monkeypatch.setattr(limits, "PER_S", 0.001)


async def test_a_flood_of_guesses_keeps_no_known_device_out(
    impatient: None, city: Settings, service: Part, center_db: Database
) -> None:
    token = await credentials.issue_token(center_db, LAMP, by=BY)
    other = await credentials.issue_token(center_db, BIN, by=BY)
    with signing_in(city, LAMP, token) as lamp:
        assert await lamp.answer() == "Success"
    for n in range(4):
        with signing_in(city, f"guess-{n}", "wrong") as thief:
            assert await thief.answer() == REFUSED
    with signing_in(city, LAMP, token) as lamp, signing_in(city, BIN, other) as new:
        assert await lamp.answer() == "Success"
        assert await new.answer() == REFUSED
    assert (service.counters["unknown_device"], service.counters["too_many_failures"]) == (3, 2)


async def test_two_devices_with_one_identity_are_told_of(
    city: Settings, service: Part, center_db: Database, admin_bus: NatsBus
) -> None:
    """The broker makes a client id that comes again within a second wait: so not every try is answered."""
    token = await credentials.issue_token(center_db, LAMP, by=BY)
    fighters = []
    async with asyncio.timeout(20):
        while service.counters["duplicate_client_id"] < keeper.FIGHT:
            fighters.append(Device(city, LAMP, token))
            with suppress(queue.Empty):
                await fighters[-1].answer(0.5)
    (frame,) = await collect(admin_bus, INGEST_DEAD, 1)
    notice = msgspec.json.decode(frame.data, type=Quarantined)
    assert (notice.reason, notice.external_id) == ("duplicate_client_id", LAMP)
    assert "3 connections thrown out by the next one within 10 min" in notice.detail
    for fighter in fighters:
        fighter.client.disconnect()
        fighter.client.loop_stop()
