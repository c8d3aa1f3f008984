"""Who asks: looked up in the database, kept in memory for seconds, forgotten when anything changes."""

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
"""How long an identity is kept before the database is asked again, and told that the session lives."""
_MOST = 10_000
_DEPENDS_ON = (
    Table.PRINCIPALS, Table.PRINCIPAL_CELLS, Table.CREDENTIALS, Table.ROLES, Table.ROLE_RIGHTS, Table.EDITIONS, Table.POLICE_POSTS,
)  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """Somebody who asks, and what they may.

    Attributes
    ----------
    credential
        Digest of what they showed.
    credential_kind
        session, key, kiosk or service.
    rights
        See migration 0008.
    page
        The one page a kiosk may show.
    must
        What a session must do before it may do anything else: change_password or enrol_factor.
    seen
        What of the answers about points they may see.
    sight
        Digest of rights and of what may be seen: equal for all who see the same.
    fetched, ends, touched
        When it was looked up, when it ends by itself, when the database was last told that the session lives;
        on this process's clock.
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
    """Finds who shows a credential.

    Fails closed: when the database was not heard of for 10 s, or the credential cannot be looked up, nobody
    is anybody.
    """

    def __init__(self, pool: AsyncPool, states: DerivedStates) -> None:
        self._pool = pool
        self._known = states.declare("identities", _DEPENDS_ON, OrderedDict[tuple[str, str], Identity], size=len)
        self._asking: dict[tuple[Asker, bool, int], asyncio.Task[Identity | None]] = {}

    def held(self, asker: Asker, is_act: bool) -> Identity | None:
        """Return whom memory knows for certain; not for an act that the database must be told of (see `find`)."""
        known = self._known.held()
        found = known.get((asker.credential, asker.address)) if known is not None else None
        now = time.monotonic()
        if found is None or now - found.fetched > _KEPT_S or now >= found.ends:
            return None
        if is_act and now - found.touched > _KEPT_S:
            return None
        return found

    async def current(self, asker: Asker) -> Identity | None:
        """Return who shows a credential, as of a state of the database that is not older than what the feed has told by
        now; else as `find`, for no act.
        """
        return self.held(asker, is_act=False) or await self.find(asker, is_act=False)

    async def find(self, asker: Asker, is_act: bool) -> Identity | None:
        """Find who shows a credential; None: it is worth nothing. Those who ask for the same at once ask together.

        Parameters
        ----------
        is_act
            Whether a person does something: that keeps a session alive, a page's own polling does not.

        Raises
        ------
        DatabaseUnavailable
            It cannot be looked up.
        """
        key = (asker._replace(request_id=""), is_act, self._known.generation)
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(asker, is_act))
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(asking)  # who leaves does not end it for the others

    async def _ask(self, asker: Asker, is_act: bool) -> Identity | None:
        known = self._known.read()  # what is not true any more when this is answered goes with it
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
            message = "who you are cannot be checked now: the database is away; try again"
            raise DatabaseUnavailable(message)
        before = known.get((asker.credential, asker.address))
        touched = time.monotonic() if is_act else before.touched if before else float("-inf")
        found = _identity(row, asker, rights, seen, touched)
        known[asker.credential, asker.address] = found
        while len(known) > _MOST:
            known.popitem(last=False)
        return found

    def forget(self) -> None:
        """Ask the database about everybody again: something was just changed here, and is not told yet."""
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
    told = "\n".join([*sorted(rights), "/", *parts])
    return hashlib.blake2b(told.encode(), digest_size=12).hexdigest()
