"""Under which address people reach us: what is configured, not what a request says of it."""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from geo_grid.api.networks import is_loopback
from geo_grid.settings import Settings


class PublicAddress:
    """Decides which `Host` is believed: links, redirects and log-ins by a provider lead to no other.

    `GEO_GRID_PUBLIC_URL` decides; without it the loopback, the host that is served on, and the address the
    connection was made to are believed.
    """

    def __init__(self, settings: Settings) -> None:
        self._bound = settings.host
        public = urlsplit(settings.public_url or "")
        self._netloc = public.netloc or None
        self._origin = f"{public.scheme}://{public.netloc}" if public.netloc else None

    def is_ours(self, scope: Scope, origin: str) -> bool:
        """Say whether a page of this origin (RFC 6454) is one of ours, by scheme, host and port."""
        host = Headers(scope=scope).get("host", "")
        return origin in {self._origin, f"{scope['scheme']}://{host}"}

    def settle(self, scope: Scope) -> None:
        """Put the address that is believed in the place of the `Host` that was sent: nobody asks for it after this."""
        host, port = scope["server"] or (self._bound, None)
        if port is None:  # a Unix socket
            host = self._bound
        sent = Headers(scope=scope).getlist("host")
        if self._netloc is not None:
            believed = self._netloc
        elif len(sent) == 1 and self._is_believed(sent[0], host):
            return
        else:
            believed = f"[{host}]" if ":" in host else host
            believed += f":{port}" if port else ""
        others = [(name, value) for name, value in scope["headers"] if name != b"host"]
        scope["headers"] = [(b"host", believed.encode()), *others]

    def _is_believed(self, sent: str, local: str) -> bool:
        try:
            named = urlsplit(f"//{sent}")
            _ = named.port  # a number, or refused
        except ValueError:
            return False
        if named.netloc != sent or "%" in sent or named.username is not None or not named.hostname:
            return False
        return is_loopback(named.hostname) or named.hostname in {self._bound.lower(), _plain(local)}


def _plain(host: str) -> str:
    """Write an address as a browser does in `Host`, where it is one."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return host.lower()
