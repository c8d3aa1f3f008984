"""The audit: search, verification of its hash chain, export, dropping of months. The database writes it (migration 0010)."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import psycopg
from pydantic import BaseModel

from geo_grid.db import AsyncConnection, fetch_one, load_queries, translated_errors
from geo_grid.errors import UserError
from geo_grid.moments import Moment

QUERIES = load_queries("geo_grid.access", "audit.sql")
_BATCH = 5_000


class Entry(BaseModel):
    """One row of the audit."""

    audit_id: int
    occurred_at: datetime
    actor_id: int | None
    actor_name: str
    actor_role: str
    address: str | None
    request_id: str | None
    action: str
    object_type: str
    object_id: str
    result: str
    detail: dict[str, Any]


class Wanted(BaseModel):
    """Filter of audit rows; all given conditions must match."""

    since: Moment | None = None
    until: Moment | None = None
    actor: str | None = None
    action: str | None = None
    object_id: str | None = None
    result: str | None = None


class Link(NamedTuple):
    """A row of the hash chain: the exact text that was hashed, its hash and that of the row before."""

    audit_id: int
    body: str
    previous_hash: str
    hash: str


@dataclass
class Verdict:
    """Result of a verification of the chain.

    Attributes
    ----------
    rows
        Number of rows checked.
    last_id, last_hash
        Number and hash of the last row. A copy of the hash kept elsewhere proves later that no earlier row was changed.
    faults
        Sentences about rows that were changed or are missing.
    """

    rows: int = 0
    last_id: int | None = None
    last_hash: str | None = None
    faults: list[str] = field(default_factory=list)

    def add(self, link: Link) -> None:
        """Check the next row against its own hash, and against the row before if that is known."""
        if self.last_id is not None and link.audit_id != self.last_id + 1:
            self.faults.append(f"rows {self.last_id + 1} to {link.audit_id - 1} are missing")
        elif self.last_hash is not None and link.previous_hash != self.last_hash:
            self.faults.append(f"row {link.audit_id} does not follow the row before it")
        digest = hashlib.sha256(f"{link.previous_hash}|{link.body}".encode()).hexdigest()
        if digest != link.hash or json.loads(link.body)["audit_id"] != link.audit_id:
            self.faults.append(f"row {link.audit_id} was changed")
        self.rows += 1
        self.last_id, self.last_hash = link.audit_id, link.hash


def check_chain(links: Iterable[Link]) -> Verdict:
    """Check rows in order; the row before the first need not be known, as for the export of one month."""
    verdict = Verdict()
    for link in links:
        verdict.add(link)
    return verdict


async def verify(connection: AsyncConnection) -> Verdict:
    """Check the whole chain, in a transaction with the right to read the audit. Raises Forbidden."""
    ends = await _one(connection, "ends", {})
    verdict = Verdict(last_id=ends["first_id"], last_hash=ends["first_hash"])
    async for link in read_links(connection):
        verdict.add(link)
    if verdict.last_id != ends["last_id"]:
        verdict.faults.append(f"rows {(verdict.last_id or 0) + 1} to {ends['last_id']} are missing at the end")
    elif verdict.last_hash != ends["last_hash"]:
        verdict.faults.append(f"the last row {verdict.last_id} is not the one that was written last")
    return verdict


async def read_links(connection: AsyncConnection, month: date | None = None) -> AsyncIterator[Link]:
    """Read the rows of one month (UTC), or all, in order. Raises Forbidden."""
    following = None if month is None else date(month.year + month.month // 12, month.month % 12 + 1, 1)
    since, until = (None if day is None else f"{day} 00:00+00" for day in (month, following))
    after = 0
    while True:
        values = {
            **Wanted().model_dump(),
            "after": after,
            "before": None,
            "limit": _BATCH,
            "since": since,
            "until": until,
        }
        rows = await _all(connection, values)
        for row in rows:
            yield Link(row["audit_id"], row["body"], row["previous_hash"], row["hash"])
        if len(rows) < _BATCH:
            return
        after = rows[-1]["audit_id"]


async def search(connection: AsyncConnection, wanted: Wanted, limit: int, before: int | None) -> list[Entry]:
    """Find rows, newest first; `before` is the last audit_id of the previous page. Raises Forbidden."""
    newest = before if before is not None else 2**62
    rows = await _all(connection, {**wanted.model_dump(), "after": 0, "before": newest, "limit": limit})
    return [Entry.model_validate_json(row["body"]) for row in rows]


def as_line(link: Link) -> str:
    """Format a row as one line of an export."""
    return json.dumps(link._asdict(), ensure_ascii=False) + "\n"


def read_lines(lines: Iterable[str]) -> Iterator[Link]:
    """Read the lines of an export. Raises UserError."""
    for number, line in enumerate(lines, start=1):
        try:
            yield Link(**json.loads(line))
        except (ValueError, TypeError):
            message = f"line {number} is not a row of an audit export"
            raise UserError(message) from None


async def note_export(connection: AsyncConnection, month: date | None, rows: int) -> None:
    """Record that rows were exported; a whole month that ended may be dropped after it. Raises Forbidden."""
    await _one(connection, "note_export", {"month": month, "rows": rows})


async def drop_month(connection: AsyncConnection, month: date, months_kept: int) -> int:
    """Drop a month of the audit, as the database's owner, and return its number of rows.

    Raises
    ------
    UserError
        The month is too recent, or was not exported after it ended.
    """
    try:
        return int((await fetch_one(connection, QUERIES["drop"], {"month": month, "months": months_kept}))["rows"])
    except (psycopg.errors.ObjectNotInPrerequisiteState, psycopg.errors.NoDataFound) as error:
        raise UserError(error.diag.message_primary or "refused") from None


async def note_look(connection: AsyncConnection, question: str) -> None:
    """Record that an auditor asked; further ones within a minute are counted in one row. Raises Forbidden."""
    await _one(connection, "note_look", {"question": question})


async def record_export(connection: AsyncConnection, layer: str, form: str, rows: int, bbox: str | None) -> None:
    """Record the export of a layer; further ones within a minute are counted in one row. Raises Forbidden."""
    await _one(connection, "record_export", {"layer": layer, "form": form, "rows": rows, "bbox": bbox})


async def record_refusal(connection: AsyncConnection, route: str, right: str) -> None:
    """Record a request without the required right; further ones within a minute are counted in one row."""
    await _one(connection, "record_refusal", {"route": route, "right": right})


async def _one(connection: AsyncConnection, name: str, values: dict[str, Any]) -> dict[str, Any]:
    with translated_errors():
        return await fetch_one(connection, QUERIES[name], values)


async def _all(connection: AsyncConnection, values: dict[str, Any]) -> list[dict[str, Any]]:
    with translated_errors():
        return await (await connection.execute(QUERIES["read"], values)).fetchall()
