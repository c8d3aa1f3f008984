"""Log-in and log-out, and changes of password and second factor by the account's owner."""

import contextlib
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from cachetools import TTLCache

from geo_grid.access.accounts import set_password
from geo_grid.access.credentials import digest_of, neighbourhood, new_secret
from geo_grid.access.factor import Offer, matching_step, new_offer
from geo_grid.access.identities import QUERIES, Identity
from geo_grid.access.passwords import matches, refuse_weak
from geo_grid.budgets import LOGGING_IN
from geo_grid.db import Asker, AsyncConnection, AsyncPool, acting, fetch_one
from geo_grid.errors import NotLoggedIn, TooMany, UserError
from geo_grid.settings import Settings

_ONLY_ACCOUNT = ["account"]
_FAILED_S, _MOST_FAILED = 600.0, 10_000
"""Seconds for which an address where a log-in failed comes after others, and the most addresses that are remembered."""


@dataclass(frozen=True)
class Opened:
    """A session that was opened.

    Attributes
    ----------
    secret
        Secret of the session, for the browser's cookie.
    must
        Action that the session must take first (see `Identity.must`).
    device
        Secret that identifies the browser at later log-ins; None until a log-in is complete.
    """

    secret: str
    must: str
    device: str | None


class SecondFactorNeeded(NotLoggedIn):
    """The password is right; the code of the second factor is missing."""


@dataclass(frozen=True)
class DemoPerson:
    """A user of the demo city, to choose without a password."""

    login_name: str
    display_name: str
    role: str


@dataclass(frozen=True)
class _Tried:
    """An attempt to log in: the name, and the digest of the device's secret (None: it has none)."""

    name: str
    device: str | None

    @classmethod
    def of(cls, name: str, device: str | None) -> "_Tried":
        return cls(name.strip().lower(), digest_of(device) if device else None)


class Logins:
    """Log-ins of one server.

    Parameters
    ----------
    service
        Credential of the service role, the only one that may call the log-in functions of the database.
    """

    def __init__(self, pool: AsyncPool, service: str, settings: Settings) -> None:
        self._pool = pool
        self._service = service
        self._settings = settings
        self._failed: TTLCache[str, bool] = TTLCache(_MOST_FAILED, _FAILED_S)

    async def with_password(
        self, name: str, password: str, code: str | None, device: str | None, asker: Asker
    ) -> Opened:
        """Log in with name, password and, where the account has one, a code of the second factor.

        Unknown names, wrong passwords, wrong codes and locked names get the same answer.

        Parameters
        ----------
        device
            Secret of a browser that was logged in before: failures from elsewhere do not lock it out.

        Raises
        ------
        NotLoggedIn
            Name, password or code is wrong.
        SecondFactorNeeded
            The code is missing.
        TooMany
            Too many failures with this name from this address or device; or, without a second factor, from anywhere.
        Busy
            Too many others, to whom this one comes second, wait to be judged.
        """
        tried = _Tried.of(name, device)
        async with self._turn(tried, asker), acting(self._pool, self._as_service(asker), read_only=False) as connection:
            facts = await fetch_one(connection, QUERIES["facts"], vars(tried))
            if facts["blocked_s"] > 0 or (facts["crowded_s"] > 0 and not code):
                await self._note(connection, tried, "refused", "locked")
                outcome: Opened | Exception = _locked(max(facts["blocked_s"], facts["crowded_s"]))
            else:
                outcome = await self._judge(connection, tried, password, code, facts)
                if facts["crowded_s"] > 0 and isinstance(outcome, Exception):  # do not disclose what was wrong
                    outcome = _locked(facts["crowded_s"])
        if isinstance(outcome, Exception):  # raised after the commit, so that the recorded failure is kept
            self._failed[neighbourhood(asker.address)] = True
            raise outcome
        return outcome

    @contextlib.asynccontextmanager
    async def _turn(self, tried: _Tried, asker: Asker) -> AsyncIterator[None]:
        """Have a turn to be judged: devices known to the account first, then addresses in fair turns, and after them those
        where a log-in failed lately.
        """
        where = neighbourhood(asker.address)
        whose, rank = where, 2 if where in self._failed else 1
        if tried.device is not None:
            async with acting(self._pool, self._as_service(asker)) as connection:
                if (await fetch_one(connection, QUERIES["knows_device"], vars(tried)))["is_known"]:
                    whose, rank = tried.device, 0
        async with LOGGING_IN.turn(whose, rank):
            yield

    async def _judge(
        self, connection: AsyncConnection, tried: _Tried, password: str, code: str | None, facts: dict[str, Any]
    ) -> Opened | Exception:
        async def failed(why: str) -> Exception:
            await self._note(connection, tried, "failed", why)
            return NotLoggedIn("name, password or code is wrong")

        if not await matches(password, facts["hash"]):
            return await failed("password" if facts["hash"] else "name")
        if facts["factor_secret"] is not None:
            if not code:
                await self._note(connection, tried, "refused", "code missing")
                return SecondFactorNeeded("enter the code of your authenticator app too")
            step = matching_step(facts["factor_secret"], code, facts["clock"])
            who = {"principal_id": facts["principal_id"], "step": step}
            if step is None or not (await fetch_one(connection, QUERIES["use_step"], who))["taken"]:
                return await failed("code")
        elif facts["crowded_s"] > 0:  # under attack, and a password alone does not tell the owner from an attacker
            return await failed("locked: no second factor")
        must = ""
        if facts["must_change"] or facts["password_age"].days >= self._settings.password_max_age_days:
            must = "change_password"
        elif facts["factor_required"] and facts["factor_secret"] is None:
            must = "enrol_factor"
        opened = await self.open(connection, facts["principal_id"], tried.device, must)
        await self._note(connection, tried, "done", "password")
        return opened

    async def open(self, connection: AsyncConnection, principal_id: int, device: str | None, must: str = "") -> Opened:
        """Open a session in a transaction of the service role, always with new secrets (against session fixation).

        Parameters
        ----------
        device
            Digest of the browser's former device secret; None: it had none.
        """
        secret, known = new_secret("session"), None if must else new_secret("device")
        await connection.execute(
            QUERIES["open"],
            {
                "principal_id": principal_id,
                "digest": digest_of(secret),
                "idle_s": self._settings.session_idle_min * 60,
                "longest_s": self._settings.session_longest_h * 3600,
                "rights": _ONLY_ACCOUNT if must else None,
                "reason": must,
            },
        )
        if known is not None:
            kept = {"brought": device, "made": digest_of(known), "days": self._settings.known_device_days}
            await connection.execute(QUERIES["know_device"], {"principal_id": principal_id, **kept})
        return Opened(secret, must, known)

    async def demo_people(self, asker: Asker) -> list[DemoPerson]:
        """List the users of the demo; empty in a city of one's own, and without those whose role needs a second factor."""
        async with acting(self._pool, self._as_service(asker)) as connection:
            rows = await (await connection.execute(QUERIES["demo_people"])).fetchall()
        return [DemoPerson(row["login_name"], row["display_name"], row["role"]) for row in rows]

    async def as_demo(self, name: str, device: str | None, asker: Asker) -> Opened:
        """Log in as a user of the demo without a password; whether a request may ask for that, the caller decides.

        Raises
        ------
        NotLoggedIn
            This is no such user: of a city of one's own, or of a role that needs a second factor.
        """
        tried = _Tried.of(name, device)
        async with acting(self._pool, self._as_service(asker), read_only=False) as connection:
            rows = await (await connection.execute(QUERIES["demo_people"])).fetchall()
            found = next((row["principal_id"] for row in rows if row["login_name"] == tried.name), None)
            if found is not None:
                opened = await self.open(connection, found, tried.device)
                await self._note(connection, tried, "done", "demo")
                return opened
        message = f"{name!r} is no user of a demo city to choose: log in with a password"
        raise NotLoggedIn(message)

    async def note_screen(self, digest: str, asker: Asker) -> None:
        """Record in the audit that a kiosk token was refused: it may have been copied."""
        async with acting(self._pool, self._as_service(asker), read_only=False) as connection:
            await connection.execute(QUERIES["note_screen"], {"digest": digest})

    async def log_out(self, asker: Asker) -> None:
        """End the session of the request."""
        async with acting(self._pool, asker, read_only=False) as connection:
            await connection.execute(QUERIES["close"])

    async def change_password(self, identity: Identity, old: str, new: str, device: str | None, asker: Asker) -> None:
        """Change one's own password; ends all sessions of the account.

        Raises
        ------
        NotLoggedIn, TooMany
            The old password is wrong, or was wrong too often.
        UserError
            The new one is too weak, or was used lately.
        """
        refuse_weak(new, identity.login_name, self._settings.password_min_length)
        tried = _Tried.of(identity.login_name, device)
        async with (
            LOGGING_IN.turn(identity.principal_id),
            acting(self._pool, self._as_service(asker), read_only=False) as connection,
        ):
            facts = await fetch_one(connection, QUERIES["facts"], vars(tried))
            wrong: Exception | None = None
            if facts["blocked_s"] > 0:
                wrong = _locked(facts["blocked_s"])
            elif not await matches(old, facts["hash"]):
                await self._note(connection, tried, "failed", "password")
                wrong = NotLoggedIn("the old password is wrong")
            if wrong is None:
                await set_password(connection, identity.principal_id, new, self._settings.password_history)
        if wrong is not None:
            raise wrong

    async def offer_factor(self, identity: Identity, asker: Asker) -> Offer:
        """Offer a second factor; it counts once a code confirms it. Raises UserError when there is one already."""
        offer = new_offer(identity.login_name, f"geo_grid {self._settings.city_name_en}")
        who = {"principal_id": identity.principal_id, "secret": offer.secret}
        async with acting(self._pool, self._as_service(asker), read_only=False) as connection:
            await connection.execute(QUERIES["offer_factor"], who)
            if (await fetch_one(connection, QUERIES["offered_factor"], who))["secret"] is None:
                message = "your account has a second factor: an administrator can remove it"
                raise UserError(message)
        return offer

    async def confirm_factor(self, identity: Identity, code: str, asker: Asker) -> None:
        """Confirm the offered second factor with a code; ends all sessions of the account. Raises UserError."""
        who: dict[str, Any] = {"principal_id": identity.principal_id}
        async with acting(self._pool, self._as_service(asker), read_only=False) as connection:
            offered = await fetch_one(connection, QUERIES["offered_factor"], who)
            step = matching_step(offered["secret"], code, offered["clock"]) if offered["secret"] else None
            if step is None or not (await fetch_one(connection, QUERIES["use_step"], {**who, "step": step}))["taken"]:
                message = "this is not the code that the app shows now: look again"
                raise UserError(message)
            await connection.execute(QUERIES["confirm_factor"], who)

    def _as_service(self, asker: Asker) -> Asker:
        return asker._replace(credential=self._service)

    @staticmethod
    async def _note(connection: AsyncConnection, tried: _Tried, outcome: str, why: str) -> None:
        await connection.execute(QUERIES["note"], {**vars(tried), "outcome": outcome, "why": why})


def _locked(seconds: float) -> TooMany:
    return TooMany(
        f"too many failures with this name: try again in {max(1, math.ceil(seconds / 60))} min, or with the code of"
        " your authenticator app",
        seconds,
    )
