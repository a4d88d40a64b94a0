"""Commands of the check through the REST API, as a dispatcher's program would send them."""

import subprocess
import sys
from dataclasses import dataclass

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


async def send(url: str, key: str, orders: list[Order]) -> list[str]:
    """Posts the commands; the ids given. Raises Unavailable with the server's words."""
    ids: list[str] = []
    async with httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=20) as client:
        for order in orders:
            body = {
                "object": order.key,
                "action": order.action,
                "args": order.args,
                "idempotency_key": f"check-{order.key}-{order.action}",
                "confirmed": True,
            }
            answer = await client.post("/api/v1/commands", json=body)
            if answer.status_code >= 300:
                raise Unavailable(f"command {order.action} {order.key}: {answer.status_code} {answer.text[:200]}")
            ids += [str(item) for item in answer.json()["commands"]]
    return ids
