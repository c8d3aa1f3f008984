"""The address under which clients reach the server: as configured, not as a request claims.

Used only here: links are made with `base_of`, `Location` is converted by `outward`, and pages get `prefix`.
"""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from geo_grid.api.server.networks import host_named, is_loopback
from geo_grid.settings import Settings


class PublicAddress:
    """Decides which values of `Host` are trusted: links, redirects and log-ins by a provider use no others.

    `GEO_GRID_PUBLIC_URL` decides; without it loopback addresses, the host that the server listens on, and the local address
    of the connection are trusted.
    """

    def __init__(self, settings: Settings) -> None:
        self._bound = settings.host
        public = urlsplit((settings.public_url or "").rstrip("/"))
        self._netloc = _as_browsers_write(public.scheme, public.netloc) if public.netloc else None
        self._origin = f"{public.scheme}://{self._netloc}" if public.netloc else None
        self.prefix = public.path
        """Prefix of all public paths: `/city` if the public address is https://map.example/city; empty: none."""

    def base_of(self, scope: Scope) -> str:
        """Return the address of the server as the client sees it, without a slash at its end."""
        return f"{self._origin or self._inner(scope)}{self.prefix}"

    def is_ours(self, scope: Scope, origin: str) -> bool:
        """Say whether an origin (RFC 6454: scheme, host and port) is this server's."""
        host = Headers(scope=scope).get("host", "")
        return origin in {self._origin, f"{scope['scheme']}://{host}"}

    def inward(self, path: str) -> str:
        """Return a path without the public prefix."""
        is_outside = self.prefix and (path + "/").startswith((f"{self.prefix}/", f"{self.prefix}?"))
        return (path[len(self.prefix) :] or "/") if is_outside else path

    def outward(self, scope: Scope, address: str) -> str:
        """Convert the address of a header `Location` to the public address."""
        inner = self._inner(scope)
        if address.startswith("/") and not address.startswith("//"):
            return f"{self.prefix}{address}"
        if address.startswith(f"{inner}/") and not address.startswith(f"{self.base_of(scope)}/"):
            return f"{self.base_of(scope)}{address[len(inner) :]}"
        return address

    @staticmethod
    def _inner(scope: Scope) -> str:
        return f"{scope['scheme']}://{Headers(scope=scope).get('host', '')}"

    def settle(self, scope: Scope) -> None:
        """Replace the header `Host` by a trusted address, so that no later code needs to check it; remove the prefix.

        A proxy may pass the public prefix on or remove it.
        """
        scope["geo_grid.public"] = self
        if self.prefix:
            raw = scope.get("raw_path") or b""
            scope["path"] = self.inward(scope["path"])
            scope["raw_path"] = self.inward(raw.decode("latin-1")).encode("latin-1")
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
        named = host_named(sent)
        return named is not None and (is_loopback(named) or named in {self._bound.lower(), _plain(local)})


def _as_browsers_write(scheme: str, netloc: str) -> str:
    """Return host and port in the form of `Origin` (RFC 6454, 6.1): lower case, without the default port."""
    usual = {"https": ":443", "http": ":80"}[scheme]
    return netloc.lower().removesuffix(usual)


def _plain(host: str) -> str:
    """Return an IP address in the form that browsers use in `Host`; other names unchanged."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return host.lower()
