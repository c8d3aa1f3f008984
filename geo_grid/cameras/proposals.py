"""What an import proposes and a person decides: cameras that moved, local ones that got their national id, and doubles."""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import numpy as np
import shapely
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.db import AsyncConnection, Connection, load_queries
from geo_grid.errors import Conflict, NotFound

QUERIES = load_queries("geo_grid.cameras", "proposals.sql")
MOVED_M, SAME_M = 5.0, 10.0
"""Metres from which a camera counts as moved; and up to which two of one name may be one."""

_MOST_DECIDED = 5_000

type ProposalKind = Literal["moved", "national_id", "duplicate"]


class Proposal(BaseModel):
    """Something to decide about a camera."""

    proposal_id: int
    proposal_kind: ProposalKind = Field(
        description="moved: the register has it elsewhere; national_id: a local camera seems to be this national one;"
        " duplicate: it seems to be another one that is stored"
    )
    gb28181_id: str
    name: str
    other_id: str | None = Field(None, description="the camera that it seems to be a double of")
    national_id: str | None = None
    lon: float
    lat: float
    new_lon: float | None = Field(None, description="where the register has it")
    new_lat: float | None = None
    distance_m: float
    source: str
    proposed_at: datetime


class Decision(BaseModel):
    """A decision about a proposal."""

    model_config = ConfigDict(extra="forbid")

    is_accepted: bool = Field(
        description="true: moved to where the register has it; given the national id; removed as a double. false: it stays"
    )


class Decided(BaseModel):
    """What a decision did."""

    proposal_id: int
    is_accepted: bool
    gb28181_id: str


class WaitingProposals(BaseModel):
    """How many proposals of one kind and source wait."""

    proposal_kind: ProposalKind
    source: str
    count: int


class DecisionOfAll(Decision):
    """A decision about all proposals of a kind and a source that wait."""

    proposal_kind: ProposalKind
    source: str = Field(max_length=300, description="as the proposals have it: whose register, or which file")


class DecidedAll(BaseModel):
    """What a decision about many did."""

    decided: int
    left: int = Field(description="of that kind and source that wait still: at most 5,000 are decided at once")


async def proposals(
    connection: AsyncConnection,
    most: int = 500,
    after: int = 0,
    kind: ProposalKind | None = None,
    source: str | None = None,
) -> list[Proposal]:
    """List what waits for a decision, the oldest first.

    Parameters
    ----------
    after
        The last proposal_id of the previous page.
    """
    return await _open(connection, {"most": most, "after": after, "kind": kind, "source": source})


async def waiting(connection: AsyncConnection) -> list[WaitingProposals]:
    """Count what waits for a decision, by kind and source."""
    return [
        WaitingProposals.model_validate(row) for row in await (await connection.execute(QUERIES["waiting"])).fetchall()
    ]


async def decide_all(connection: AsyncConnection, asked: DecisionOfAll, who: str) -> DecidedAll:
    """Decide about proposals of a kind and a source, the oldest first, in the caller's transaction: about all of them or none.

    Raises
    ------
    NotFound
        None waits.
    Conflict
        What one of them proposes cannot be done now; it is named.
    """
    found = await proposals(connection, _MOST_DECIDED, kind=asked.proposal_kind, source=asked.source)
    if not found:
        message = f"no proposal of that kind waits from {asked.source}: GET /cameras/proposals counts those that do"
        raise NotFound(message)
    decided = 0
    for one in found:
        with contextlib.suppress(NotFound):  # one before it has settled it
            await decide(connection, one.proposal_id, asked.is_accepted, who)
            decided += 1
    counts = {(one.proposal_kind, one.source): one.count for one in await waiting(connection)}
    return DecidedAll(decided=decided, left=counts.get((asked.proposal_kind, asked.source), 0))


async def _open(connection: AsyncConnection, values: dict[str, Any]) -> list[Proposal]:
    every: dict[str, Any] = {"proposal_id": None, "most": 1, "after": 0, "kind": None, "source": None}
    rows = await (await connection.execute(QUERIES["open"], every | values)).fetchall()
    return [Proposal.model_validate(row) for row in rows]


async def decide(connection: AsyncConnection, proposal_id: int, is_accepted: bool, who: str) -> Decided:
    """Decide about a proposal in the caller's transaction, and do what was accepted.

    Raises
    ------
    NotFound
        There is none that waits.
    Conflict
        The national id is taken meanwhile.
    """
    values: dict[str, Any] = {"proposal_id": proposal_id, "who": who}
    opened = await _open(connection, {"proposal_id": proposal_id})
    done = await connection.execute(QUERIES["decide"], {**values, "is_accepted": is_accepted})
    if not opened or done.rowcount == 0:
        message = f"there is no proposal {proposal_id} that waits for a decision"
        raise NotFound(message)
    found = opened[0]
    key = found.gb28181_id
    if is_accepted:
        if found.proposal_kind == "national_id":
            taken = await (await connection.execute(QUERIES["taken"], {"key": found.national_id})).fetchone()
            if taken is not None:
                message = f"{found.national_id} is stored already: refuse the proposal, and remove one of the two"
                raise Conflict(message)
            key = str(found.national_id)
            await connection.execute(QUERIES["withdraw_ids"], values)
        elif found.proposal_kind == "duplicate":
            await connection.execute(QUERIES["note_double"], values)
        await connection.execute(QUERIES[found.proposal_kind], values)
    return Decided(proposal_id=proposal_id, is_accepted=is_accepted, gb28181_id=key)


def propose_moved(connection: Connection, keys: Sequence[str], secret: Sequence[bool], points: Any, source: str) -> int:
    """Propose to move stored cameras that a register has elsewhere, and return how many; its earlier places are withdrawn.

    Parameters
    ----------
    keys, secret, points
        National ids, whether the register calls each secret, and where it has them (EPSG:4490, on the lattice).
    """
    _propose(connection, "withdraw_moves", keys, points, None, source)
    return _propose(connection, "propose_moved", keys, points, None, source, secret)


def claim(connection: Connection, keys: Sequence[str], secret: Sequence[bool], points: Any, platform_code: str) -> int:
    """Give stored cameras of no platform to the one whose register has them where they are, and return how many were changed.

    Only its platform reports on a camera. One that its platform calls secret is secret from then on.

    Parameters
    ----------
    keys, secret, points
        National ids, whether the register calls each secret, and where it has them (EPSG:4490, on the lattice).
    """
    values = {
        "keys": list(keys), "secret": list(secret), "wkb": _as_wkb(points), "metres": MOVED_M, "code": platform_code,
    }  # fmt: skip
    return connection.execute(QUERIES["claim"], values).rowcount


def of_other_platforms(connection: Connection, keys: Sequence[str], platform_code: str) -> dict[str, str]:
    """Return the platforms of the stored cameras that are another platform's, by ID."""
    rows = connection.execute(QUERIES["of_others"], {"keys": list(keys), "code": platform_code}).fetchall()
    return {row["gb28181_id"]: row["platform_code"] for row in rows}


def local_twins(connection: Connection, names: Sequence[str], points: Any) -> dict[int, str]:
    """Find stored cameras with a local id that a new row seems to be, by name and place: key by position of the row."""
    values = {"names": list(names), "wkb": list(shapely.to_wkb(points)), "metres": SAME_M}
    return {row["number"] - 1: row["key"] for row in connection.execute(QUERIES["local_twins"], values).fetchall()}


def propose_ids(connection: Connection, local: Sequence[str], national: Sequence[str], points: Any, source: str) -> int:
    """Propose to give local cameras their national ids, and return how many; what was refused once is not proposed again."""
    return _propose(connection, "propose_ids", local, points, national, source)


def refused_ids(connection: Connection, national: Sequence[str]) -> set[str]:
    """Return those of national ids that somebody refused to give to a local camera: they are cameras of their own."""
    rows = connection.execute(QUERIES["refused_ids"], {"national": list(national)}).fetchall()
    return {row["national_id"] for row in rows}


def removed_doubles(connection: Connection, keys: Sequence[str]) -> dict[str, str]:
    """Return which of these IDs are of cameras that were removed as doubles, with the camera that stayed."""
    rows = connection.execute(QUERIES["removed_doubles"], {"keys": list(keys)}).fetchall()
    return {row["gb28181_id"]: row["other_id"] for row in rows}


def propose_doubles(connection: Connection, camera_ids: Sequence[int], source: str) -> int:
    """Propose to remove those of newly stored cameras that seem to be others, by name and place, and return how many."""
    values = {"camera_ids": list(camera_ids), "metres": SAME_M, "source": source[:300]}
    return connection.execute(QUERIES["propose_doubles"], values).rowcount


def _as_wkb(points: Any) -> list[bytes]:
    return list(shapely.to_wkb(np.asarray(points, dtype=object)))


def _propose(
    connection: Connection,
    statement: str,
    keys: Sequence[str],
    points: Any,
    national: Sequence[str] | None,
    source: str,
    secret: Sequence[bool] = (),
) -> int:
    values = {
        "keys": list(keys), "secret": list(secret), "wkb": _as_wkb(points), "national": list(national or ()),
        "metres": MOVED_M, "source": source[:300],
    }  # fmt: skip
    return connection.execute(QUERIES[statement], values).rowcount
