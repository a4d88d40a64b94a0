"""Commands of the check through the REST API, as a dispatcher's program would send them."""

import base64
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import httpx

from citynet.errors import Unavailable
from citynet.settings import Settings
from citynet.supervisor import environment


@dataclass(frozen=True, slots=True)
class Order:
    """One command; works = the device has power and hears it."""

    key: str
    action: str
    args: dict[str, float]
    works: bool = True


def api_key(settings: Settings, login: str = "admin") -> str:
    """A new API key, made as an administrator of the machine makes it. Raises Unavailable."""
    words = [sys.executable, "-m", "citynet.cli", "account"]
    env = environment(settings)
    subprocess.run([*words, "link", login, "--create"], env=env, capture_output=True, check=False)
    done = subprocess.run(
        [*words, "key", login, "--label", "demo-check"], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Unavailable(f"no API key: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip().splitlines()[-1]


def _client(url: str, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"{url}/api/v1", headers={"authorization": f"Bearer {key}"}, timeout=20)


async def _post(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> httpx.Response:
    try:
        return await client.post(path, json=body)
    except httpx.HTTPError as error:
        raise Unavailable(f"the web part does not answer: {type(error).__name__}") from error


async def add_webhook(url: str, key: str, target: str) -> bytes:
    """Registers a receiver for all services; the secret of its signatures. Raises Unavailable."""
    async with _client(url, key) as client:
        answer = await _post(client, "/webhooks", {"url": target})
    if answer.status_code >= 300:
        raise Unavailable(f"webhook: {answer.status_code} {answer.text[:200]}")
    return base64.b64decode(str(answer.json()["secret"]).removeprefix("whsec_"))


async def send(url: str, key: str, orders: list[Order]) -> list[str]:
    """Posts the commands; the ids given. Raises Unavailable with the server's words after the last one."""
    ids: list[str] = []
    refused: list[str] = []
    async with _client(url, key) as client:
        for order in orders:
            body = {
                "object": order.key,
                "action": order.action,
                "args": order.args,
                "idempotency_key": f"check-{order.key}-{order.action}",
                "confirmed": True,
            }
            answer = await _post(client, "/commands", body)
            if answer.status_code >= 300:
                refused.append(f"{order.action} {order.key}: {answer.status_code} {answer.text[:200]}")
            else:
                ids += [str(item) for item in answer.json()["commands"]]
    if refused:
        raise Unavailable(f"{len(refused)} commands refused, first: {refused[0]}")
    return ids
