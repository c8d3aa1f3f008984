"""Addresses and networks. Imports no app: whoever only starts a server needs it too."""

import ipaddress
import re
from collections.abc import Sequence
from typing import NamedTuple

from geo_grid.errors import BadRequest, UserError

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network
type Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_loopback(host: str) -> bool:
    """Say whether a host to serve on is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_networks(text: str) -> Sequence[Network]:
    """Read addresses and networks, separated by commas. Raises UserError."""
    try:
        if "%" in text:
            message = "an address with a zone means something on one machine only"
            raise ValueError(message)
        return [ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]
    except ValueError as error:
        message = f"GEO_GRID_TRUSTED_PROXIES: {error}"
        raise UserError(message) from None


def read_address(text: str) -> Address:
    """Read an address in the one form it has for us: without a zone, IPv4 also where it is written as IPv6.

    Raises
    ------
    ValueError
        It is none, or has a zone, which means something on one machine only.
    """
    found = ipaddress.ip_address(text)
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id is not None:
            message = f"{text!r} has a zone"
            raise ValueError(message)
        return found.ipv4_mapped or found
    return found


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Say whether the other end of a connection is in one of these networks; one without an address is not."""
    return bool(address) and any(_peer(address) in network for network in networks)


class Sender(NamedTuple):
    """Who sends a request: an address (empty: a Unix socket), and through how many proxies that are trusted."""

    address: str
    proxies: int


def sender(peer: str, told: Sequence[str], proxies: Sequence[Network]) -> Sender:
    """Find out who sends a request.

    Parameters
    ----------
    peer
        The other end of the connection.
    told
        The lines X-Forwarded-For, in their order. They count from a trusted proxy only, from the last hop back to
        the first that is none of ours. A hop may be told with its port.

    Raises
    ------
    BadRequest
        What a trusted proxy tells is no address.
    """
    if not peer:
        return Sender("", 0)
    address, passed = _peer(peer), 0
    hops = [part.strip() for part in ",".join(told).split(",") if part.strip()]
    while any(address in network for network in proxies):
        passed += 1
        if passed > len(hops):
            break
        try:
            address = read_address(_without_port(hops[-passed]))
        except ValueError:
            message = "X-Forwarded-For holds something that is no IP address (zones are not taken)"
            raise BadRequest(message) from None
    return Sender(str(address), passed)


def scheme_of(told: Sequence[str], proxies: int) -> str | None:
    """Return how the client reached the outermost trusted proxy, by the lines X-Forwarded-Proto; None: nobody says.

    Each proxy of a chain adds what it was reached by, or says it alone. What stands before is the client's own word.
    """
    schemes = [part.strip().lower() for part in ",".join(told).split(",") if part.strip()]
    return schemes[-min(proxies, len(schemes))] if schemes and proxies else None


_WITH_PORT = re.compile(r"(?:([0-9.]+)|\[([0-9a-fA-F:.]+)\])(?::[0-9]{1,5})?")


def _without_port(hop: str) -> str:
    """Take off the port that some proxies add, and the brackets of IPv6 that it needs."""
    found = _WITH_PORT.fullmatch(hop)
    return (found[1] or found[2]) if found else hop


def neighbourhood(address: str) -> str:
    """Return what one sender can choose their addresses from, to count by: of IPv6 that is a network of 64 bits."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


def _peer(address: str) -> Address:
    return read_address(address.partition("%")[0])  # its zone is this machine's own, and nobody's word
