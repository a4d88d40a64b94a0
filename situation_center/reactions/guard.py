"""Keeps outgoing requests away from our own machines: every resolved address is checked before one is called."""

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from citynet.errors import CitynetError

URL_CHARS_MAX = 2_000


class Refused(CitynetError):
    """This address must not be called."""


async def checked_address(url: str, *, allow_private: bool) -> str:
    """An IP address of the URL's host, after all of them were found public. Raises Refused, OSError."""
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Refused("the port is not a number from 1 to 65535") from error
    if len(url) > URL_CHARS_MAX or not parts.hostname or parts.username is not None:
        raise Refused("a webhook is an https address with a host and without a password in it")
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        raise Refused("a webhook must be https")
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise Refused(f"{parts.hostname} has no address") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not allow_private:
        for address in addresses:
            if not public(address):
                raise Refused(f"{parts.hostname} leads to {address}, which is not a public address")
    return addresses[0]


def public(address: str) -> bool:
    """Whether an address is on the open internet; addresses wrapped in IPv6 are judged by what they wrap."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inside = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inside is not None:
            return public(str(inside))
        if found in ipaddress.ip_network("64:ff9b::/96"):
            return public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    return found.is_global and not found.is_multicast
