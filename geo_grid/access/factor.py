"""The second factor: codes of an authenticator app (RFC 6238), each taken once."""

import hmac
from dataclasses import dataclass

import pyotp
import segno

_STEP_S = 30
_DRIFT = 1
"""Steps a telephone's clock may be off, either way (RFC 6238, section 5.2)."""


@dataclass(frozen=True)
class Offer:
    """What an authenticator app needs: the secret, as text, as an address and as a picture."""

    secret: str
    address: str
    picture: str


def new_offer(login_name: str, issuer: str) -> Offer:
    """Make a new secret for an account; the picture is a QR code as SVG."""
    secret = pyotp.random_base32()
    address = pyotp.TOTP(secret).provisioning_uri(name=login_name, issuer_name=issuer)
    return Offer(secret, address, segno.make(address, error="m").svg_inline(scale=5, border=2))


def matching_step(secret: str, code: str, clock: float) -> int | None:
    """Return the time step whose code this is, None where it is none near.

    Parameters
    ----------
    clock
        Unix time of the database: one clock for all servers.
    """
    totp = pyotp.TOTP(secret, interval=_STEP_S)
    now = int(clock // _STEP_S)
    for step in range(now - _DRIFT, now + _DRIFT + 1):
        if hmac.compare_digest(totp.generate_otp(step), code.strip().replace(" ", "")):
            return step
    return None
