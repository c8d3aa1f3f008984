"""The compiled boundaries of one edition: finds the leaf cell of a point, its ancestors, and the patrol zone."""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

import shapely

from geo_grid.db import Connection, connect, load_queries
from geo_grid.errors import NotFound, UnreadableFile
from geo_grid.locate.answers import CellKind, ZoneType
from geo_grid.locate.locator import Locator

QUERIES = load_queries("geo_grid.locate", "city.sql")

_KEPT = 5
"""Saved editions kept on disk; about 90 MB each at 20,000 cells."""


class CellFacts(NamedTuple):
    """Attributes of a grid cell in an edition."""

    grid_code: str
    name: str
    is_demo: bool
    parent_code: str | None
    grid_level: int
    cell_kind: CellKind
    household_count: int | None
    households_estimated: bool
    area_m2: float


class ZoneFacts(NamedTuple):
    """Attributes of a patrol zone in an edition."""

    zone_code: str
    name: str
    is_demo: bool
    zone_type: ZoneType
    responsible_unit: str


class CityIndex:
    """The boundaries of one edition, as an index in memory. Immutable; may be shared by threads.

    Attributes
    ----------
    edition
        Number of the edition; None before the first.
    cells, zones
        Locators of the leaf cells (those without children) and of the patrol zones.
    facts, zone_facts
        Facts by code, of cells at all levels and of zones.
    """

    def __init__(
        self, edition: int | None, cells: Locator, zones: Locator, facts: list[CellFacts], zone_facts: list[ZoneFacts]
    ) -> None:
        self.edition = edition
        self.cells = cells
        self.zones = zones
        self.facts = {fact.grid_code: fact for fact in facts}
        self.zone_facts = {fact.zone_code: fact for fact in zone_facts}

    @classmethod
    def compile(cls, connection: Connection, edition: int | None) -> Self:
        """Compile an edition from PostGIS, in one query.

        Where cells overlap in spite of all checks, the smallest code owns the ground, as in PostGIS.
        """
        with connection.cursor(binary=True) as cursor:
            rows = cursor.execute(QUERIES["compile"], {"edition": edition}).fetchall()
        cells = [row for row in rows if row["thing"] == "cell"]
        zones = [row for row in rows if row["thing"] == "zone"]
        return cls(
            edition,
            _locator([row for row in cells if row["geom"] is not None]),
            _locator(zones),
            [CellFacts(row["code"], *(row[name] for name in CellFacts._fields[1:])) for row in cells],
            [ZoneFacts(row["code"], *(row[name] for name in ZoneFacts._fields[1:])) for row in zones],
        )

    def chain(self, leaf: str) -> list[CellFacts]:
        """Return the facts of a cell and its ancestors, outermost first."""
        chain = [self.facts[leaf]]
        while (parent := chain[-1].parent_code) is not None:
            chain.append(self.facts[parent])
        return chain[::-1]

    def codes_at(self, level: int) -> list[str | None]:
        """Return the code at a level of each of the n leaf cells; None for a leaf above that level."""
        return [
            next((fact.grid_code for fact in self.chain(leaf) if fact.grid_level == level), None)
            for leaf in self.cells.codes.tolist()
        ]

    @property
    def levels(self) -> list[int]:
        """Levels that have cells, outermost first."""
        return sorted({fact.grid_level for fact in self.facts.values()})

    def save(self, path: Path) -> None:
        """Save to a folder, atomically: it appears when it is complete."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=path.parent, prefix=".new-"))
        try:
            self.cells.save(fresh / "cells")
            self.zones.save(fresh / "zones")
            about = {"edition": self.edition, "cells": [*self.facts.values()], "zones": [*self.zone_facts.values()]}
            (fresh / "city.json").write_text(json.dumps(about, ensure_ascii=False))
            shutil.rmtree(path, ignore_errors=True)
            fresh.rename(path)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load what `save` wrote; the index is memory-mapped, so that several processes share it.

        Raises
        ------
        UnreadableFile
            The folder is missing, incomplete, or of another format.
        """
        try:
            about = json.loads((path / "city.json").read_text())
            facts = [CellFacts(*row) for row in about["cells"]]
            zones = [ZoneFacts(*row) for row in about["zones"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"{path} is not a saved edition: {error}"
            raise UnreadableFile(message) from None
        return cls(about["edition"], Locator.load(path / "cells"), Locator.load(path / "zones"), facts, zones)


def _locator(rows: list[dict[str, Any]]) -> Locator:
    polygons = shapely.from_wkb([row["geom"] for row in rows])
    return Locator.from_polygons([row["code"] for row in rows], polygons, on_overlap="smallest_code")


def edition_in_force(connection: Connection, at: datetime | None = None) -> int | None:
    """Return the edition in force at a moment; now when not given."""
    found = connection.execute(QUERIES["edition_in_force"], {"at": at}).fetchone()
    return found["edition"] if found else None


def open_city(conninfo: str, folder: Path, edition: int | None, compiled: CityIndex | None = None) -> Path:
    """Compile an edition and save it, unless that was done before.

    Blocks for a second or two, holding the GIL: a server calls it in a worker process. A lock on a file makes concurrent
    callers, also of other processes, wait for one build.

    Parameters
    ----------
    compiled
        The edition, where the caller has compiled it already: it is only saved then.

    Returns
    -------
    The folder to `CityIndex.load`.

    Raises
    ------
    NotFound
        There is no such edition.
    """
    with connect(conninfo) as connection:
        path = folder / saved_name(edition, _published_at(connection, edition))
        with _one_at_a_time(folder):
            try:
                CityIndex.load(path)
                os.utime(path)
            except UnreadableFile:
                (compiled or CityIndex.compile(connection, edition)).save(path)
                _forget_old(folder)
    return path


def saved_name(edition: int | None, published_at: datetime | None) -> str:
    """Return the name of the folder of a saved edition.

    The moment distinguishes editions with the same number of databases that share a state folder.
    """
    return f"edition-{edition}-{published_at.timestamp():.6f}" if published_at is not None else "edition-none"


def _published_at(connection: Connection, edition: int | None) -> datetime | None:
    if edition is None:
        return None
    found = connection.execute(QUERIES["edition"], {"edition": edition}).fetchone()
    if found is None:
        message = f"there is no edition {edition}"
        raise NotFound(message)
    moment: datetime = found["published_at"]
    return moment


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget_old(folder: Path) -> None:
    """Delete the least recently used saved editions; processes that have one mapped can go on using it."""
    saved = sorted(folder.glob("edition-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in saved[_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
