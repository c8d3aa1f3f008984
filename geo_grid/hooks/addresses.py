"""Which addresses a letter may go to: public ones, and networks that the settings list."""

import ipaddress
from collections.abc import Sequence

from pydantic import AnyHttpUrl

from geo_grid.errors import UserError

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address
type Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""NAT64 (RFC 6052): an IPv4 address in the last 32 bits."""
_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out as global unicast (IANA, RFC 4291). What lies outside, such as the former site-local
`fec0::/10` or `::127.0.0.1`, is used within networks if at all, and `is_global` does not know all of it."""
_NOT_GIVEN_OUT = tuple(ipaddress.ip_network(each) for each in ("3fff::/20", "192.88.99.0/24"))
"""For documents (RFC 9637), and relays to IPv6 that are no more (RFC 7526): `is_global` takes them for public."""


def read_address(text: str) -> Address:
    """Read an IP address; an IPv4 address that is written as IPv6 is that of IPv4. Raises ValueError."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address in _TRANSLATED:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def may_be_told(address: Address, listed: Sequence[Network]) -> bool:
    """Say whether letters may go to an address: it is public, or in a network that the settings list."""
    if any(address in network for network in listed):
        return True
    if any(address in network for network in _NOT_GIVEN_OUT) or (address.version == 6 and address not in _UNICAST):
        return False
    return address.is_global and not address.is_multicast


def check_url(url: AnyHttpUrl, listed: Sequence[Network]) -> None:
    """Check the address of a hook as far as it can be without looking its name up, which is done with each letter.

    Raises
    ------
    UserError
        It is not https, names a user, or is an IP address that letters may not go to.
    """
    host = (url.host or "").strip("[]")
    try:
        address = read_address(host)
    except ValueError:
        address = None
    if url.scheme != "https":
        is_loopback = host == "localhost" or (address is not None and address.is_loopback)
        if not (is_loopback and any(network.is_loopback for network in listed)):
            message = "a hook's address begins with https: letters go over TLS only"
            raise UserError(message)
    if url.username or url.password:
        message = "a hook's address holds no user and password: its letters are signed"
        raise UserError(message)
    if address is not None and not may_be_told(address, listed):
        message = f"{host} is not a public address: GEO_GRID_WEBHOOK_NETWORKS lists others that may be told"
        raise UserError(message)
