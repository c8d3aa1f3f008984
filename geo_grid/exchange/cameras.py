"""What an import of cameras does beside that of other layers: platforms, deviating codes, states, and proposals."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from geo_grid.cameras.platforms import Datum, datum_of_platform, may_register, note_import
from geo_grid.cameras.proposals import (
    claim,
    local_twins,
    of_other_platforms,
    propose_doubles,
    propose_ids,
    propose_moved,
    refused_ids,
    removed_doubles,
)
from geo_grid.cameras.register import deviations
from geo_grid.cameras.states import State, StateReport, write_states
from geo_grid.db import Connection
from geo_grid.errors import Forbidden, UserError
from geo_grid.files.door import Table
from geo_grid.layers.cameras import is_local
from geo_grid.reported import MOST_AT_ONCE

if TYPE_CHECKING:
    from pandas import DataFrame

_MOST_TOLD = 20
_NOT_YOURS_TO_NUMBER = "a national ID is given to a camera by who sees all cameras of the city: give it a local one, which begins with LOCAL-"
_STATES: dict[str, State] = {
    "online": "online", "on": "online", "true": "online", "1": "online", "在线": "online", "正常": "online",
    "offline": "offline", "off": "offline", "false": "offline", "0": "offline", "2": "offline", "离线": "offline",
    "fault": "fault", "故障": "fault",
}  # fmt: skip
_STATE_COLUMNS = ("camera_state", "is_online", "status")
"""Columns that tell the state of a camera: exports of ours, of earlier versions, and catalogues."""


def platform_datum(connection: Connection, platform_code: str, asked: str | None) -> Datum:
    """Return the datum of a platform's file.

    Raises
    ------
    NotFound
        There is no such platform.
    UserError
        Another one was asked for.
    """
    known = datum_of_platform(connection, platform_code)
    if asked is not None and asked.upper() != known.source_crs.upper():
        message = f"{platform_code} gives its coordinates in {known.source_crs}, not {asked}: correct what is said of the platform first"
        raise UserError(message)
    return known


class NothingMore:
    """An import of a layer of which nothing more is known than its rows; what `CameraImport` does beside, by name."""

    datum_note = ""
    is_crs_certain = False
    settle_datum = "name the other datum with --source-crs, or say with --crs-is-certain that it is as you said"

    def begin(
        self, connection: Connection, table: Table, asked: str | None, skip_invalid: bool, notes: list[str]
    ) -> str | None:
        """Return the reference system that was asked for."""
        return asked

    def set_aside(
        self,
        connection: Connection,
        rows: Sequence[dict[str, Any]],
        geometry: Any,
        stored: set[int],
        problems: dict[int, str],
    ) -> set[int]:
        """Set no row aside."""
        return set()

    def conclude(
        self,
        connection: Connection,
        rows: Sequence[dict[str, Any]],
        geometry: Any,
        new: Sequence[int],
        ids: Sequence[int],
        notes: list[str],
    ) -> None:
        """Do nothing more."""


@dataclass
class CameraImport(NothingMore):
    """An import of cameras.

    Attributes
    ----------
    platform_code
        Whose register it is; None: nobody's in particular.
    source
        What the file is called, for proposals.
    known
        Rows of a platform's register that are stored already: they are compared, not refused.
    twins
        Rows that seem to be stored cameras with a local id, by row.
    doubles
        Number of rows that a person removed as doubles of others.
    states
        State by row.
    datum_note
        Why the datum of the file seems to be another one; empty: it does not.
    is_crs_certain
        Whether it was said of the platform that its datum is certain.
    """

    platform_code: str | None
    source: str
    known: list[int] = field(default_factory=list)
    twins: dict[int, str] = field(default_factory=dict)
    doubles: int = 0
    states: dict[int, State] = field(default_factory=dict)
    datum_note: str = ""
    is_crs_certain: bool = False

    def begin(
        self, connection: Connection, table: Table, asked: str | None, skip_invalid: bool, notes: list[str]
    ) -> str | None:
        """Take the states of a file, and return the reference system of its coordinates: a platform's own.

        Raises
        ------
        UserError
            A catalogue holds another number of devices than it announces, and bad rows are not to be skipped; or another
            reference system was asked for than the platform's.
        NotFound
            There is no such platform.
        """
        if table.is_miscounted:
            said = f"{self.source} announces {table.announced:,} devices and holds {table.received:,}: it stopped half way, or lies"
            if not skip_invalid:
                message = f"{said}. Ask the platform again, or import what there is with --skip-invalid; the register stays as it was"
                raise UserError(message)
            notes.append(said)
        self._read_states(table.attributes, notes)
        if self.platform_code is None:
            return asked
        known = platform_datum(connection, self.platform_code, asked)
        self.is_crs_certain = known.is_crs_certain
        self.settle_datum = f"correct what is said of {self.platform_code}, its datum, or that this is certain; or say so of this file with --crs-is-certain"
        return known.source_crs

    def _read_states(self, attributes: "DataFrame", notes: list[str]) -> None:
        names = {str(name).lower(): name for name in attributes}
        column = next((names[name] for name in _STATE_COLUMNS if name in names), None)
        if column is None:
            return
        lost: Counter[str] = Counter()
        for row, value in enumerate(attributes[column].astype(object).where(attributes[column].notna(), "").tolist()):
            said = str(value).strip().lower()
            if said in _STATES:
                self.states[row] = _STATES[said]
            elif said:
                lost[said[:40]] += 1
        notes += [
            f"{count} rows say {said!r} in {column}, which is no state that is known: nothing is noted for them"
            for said, count in lost.most_common(_MOST_TOLD)
        ]

    def set_aside(
        self,
        connection: Connection,
        rows: Sequence[dict[str, Any]],
        geometry: Any,
        stored: set[int],
        problems: dict[int, str],
    ) -> set[int]:
        """Set aside the rows that are no new cameras, and return them; they are no problems any more.

        Parameters
        ----------
        stored
            Rows whose key is stored already, and that are otherwise good; set aside for a platform's register only.

        Raises
        ------
        Forbidden
            Rows name a platform, and whoever imports does not see all cameras.
        """
        may = may_register(connection)
        if any(row.get("platform_code") for row in rows) and not may.with_platform:
            message = "the platform of a camera is named by its catalogue, or by who sees all cameras of the city"
            raise Forbidden(message)
        for place, one in enumerate(rows):
            if place not in problems and not may.with_platform and not is_local(str(one["gb28181_id"])):
                problems[place] = _NOT_YOURS_TO_NUMBER
            elif place not in problems and one.get("is_secret") and not may.secret_ones:
                problems[place] = "secret cameras are registered by who sees secret cameras"
        if self.platform_code is not None:
            theirs = of_other_platforms(connection, [rows[row]["gb28181_id"] for row in stored], self.platform_code)
            for row in sorted(stored):
                key = rows[row]["gb28181_id"]
                if key in theirs:
                    problems[row] = f"{key} is a camera of {theirs[key]}: what others say of it is not taken"
                else:
                    self.known.append(row)
                    del problems[row]
        new = [row for row in range(len(rows)) if row not in problems and row not in stored]
        removed = removed_doubles(connection, [str(rows[row]["gb28181_id"]) for row in new])
        gone = {row for row in new if rows[row]["gb28181_id"] in removed}
        self.doubles = len(gone)
        fresh = [
            row
            for row in new
            if row not in gone
            and not is_local(str(rows[row]["gb28181_id"]))
            and not rows[row].get("is_secret")  # a camera that others see does not become a secret one
        ]
        if fresh:
            twins = local_twins(connection, [rows[row]["name"] for row in fresh], geometry[fresh])
            found = {fresh[place]: key for place, key in twins.items()}
            refused = refused_ids(connection, [rows[row]["gb28181_id"] for row in found])
            self.twins = {row: key for row, key in found.items() if rows[row]["gb28181_id"] not in refused}
        return {*self.known, *self.twins, *gone}

    def conclude(
        self,
        connection: Connection,
        rows: Sequence[dict[str, Any]],
        geometry: Any,
        new: Sequence[int],
        ids: Sequence[int],
        notes: list[str],
    ) -> None:
        """Write states and proposals once the new cameras are stored, note the import with its platform, and say so.

        Parameters
        ----------
        new, ids
            Rows that were stored, and the primary keys they got.
        """
        told = Counter(said for row in (*new, *self.known) for said in deviations(rows[row]))
        notes += [f"{count} rows: {said}" for said, count in told.most_common(_MOST_TOLD)]
        keys = [rows[row]["gb28181_id"] for row in self.known]
        secret = [bool(rows[row].get("is_secret")) for row in self.known]
        places = geometry[self.known]
        claimed = claim(connection, keys, secret, places, self.platform_code) if keys and self.platform_code else 0
        moved = propose_moved(connection, keys, secret, places, self.source) if keys else 0
        if self.known:
            notes.append(
                f"{len(self.known)} cameras are stored already: their places were compared, nothing of them was changed"
            )
        if claimed:
            notes.append(
                f"{claimed} of them are this platform's from now on, or secret: it has them where they are stored, or says so"
            )
        if self.twins:
            national = [rows[row]["gb28181_id"] for row in self.twins]
            propose_ids(connection, list(self.twins.values()), national, geometry[list(self.twins)], self.source)
            notes.append(
                f"{len(self.twins)} rows seem to be cameras with a local ID: proposed to give these their national one"
            )
        if self.doubles:
            notes.append(
                f"{self.doubles} cameras were removed as doubles of others and stay away: whoever wants one adds it by itself"
            )
        doubles = propose_doubles(connection, ids, self.source) if ids else 0
        if moved:
            notes.append(f"{moved} cameras are elsewhere now: proposed to move them")
        if doubles:
            notes.append(f"{doubles} new cameras seem to be others by name and place: proposed to remove them")
        if moved or doubles or self.twins:
            notes.append("decide with geo-grid cameras proposals, or at /cameras/proposals")
        reports = [
            StateReport(gb28181_id=rows[row]["gb28181_id"], state=self.states[row])
            for row in (*new, *self.known)
            if row in self.states
        ]
        for start in range(0, len(reports), MOST_AT_ONCE):
            write_states(connection, reports[start : start + MOST_AT_ONCE])
        if self.platform_code is not None:
            note_import(connection, self.platform_code, self.datum_note)
