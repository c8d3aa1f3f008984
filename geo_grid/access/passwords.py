"""Passwords: hashing by Argon2id as RFC 9106 recommends, and the rules for new ones."""

import secrets
import string
from base64 import b64encode
from collections.abc import Sequence

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from geo_grid.budgets import HASHING
from geo_grid.errors import UserError

_HASHER = PasswordHasher()


def _hash_of_nothing() -> str:
    """Make a hash with a random digest, which no password matches, without computing one."""
    salt, digest = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, _HASHER.hash_len))
    costs = f"m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"


_NOBODY = _hash_of_nothing()
"""Hash that is verified for unknown names, so that these take the same time as known ones."""
_LONGEST = 256
_KINDS_NEEDED = 3
_NAME_TELLS = 4
"""Least length of a name that a password may not contain: shorter ones occur in random passwords by chance."""


async def matches(password: str, stored: str | None) -> bool:
    """Say whether a password has this hash, in a thread of HASHING; takes the same time when there is none (None)."""
    fits = await HASHING.run(None, _verify, stored or _NOBODY, password[:_LONGEST])
    return fits and stored is not None


async def hashed(password: str) -> str:
    """Hash a password with a random salt, in a thread of HASHING."""
    return await HASHING.run(None, _HASHER.hash, password)


def one_time_password() -> str:
    """Make a random password of 119 bits that `refuse_weak` accepts."""
    letters = string.ascii_letters + string.digits
    return (
        "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))
        + "-"
        + secrets.choice(string.digits)
    )


def refuse_weak(password: str, login_name: str, shortest: int) -> None:
    """Refuse a password that is short, simple or contains the name.

    Three of the four kinds of characters, as the city's level of protection asks (DOMAIN, section 7).

    Raises
    ------
    UserError
        What is missing.
    """
    kinds = sum(
        any(map(test, password))
        for test in (str.islower, str.isupper, str.isdigit, lambda character: not character.isalnum())
    )
    if len(password) < shortest:
        problem = f"has at least {shortest} characters"
    elif len(password) > _LONGEST:
        problem = f"has at most {_LONGEST} characters"
    elif kinds < _KINDS_NEEDED:
        problem = "mixes three of: small letters, capitals, digits, other signs"
    elif len(login_name) >= _NAME_TELLS and login_name.lower() in password.lower():
        problem = "does not contain your name"
    elif len(set(password)) < _KINDS_NEEDED * 2:
        problem = "has at least six different characters"
    else:
        return
    message = f"a password {problem}"
    raise UserError(message)


async def refuse_former(password: str, hashes: Sequence[str], kept: int) -> None:
    """Refuse a password that was one of the last `kept`. Raises UserError."""
    for stored in hashes[:kept]:
        if await matches(password, stored):
            message = f"this was one of your last {kept} passwords: choose another"
            raise UserError(message)


def _verify(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
