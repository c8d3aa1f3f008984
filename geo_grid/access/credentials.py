"""Secrets of sessions, keys and tokens: random, shown once, and stored as their SHA-256."""

import hashlib
import ipaddress
import secrets

_PREFIX = {"session": "gg_s_", "key": "gg_k_", "kiosk": "gg_w_", "service": "gg_i_", "device": "gg_d_"}
"""Prefixes of secrets, so that a leaked one can be recognised. The digest covers the prefix: a key cannot be used as a
session."""


def new_secret(kind: str) -> str:
    """Make a secret of 256 random bits; `kind` is session, key, kiosk, service or device."""
    return _PREFIX[kind] + secrets.token_urlsafe(32)


def is_of_kind(secret: str, *kinds: str) -> bool:
    """Say whether a secret is of one of these kinds, by its prefix."""
    return secret.startswith(tuple(_PREFIX[kind] for kind in kinds))


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a secret in hexadecimal, which is stored. 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_token(secret: str) -> str:
    """Return the CSRF token that our pages send with each write; pages of other sites cannot know it.

    It is a digest of the session's secret, separated from `digest_of` by a label, so that neither reveals the other.
    """
    return hashlib.blake2b(secret.encode(), person=b"geo_grid csrf", digest_size=24).hexdigest()


def neighbourhood(address: str) -> str:
    """Return the network that a sender can choose its address from, as a key for counting: a /64 for IPv6.

    What is no address of IPv6 stays as it is; an address of IPv4 that is written as one of IPv6 counts as of IPv4.
    """
    if ":" not in address:
        return address
    known = ipaddress.IPv6Address(address.partition("%")[0])
    return str(known.ipv4_mapped or ipaddress.ip_network((known, 64), strict=False))
