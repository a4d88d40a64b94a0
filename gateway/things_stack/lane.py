"""Downlinks to The Things Stack by its HTTP API, for applications that are connected by webhook; a lane of app.py.

They are taken where MQTT sessions at QoS 1 would get them, so the road up to there is the same as with a bridge."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import quote
from uuid import UUID

import httpx
import msgspec
import structlog

from citynet import __version__
from citynet.bus import Consumer, Frame, Puller, held
from citynet.errors import Unavailable
from citynet.model import Receipt
from citynet.part import Part
from gateway.quarantine import clean
from gateway.things_stack.orders import Api, marked
from gateway.uplink import FETCH_WAIT_S
from gateway.wire import device_id

log = structlog.get_logger()
DOWNLINKS = Consumer("$MQTT_msgs", "gateway-things-stack-api", "$MQTT.msgs.v3.*.devices.*.down.*")
BATCH, TIMEOUT_S, TRIES, PAUSE_S = 64, 10.0, 3, 0.5
# Worth trying again; every other refusal is for good.
BUSY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


@dataclass
class ThingsStackLane:
    """Posts downlinks. What a cluster does not take now comes again; what it refuses is a failed command."""

    part: Part
    apis: dict[str, Api]
    _puller: Puller | None = None

    async def open(self) -> None:
        """Ask for downlinks before the first command goes out: the broker keeps only what somebody has asked for."""
        if not self.apis:
            # Or the broker would keep them for the days when there was one.
            stream, durable = DOWNLINKS.stream, DOWNLINKS.durable
            await self.part.bus.request(f"$JS.API.CONSUMER.DELETE.{stream}.{durable}", b"", timeout_s=5)
            return
        with suppress(Unavailable):
            self._puller = await self.part.bus.puller(DOWNLINKS)

    async def run(self) -> None:
        """Work until the part stops. Raises Unavailable when the broker is away."""
        if not self.apis:
            return
        puller = await self._opened()
        async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False) as client:
            while puller and not self.part.stopping.is_set():
                frames = await puller.fetch(BATCH, FETCH_WAIT_S)
                if not frames:
                    continue
                async with held(puller, frames):
                    groups: dict[str, list[Frame]] = {}
                    for frame in frames:
                        groups.setdefault(frame.subject.rpartition(".down.")[0], []).append(frame)
                    await asyncio.gather(*(self._device(client, puller, group) for group in groups.values()))

    async def _opened(self) -> Puller | None:
        """The broker opens its store of MQTT messages with the first MQTT session of its life, and not before."""
        while self._puller is None and not self.part.stopping.is_set():
            await asyncio.sleep(PAUSE_S)
            await self.open()
        return self._puller

    async def _device(self, client: httpx.AsyncClient, puller: Puller, frames: list[Frame]) -> None:
        """Downlinks of one device in their order; the ones behind a failure wait for the next delivery with it."""
        for frame in frames:
            application = device_id(frame.subject.split(".")[3])
            if application in self.apis and not await self._settled(client, frame, self.apis[application]):
                return
            await puller.ack([frame])

    async def _settled(self, client: httpx.AsyncClient, frame: Frame, api: Api) -> bool:
        """Whether nothing more is to be done for this downlink."""
        command, deadline = marked(frame.data)
        for attempt in range(TRIES):
            if deadline is not None and datetime.now(UTC) > deadline:
                await self._failed(command, "the deadline passed before the network server took it")
                return True
            status, text = await self._post(client, frame, api)
            if 200 <= status < 300:
                self.part.counters["things_stack_posted"] += 1
                return True
            if 300 <= status < 500 and status not in BUSY:
                await self._failed(command, f"HTTP {status}: {text}")
                return True
            self.part.counters["things_stack_retries"] += 1
            log.warning("The Things Stack does not take a downlink", status=status, text=text, attempt=attempt + 1)
            await asyncio.sleep(PAUSE_S)
        return False

    async def _post(self, client: httpx.AsyncClient, frame: Frame, api: Api) -> tuple[int, str]:
        """Status and first words of the answer; 0 when there was none."""
        _, _, _, application, _, device, _, way = frame.subject.split(".")
        name = quote(device_id(application).partition("@")[0], safe="")
        place = (
            f"applications/{name}/webhooks/{quote(api.webhook, safe='')}/devices/{quote(device_id(device), safe='')}"
        )
        headers = {
            "Authorization": f"Bearer {api.key}",
            "Content-Type": "application/json",
            "User-Agent": f"citynet/{__version__}",
        }
        url = f"{api.url.rstrip('/')}/api/v3/as/{place}/down/{way}"
        try:
            answer = await client.post(url, content=frame.data, headers=headers)
        except httpx.HTTPError as error:
            return 0, type(error).__name__
        return answer.status_code, answer.text[:120]

    async def _failed(self, command: UUID | None, detail: str) -> None:
        self.part.counters["things_stack_failed"] += 1
        if command is None:
            return
        receipt = Receipt(command_id=command, kind="failed", time=self.part.clock.now(), detail=clean(detail))
        body = msgspec.json.encode(receipt)
        await self.part.bus.publish(f"receipts.{command}", body, msg_id=f"{command}-failed")
