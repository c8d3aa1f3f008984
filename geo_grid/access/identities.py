"""Resolves credentials to identities: a cache of the database's answers, invalidated by changes of accounts and rights."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from geo_grid.changes import Table
from geo_grid.db import Asker, AsyncPool, acting, load_queries, translated_errors
from geo_grid.derived import DerivedStates
from geo_grid.errors import DatabaseUnavailable
from geo_grid.locate import Seen

QUERIES = load_queries("geo_grid.access", "login.sql")

_KEPT_S = 30.0
"""Seconds that an identity is cached; the next lookup also extends the session's life in the database."""
_MOST = 10_000
_DEPENDS_ON = (
    Table.PRINCIPALS, Table.PRINCIPAL_CELLS, Table.CREDENTIALS, Table.ROLES, Table.ROLE_RIGHTS, Table.EDITIONS, Table.POLICE_POSTS,
)  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """The principal of a request, with its rights. Immutable.

    Attributes
    ----------
    credential
        Digest of the secret.
    credential_kind
        session, key, kiosk or service.
    rights
        Names of rights, see migration 0008.
    page
        The only page that a kiosk may show.
    must
        Action that the session must take before any other: change_password or enrol_factor; empty: none.
    seen
        What the principal may see of answers about points.
    sight
        Digest of rights and visible cells: equal for principals who see the same, so that caches can be shared.
    fetched, ends, touched
        When it was looked up, when it expires, and when the session was last extended in the database, in seconds of
        `time.monotonic`.
    """

    credential: str
    principal_id: int
    login_name: str
    display_name: str
    role: str
    credential_kind: str
    rights: frozenset[str]
    city_wide: bool
    page: str | None
    must: str
    seen: Seen
    sight: str = ""
    fetched: float = field(default_factory=time.monotonic, compare=False)
    ends: float = 0.0
    touched: float = float("-inf")


class Identities:
    """Finds the identity of a credential. Its methods belong on the event loop.

    Fails closed: when the feed of changes could not be read for 10 s, or the database does not answer, no credential is
    accepted.
    """

    def __init__(self, pool: AsyncPool, states: DerivedStates) -> None:
        self._pool = pool
        self._known = states.declare("identities", _DEPENDS_ON, OrderedDict[tuple[str, str], Identity], size=len)
        self._asking: dict[tuple[Asker, bool, int], asyncio.Task[Identity | None]] = {}

    def held(self, asker: Asker, is_act: bool) -> Identity | None:
        """Return a cached identity without waiting; None: it is unknown or stale, or the act must extend the session in the
        database (see `find`).
        """
        known = self._known.held()
        found = known.get((asker.credential, asker.address)) if known is not None else None
        now = time.monotonic()
        if found is None or now - found.fetched > _KEPT_S or now >= found.ends:
            return None
        if is_act and now - found.touched > _KEPT_S:
            return None
        return found

    async def current(self, asker: Asker) -> Identity | None:
        """Return the identity of a credential as `find` does, not older than the newest change that the feed has read, and
        without extending the session.
        """
        return self.held(asker, is_act=False) or await self.find(asker, is_act=False)

    async def find(self, asker: Asker, is_act: bool) -> Identity | None:
        """Return the identity of a credential; None: it is unknown, expired or revoked. Concurrent calls share one query.

        Parameters
        ----------
        is_act
            Whether a person acts, which extends a session; the polling of a page does not.

        Raises
        ------
        DatabaseUnavailable
            The database does not answer.
        """
        key = (asker._replace(request_id=""), is_act, self._known.generation)
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(asker, is_act))
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(asking)  # a cancelled request must not cancel the query for the others

    async def _ask(self, asker: Asker, is_act: bool) -> Identity | None:
        known = self._known.read()  # the cache before the query: a change meanwhile invalidates the answer with it
        with translated_errors():
            async with acting(self._pool, asker, read_only=not is_act) as connection:
                if is_act:
                    await connection.execute(QUERIES["touch"])
                row = await (await connection.execute(QUERIES["identify"])).fetchone()
                if row is None or row["principal_id"] is None:
                    return None
                rights = frozenset(row["rights"])
                seen = await Seen.read(connection, row["city_wide"], "roster" in rights)
        if not self._known.is_trusted():
            message = "your credential cannot be checked now: the database does not answer; try again"
            raise DatabaseUnavailable(message)
        before = known.get((asker.credential, asker.address))
        touched = time.monotonic() if is_act else before.touched if before else float("-inf")
        found = _identity(row, asker, rights, seen, touched)
        known[asker.credential, asker.address] = found
        while len(known) > _MOST:
            known.popitem(last=False)
        return found

    def forget(self) -> None:
        """Invalidate all cached identities: this server just changed what the feed has not read yet."""
        self._known.distrust()


def _identity(row: dict[str, Any], asker: Asker, rights: frozenset[str], seen: Seen, touched: float) -> Identity:
    return Identity(
        credential=asker.credential,
        principal_id=row["principal_id"],
        login_name=row["login_name"],
        display_name=row["display_name"],
        role=row["role"],
        credential_kind=row["credential_kind"],
        rights=rights,
        city_wide=row["city_wide"],
        page=row["page"],
        must=row["label"] if row["credential_kind"] == "session" else "",
        seen=seen,
        sight=_sight(rights, seen),
        ends=time.monotonic() + row["good_for_s"],
        touched=touched,
    )


def _sight(rights: frozenset[str], seen: Seen) -> str:
    parts = ["all"] if seen.everywhere else [*sorted(seen.cells), "/", *sorted(seen.zones), "/", *sorted(seen.posts)]
    facts = "\n".join([*sorted(rights), "/", *parts])
    return hashlib.blake2b(facts.encode(), digest_size=12).hexdigest()
