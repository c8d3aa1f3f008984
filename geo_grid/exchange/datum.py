"""Guesses when a file's coordinates are in another Chinese datum than it is said: they lie hundreds of metres off."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from psycopg import sql

from geo_grid.coordinates import geometry_to_lonlat
from geo_grid.db import Connection, load_queries
from geo_grid.errors import UserError
from geo_grid.files.door import Table
from geo_grid.layers import Layer

QUERIES = load_queries("geo_grid.exchange", "importing.sql")
_DATUMS = {"EPSG:4490": "WGS 84 or CGCS2000", "GCJ-02": "GCJ-02", "BD-09": "BD-09"}
_SAME = {"EPSG:4326": "EPSG:4490", "GCJ02": "GCJ-02", "BD09": "BD-09"}
_SAMPLE, _MOST_KEYS = 300, 5_000
_LONGEST = 256
"""Characters of a name that are compared: as many as any has that is stored, and more."""
_ENOUGH = 10
"""Points with something to compare with, at least."""
_FARTHER, _LEAST_M = 2.0, 40.0
"""As asked, the points must lie so many times, and so many metres, farther off; the datums differ by 100 to 1,000 m."""
_SURE, _NEAR_M = 3, 20.0
"""Things that are stored under their key, of which so many lie within so many metres in another datum and far off as asked: by chance
none does."""


class SeemsMislabelled(UserError):
    """The coordinates of a file seem to be in another datum than was said; `doubt` says why."""

    def __init__(self, message: str, doubt: str = "") -> None:
        super().__init__(message)
        self.doubt = doubt or message


def guess_datum(connection: Connection, layer: Layer, table: Table, crs: str, keys: Sequence[str | None]) -> str | None:
    """Say when points would lie much nearer to what they belong to if they were read in another datum.

    Points are compared with what is stored under their key, with stored things of the same name, and with the nearest road. A guess:
    the import is refused until whoever imports corrects the datum, or says that it is certain.

    Parameters
    ----------
    crs
        What the coordinates are said to be in; only longitudes and latitudes are judged.
    keys
        Of the rows; None where there is none.
    """
    asked = _SAME.get(crs.upper(), crs.upper())
    if asked not in _DATUMS or "Point" not in layer.geometry_types:
        return None
    points = np.asarray(table.geometry, dtype=object)
    good = np.array([g is not None and g.geom_type == "Point" and not g.is_empty and _is_near_china(g) for g in points])
    if found := _by_key(connection, layer, points, np.flatnonzero(good), asked, keys):
        return found
    chosen = np.flatnonzero(good)
    chosen = chosen[:: max(len(chosen) // _SAMPLE, 1)]
    if len(chosen) < _ENOUGH:
        return None
    names = None
    if "name" in layer.fields and "name" in table.attributes:
        names = table.attributes["name"].iloc[chosen].astype(str).str.slice(0, _LONGEST).tolist()
    for what, measure in (("things of the same name", "datum_by_name"), ("roads", "datum_by_road")):
        if measure == "datum_by_name" and names is None:
            continue
        off = {datum: _median(connection, layer, measure, points[chosen], datum, names) for datum in _DATUMS}
        known = {datum: metres for datum, metres in off.items() if metres is not None}
        if asked not in known:
            continue
        best = min(known, key=lambda datum: known[datum])
        if best != asked and known[asked] > _FARTHER * known[best] and known[asked] - known[best] > _LEAST_M:
            return (
                f"the coordinates look like {_DATUMS[best]}, not {_DATUMS[asked]}: read so, half of them lie within "
                f"{known[best]:.0f} m of {what}, as asked {known[asked]:.0f} m"
            )
    return None


def _by_key(
    connection: Connection, layer: Layer, points: Any, good: Any, asked: str, keys: Sequence[str | None]
) -> str | None:
    """Compare points with what is stored under their keys; some rows in another datum are enough, as where two files became one."""
    chosen = [row for row in good.tolist() if keys[row]]
    chosen = chosen[:: max(len(chosen) // _MOST_KEYS, 1)]
    if len(chosen) < _SURE:
        return None
    statement = sql.SQL(QUERIES["datum_by_key"]).format(table=sql.Identifier(layer.name), key=sql.Identifier(layer.key))
    values = {"keys": [keys[row] for row in chosen]}

    def off(datum: str) -> dict[int, float]:
        wkb = list(shapely.to_wkb(geometry_to_lonlat(points[chosen], datum)))
        return {row["number"]: row["metres"] for row in connection.execute(statement, values | {"wkb": wkb}).fetchall()}

    said = off(asked)
    far = {number: metres for number, metres in said.items() if metres > 2 * _NEAR_M + _LEAST_M}
    if len(far) < _SURE:
        return None
    for datum in (other for other in _DATUMS if other != asked):
        near = [far[number] for number, metres in off(datum).items() if metres <= _NEAR_M and number in far]
        if len(near) >= _SURE:
            return (
                f"of {len(said)} that are stored already, {len(near)} look like {_DATUMS[datum]}, not {_DATUMS[asked]}: read so, they lie"
                f" within {_NEAR_M:.0f} m of where they are stored, as asked {float(np.median(near)):.0f} m off"
            )
    return None


def _median(
    connection: Connection, layer: Layer, measure: str, points: Any, datum: str, names: list[str] | None
) -> float | None:
    """Return the median distance in metres; None where there is too little to compare with."""
    wkb = list(shapely.to_wkb(geometry_to_lonlat(points, datum)))
    statement = sql.SQL(QUERIES[measure]).format(table=sql.Identifier(layer.name))
    metres = [row["metres"] for row in connection.execute(statement, {"wkb": wkb, "names": names}).fetchall()]
    return float(np.median(metres)) if len(metres) >= _ENOUGH else None


def _is_near_china(point: Any) -> bool:
    return bool(70 <= point.x <= 140 and 0 <= point.y <= 60)
