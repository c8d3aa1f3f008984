"""Addresses and networks of the settings. Imports no app: whoever only starts a server needs it too."""

import ipaddress
from collections.abc import Sequence

from geo_grid.errors import UserError

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_loopback(host: str) -> bool:
    """Say whether a host to serve on is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_networks(text: str) -> Sequence[Network]:
    """Read addresses and networks, separated by commas. Raises UserError."""
    try:
        return [ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]
    except ValueError as error:
        message = f"GEO_GRID_TRUSTED_PROXIES: {error}"
        raise UserError(message) from None
