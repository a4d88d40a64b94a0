"""Downlinks by the HTTP API of The Things Stack, against a server with its addresses, its key and its refusals."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from citynet.bus import NatsBus
from citynet.clock import wall_clock
from citynet.db import Database
from citynet.errors import ConfigError
from citynet.settings import Settings
from gateway import recalls
from gateway.things_stack.orders import apis
from tests.flows.test_gateway_chirpstack_api import remember, wanted_back
from tests.flows.test_gateway_downlink import ask, give, receipts
from tests.support import gateway as support
from tests.support.gateway import TTS_APPLICATION, TTS_LAMP, mqtt, running, until
from tests.support.things_stack import KEY, Cluster, serving

PATH = f"/api/v3/as/applications/city-bins/webhooks/citynet/devices/{TTS_LAMP}/down/push"


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with serving(Cluster()) as made:
        yield made


@pytest.fixture
async def planted(center_db: Database) -> Database:
    await support.plant(center_db)
    return center_db


def connected(city: Settings, url: str, key: str = KEY) -> Settings:
    told = {TTS_APPLICATION: {"url": url, "webhook": "citynet", "key": key}}
    return city.model_copy(update={"things_stack_api": SecretStr(msgspec.json.encode(told).decode())})


@contextlib.asynccontextmanager
async def at_work(settings: Settings) -> AsyncIterator[Any]:
    with mqtt(settings, "lorawan"):  # the broker opens its store of MQTT messages with the first session
        async with running(settings) as part:
            yield part


async def test_a_command_is_pushed_as_soon_as_the_cluster_takes_it(
    city: Settings, admin_bus: NatsBus, planted: Database, cluster: Cluster
) -> None:
    cluster.answers = [503, 429]
    command = await ask(planted, TTS_LAMP)
    async with at_work(connected(city, cluster.url)) as part:
        await give(admin_bus, command)
        await until(lambda: part.counters["things_stack_posted"] == 1)
        assert part.counters["things_stack_retries"] == 2
        assert [kind for kind, _ in await receipts(admin_bus, 2)] == ["intent", "sent"]
    assert [path for path, _ in cluster.asked] == [PATH] * 3
    downlink = cluster.asked[0][1]["downlinks"][0]
    assert f"citynet:{command.command_id}" in downlink["correlation_ids"]
    assert all(len(told) <= 100 for told in downlink["correlation_ids"])


async def test_what_the_cluster_refuses_has_failed(
    city: Settings, admin_bus: NatsBus, planted: Database, cluster: Cluster
) -> None:
    async with at_work(connected(city, cluster.url, key="other")):
        await give(admin_bus, await ask(planted, TTS_LAMP))
        kind, detail = (await receipts(admin_bus, 3))[-1]
    assert (kind, detail[:9]) == ("failed", "HTTP 403:")


async def test_after_its_deadline_nothing_is_handed_over(
    city: Settings, admin_bus: NatsBus, planted: Database, cluster: Cluster
) -> None:
    cluster.answers = [503, 503, 503]
    async with at_work(connected(city, cluster.url)):
        deadline = wall_clock().now() + timedelta(seconds=0.4)
        await give(admin_bus, await ask(planted, TTS_LAMP, deadline=deadline))
        kind, detail = (await receipts(admin_bus, 3))[-1]
    assert (kind, detail[:12]) == ("failed", "the deadline")
    assert 1 <= len(cluster.asked) < 3


async def test_applications_that_are_not_named_are_left_to_the_bridge(
    city: Settings, admin_bus: NatsBus, planted: Database, cluster: Cluster
) -> None:
    settings = connected(city, cluster.url)
    with mqtt(city, "lorawan", "bridge") as bridge:
        bridge.subscribe("v3/+/devices/+/down/push")
        async with running(settings) as part:
            other = {"application_id": "other@ttn"}
            await give(admin_bus, await ask(planted, TTS_LAMP, attributes=other))
            await give(admin_bus, await ask(planted, TTS_LAMP))
            await until(lambda: part.counters["things_stack_posted"] == 1)
        assert bridge.received()[0] == f"v3/other@ttn/devices/{TTS_LAMP}/down/push"
    assert [path for path, _ in cluster.asked] == [PATH]


@pytest.mark.parametrize("text", ["{", '{"a": {}}', '{"a": {"url": "ftp://x", "webhook": "w", "key": "k"}}'])
def test_a_setting_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ConfigError, match="CITYNET_THINGS_STACK_API"):
        apis(Settings(things_stack_api=SecretStr(text)))


def _nothing(cluster: Cluster) -> None: ...


def _with_others(cluster: Cluster) -> None:
    cluster.queue.append({"f_port": 3})


def _gone(cluster: Cluster) -> None:
    cluster.queue.clear()


def _goes_out_meanwhile(cluster: Cluster) -> None:
    state = cluster.devices[0]["mac_state"]
    cluster.on_replace = lambda: state.update(last_downlink_at="2026-11-29T06:00:01Z")


def _keeps_its_state(cluster: Cluster) -> None:
    cluster.devices.clear()


RECALLS = [
    (_nothing, ("withdrawn", "flushed")), (_with_others, ("kept", "others")), (_gone, ("kept", "gone")),
    (_goes_out_meanwhile, ("kept", "spoke")), (_keeps_its_state, ("kept", "HTTP 404")),
]  # fmt: skip


@pytest.mark.parametrize(("happens", "told"), RECALLS, ids=[one[0].__name__.strip("_") for one in RECALLS])
async def test_a_command_is_taken_back_only_with_proof(
    city: Settings, admin_bus: NatsBus, planted: Database, cluster: Cluster, happens: Any, told: tuple[str, str]
) -> None:
    command = await ask(planted, TTS_LAMP)
    state = {"last_downlink_at": "2026-11-29T06:00:00Z"}
    cluster.devices.append({"ids": {"device_id": TTS_LAMP}, "mac_state": state})
    cluster.queue.append({"f_port": 21, "correlation_ids": ["as:1", f"citynet:{command.command_id}"]})
    happens(cluster)
    await remember(city, command, "sent")
    await wanted_back(planted, command)
    async with at_work(connected(city, cluster.url)):
        ((kind, detail),) = await receipts(admin_bus, 1)
    assert (kind, detail[: len(told[1])]) == told
    assert bool(cluster.queue) == (told[1] in ("others", "HTTP 404"))


async def test_a_cluster_that_is_busy_is_asked_again(
    city: Settings, admin_bus: NatsBus, planted: Database, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recalls, "LOOK_S", 0.1)
    command = await ask(planted, TTS_LAMP)
    cluster.devices.append({"ids": {"device_id": TTS_LAMP}})
    cluster.queue.append({"correlation_ids": [f"citynet:{command.command_id}"]})
    cluster.answers = [503, 429]
    await remember(city, command, "sent")
    await wanted_back(planted, command)
    async with at_work(connected(city, cluster.url)):
        assert await receipts(admin_bus, 1) == [("withdrawn", "flushed")]
    assert cluster.queue == []
