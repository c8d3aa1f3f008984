"""Secrets that prove who somebody is: made here, shown once, stored as their SHA-256."""

import hashlib
import secrets

_PREFIX = {"session": "gg_s_", "key": "gg_k_", "kiosk": "gg_w_", "service": "gg_i_", "device": "gg_d_"}
"""So that a secret that turns up where it should not is known for what it is. Its digest covers it: a key cannot
pass for a session."""


def new_secret(kind: str) -> str:
    """Make a secret of 256 random bits; `kind` is session, key, kiosk, service or device."""
    return _PREFIX[kind] + secrets.token_urlsafe(32)


def is_of_kind(secret: str, *kinds: str) -> bool:
    """Say whether a secret is of one of these kinds, by what it says of itself."""
    return secret.startswith(tuple(_PREFIX[kind] for kind in kinds))


def digest_of(secret: str) -> str:
    """Return what is stored of a secret. Plain SHA-256 will do: nobody guesses 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_token(secret: str) -> str:
    """Return the token a page must send with a write: known to our pages, not to another site's.

    A digest of the session's secret in another domain than `digest_of`, so neither tells the other.
    """
    return hashlib.blake2b(secret.encode(), person=b"geo_grid csrf", digest_size=24).hexdigest()
