"""IP addresses and networks. Does not import the app, since starting a server needs it too."""

import functools
import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from geo_grid.errors import BadRequest, UserError

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network
type Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@functools.lru_cache(1024)  # each request asks, of the same few
def is_loopback(host: str) -> bool:
    """Say whether a host to listen on can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_RELAYED = ("forwarded", "via", "x-forwarded", "x-real-ip", "x-client-ip", "cf-", "true-client-ip")
"""Beginnings of the headers by which proxies and tunnels say for whom they ask."""
_LONGEST_HOST = 253 + len(":65535")
"""Characters: of a name (RFC 1035, 2.3.4, as text) with a port."""


def is_by_hand(peer: str, http_version: str, hosts: Sequence[str], names: Iterable[str]) -> bool:
    """Say whether a request comes from a browser on this machine itself, through no proxy or tunnel.

    A proxy on this machine has a loopback address too. It gives itself away by its headers, by the host that it was asked
    for, or by speaking HTTP/1.0, as nginx does unless it is told otherwise. A page elsewhere whose name was made to mean
    this machine (DNS rebinding) gives itself away by its host.

    Parameters
    ----------
    peer
        Peer address of the connection; empty: a Unix socket, which only proxies use.
    hosts
        The lines `Host` as they were sent.
    names
        Names of all headers, in small letters.
    """
    if not peer or not is_loopback(peer_name(peer)) or http_version == "1.0":
        return False
    if any(name.startswith(_RELAYED) for name in names) or len(hosts) != 1:
        return False
    named = host_named(hosts[0])
    return named is not None and is_loopback(named)


def host_named(sent: str) -> str | None:
    """Return the host that a line `Host` names, in small letters; None: it is no host, or more than one with a port."""
    return _host_named(sent) if len(sent) <= _LONGEST_HOST else None


@functools.lru_cache(1024)  # each request asks, of the same few
def _host_named(sent: str) -> str | None:
    try:
        named = urlsplit(f"//{sent}")
        _ = named.port  # a number, or refused
    except ValueError:
        return None
    is_plain = named.netloc == sent and "%" not in sent and named.username is None
    return (named.hostname or None) if is_plain else None


def read_networks(text: str) -> Sequence[Network]:
    """Parse addresses and networks, separated by commas. Raises UserError."""
    try:
        if "%" in text:
            message = "an address with a zone means something on one machine only"
            raise ValueError(message)
        return [ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]
    except ValueError as error:
        message = f"GEO_GRID_TRUSTED_PROXIES: {error}"
        raise UserError(message) from None


def read_address(text: str) -> Address:
    """Parse an address; an IPv4-mapped IPv6 address becomes IPv4.

    Raises
    ------
    ValueError
        The text is no address, or has a zone (`%eth0`), which is only meaningful on one machine.
    """
    found = ipaddress.ip_address(text)
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id is not None:
            message = f"{text!r} has a zone"
            raise ValueError(message)
        return found.ipv4_mapped or found
    return found


@functools.lru_cache(1024)
def peer_name(address: str) -> str:
    """Return the peer address of a connection as `read_address` reads it, as text; empty (a Unix socket): empty."""
    return str(_peer(address)) if address else ""


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Say whether the peer address of a connection is in one of these networks; empty (a Unix socket): it is not."""
    return bool(address) and any(_peer(address) in network for network in networks)


class Sender(NamedTuple):
    """The sender of a request: its address (empty: a Unix socket), and the number of trusted proxies on the way."""

    address: str
    proxies: int


def sender(peer: str, told: Sequence[str], proxies: Sequence[Network]) -> Sender:
    """Return the sender of a request.

    Parameters
    ----------
    peer
        Peer address of the connection.
    told
        The lines X-Forwarded-For, in order. They are used only if the peer is a trusted proxy, from the last hop backwards
        up to the first that is no trusted proxy. A hop may have a port.

    Raises
    ------
    BadRequest
        A trusted proxy sent something that is no address.
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
    """Return the scheme by which the client reached the outermost trusted proxy, by the lines X-Forwarded-Proto; None: they
    do not say.

    Each proxy of a chain appends its value, or replaces the header. Values before those may be forged by the client.
    """
    schemes = [part.strip().lower() for part in ",".join(told).split(",") if part.strip()]
    return schemes[-min(proxies, len(schemes))] if schemes and proxies else None


_WITH_PORT = re.compile(r"(?:([0-9.]+)|\[([0-9a-fA-F:.]+)\])(?::[0-9]{1,5})?")


def _without_port(hop: str) -> str:
    """Remove the port that some proxies add, and the brackets around IPv6 addresses."""
    found = _WITH_PORT.fullmatch(hop)
    return (found[1] or found[2]) if found else hop


@functools.lru_cache(1024)
def _peer(address: str) -> Address:
    return read_address(address.partition("%")[0])  # the zone of a peer address comes from this machine itself
