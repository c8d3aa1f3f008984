"""The second factor: time-based one-time codes of an authenticator app (TOTP, RFC 6238), each accepted once."""

import hmac
from dataclasses import dataclass

import pyotp
import segno

_STEP_S = 30
_DRIFT = 1
"""Time steps that a telephone's clock may be fast or slow (RFC 6238, section 5.2)."""


@dataclass(frozen=True)
class Offer:
    """The secret for an authenticator app, as text, as a URI and as a QR code."""

    secret: str
    address: str
    picture: str


def new_offer(login_name: str, issuer: str) -> Offer:
    """Make a new secret for an account; the picture is a QR code as SVG."""
    secret = pyotp.random_base32()
    address = pyotp.TOTP(secret).provisioning_uri(name=login_name, issuer_name=issuer)
    return Offer(secret, address, segno.make(address, error="m").svg_inline(scale=5, border=2))


def matching_step(secret: str, code: str, clock: float) -> int | None:
    """Return the time step that has this code, within the tolerance; None: there is none.

    Parameters
    ----------
    clock
        Unix time in seconds by the clock of the database, which all servers share.
    """
    totp = pyotp.TOTP(secret, interval=_STEP_S)
    now = int(clock // _STEP_S)
    for step in range(now - _DRIFT, now + _DRIFT + 1):
        if hmac.compare_digest(totp.generate_otp(step), code.strip().replace(" ", "")):
            return step
    return None
