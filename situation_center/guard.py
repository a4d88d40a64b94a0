"""Keeps outgoing requests away from our own machines: every resolved address is checked before one is called."""

import asyncio
import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from citynet.errors import CitynetError
from citynet.settings import Network, networks

URL_CHARS_MAX = 2_000
EVERYWHERE = networks("0.0.0.0/0, ::/0")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(CitynetError):
    """This address must not be called."""


async def checked_address(url: str, *, http: bool = False, inside: tuple[Network, ...] = ()) -> str:
    """An IP address of the URL's host; each of them must be public or in a network of `inside`. Raises Refused."""
    host, port = _target(url, http=http)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise Refused(f"{host} has no address") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not public(address) and not _within(address, inside):
            raise Refused(f"{host} leads to {address}, which is not a public address")
    return addresses[0]


def _target(url: str, *, http: bool) -> tuple[str, int]:
    """Host and port of an address of the allowed form."""
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Refused("the port is not a number from 1 to 65535") from error
    if len(url) > URL_CHARS_MAX or not parts.hostname or parts.username is not None:
        raise Refused("an address names a host, and no user or password")
    if parts.scheme != "https" and not (http and parts.scheme == "http"):
        raise Refused("an address must be https")
    return parts.hostname, port


def public(address: str) -> bool:
    """Whether an address is on the open internet; addresses wrapped in IPv6 are judged by what they wrap."""
    found = _unwrapped(address)
    return found.is_global and not found.is_multicast


def _within(address: str, inside: tuple[Network, ...]) -> bool:
    return any(_unwrapped(address) in network for network in inside)


def _unwrapped(address: str) -> Address:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inside = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inside is not None:
            return inside
        if found in ipaddress.ip_network("64:ff9b::/96"):
            return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found
