"""Logging in and out, passwords and second factors of one's own account."""

import asyncio
from dataclasses import dataclass
from typing import Any

from geo_grid.access.accounts import set_password
from geo_grid.access.credentials import digest_of, new_secret
from geo_grid.access.factor import Offer, matching_step, new_offer
from geo_grid.access.identities import QUERIES, Identity
from geo_grid.access.passwords import matches, refuse_weak
from geo_grid.db import Asker, AsyncConnection, AsyncPool, acting, fetch_one
from geo_grid.errors import NotLoggedIn, TooMany, UserError
from geo_grid.settings import Settings

_ONLY_ACCOUNT = ["account"]


@dataclass(frozen=True)
class Opened:
    """A session that was opened: its secret, and what it must do first (see `Identity.must`)."""

    secret: str
    must: str


class SecondFactorNeeded(NotLoggedIn):
    """The password is right; the code of the second factor is missing."""


class Logins:
    """Log-ins of one server.

    Parameters
    ----------
    service
        Credential of the server itself: what judges a log-in answers to nobody else.
    """

    def __init__(self, pool: AsyncPool, service: str, settings: Settings) -> None:
        self._pool = pool
        self._service = service
        self._settings = settings
        self._one_at_a_time = asyncio.Semaphore(2)  # each holds a connection while it hashes

    async def with_password(self, name: str, password: str, code: str | None, asker: Asker) -> Opened:
        """Log in with name, password and, where the account has one, a code of the second factor.

        Names that are nobody's, wrong passwords, wrong codes and locked names look alike.

        Raises
        ------
        NotLoggedIn
            Name, password or code is wrong.
        SecondFactorNeeded
            The code is missing.
        TooMany
            The name is locked after five failures, whether it is somebody's or not.
        """
        name = name.strip().lower()
        async with self._one_at_a_time, acting(self._pool, self._as_service(asker), read_only=False) as connection:
            facts = await fetch_one(connection, QUERIES["facts"], {"name": name})
            if facts["blocked_s"] > 0:
                await connection.execute(QUERIES["note"], {"name": name, "outcome": "refused", "why": "locked"})
                outcome: Opened | Exception = TooMany(
                    f"too many failures with this name: try again in {facts['blocked_s'] / 60:.0f} min",
                    facts["blocked_s"],
                )
            else:
                outcome = await self._judge(connection, name, password, code, facts)
        if isinstance(outcome, Exception):  # only now: what was noted about it is committed
            raise outcome
        return outcome

    async def _judge(
        self, connection: AsyncConnection, name: str, password: str, code: str | None, facts: dict[str, Any]
    ) -> Opened | Exception:
        async def failed(why: str) -> Exception:
            await connection.execute(QUERIES["note"], {"name": name, "outcome": "failed", "why": why})
            return NotLoggedIn("name, password or code is wrong")

        if not await matches(password, facts["hash"]):
            return await failed("password" if facts["hash"] else "name")
        if facts["factor_secret"] is not None:
            if not code:
                return SecondFactorNeeded("enter the code of your authenticator app too")
            step = matching_step(facts["factor_secret"], code, facts["clock"])
            who = {"principal_id": facts["principal_id"], "step": step}
            if step is None or not (await fetch_one(connection, QUERIES["use_step"], who))["taken"]:
                return await failed("code")
        must = ""
        if facts["must_change"] or facts["password_age"].days >= self._settings.password_max_age_days:
            must = "change_password"
        elif facts["factor_required"] and facts["factor_secret"] is None:
            must = "enrol_factor"
        opened = await self.open(connection, facts["principal_id"], must)
        await connection.execute(QUERIES["note"], {"name": name, "outcome": "done", "why": "password"})
        return opened

    async def open(self, connection: AsyncConnection, principal_id: int, must: str = "") -> Opened:
        """Open a session in the server's own transaction: always a new secret, never one that was brought along."""
        secret = new_secret("session")
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
        return Opened(secret, must)

    async def log_out(self, asker: Asker) -> None:
        """End the session that asks."""
        async with acting(self._pool, asker, read_only=False) as connection:
            await connection.execute(QUERIES["close"])

    async def change_password(self, identity: Identity, old: str, new: str, asker: Asker) -> None:
        """Change one's own password; ends all sessions of the account.

        Raises
        ------
        NotLoggedIn, TooMany
            The old password is wrong, or was wrong too often.
        UserError
            The new one is too weak, or was used lately.
        """
        refuse_weak(new, identity.login_name, self._settings.password_min_length)
        name = {"name": identity.login_name}
        async with self._one_at_a_time, acting(self._pool, self._as_service(asker), read_only=False) as connection:
            facts = await fetch_one(connection, QUERIES["facts"], name)
            wrong: Exception | None = None
            if facts["blocked_s"] > 0:
                wrong = TooMany("too many failures: try again later", facts["blocked_s"])
            elif not await matches(old, facts["hash"]):
                await connection.execute(QUERIES["note"], {**name, "outcome": "failed", "why": "password"})
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
