"""Comparison of the owner that incidents were recorded with, and their owner by the boundaries in force."""

from collections import Counter
from typing import Any

import shapely

from geo_grid.db import Connection, load_queries
from geo_grid.layers.geojson import as_geojson

QUERIES = load_queries("geo_grid.boundaries", "agreement.sql")


def recorded_agreement(connection: Connection) -> dict[str, Any]:
    """Compare the recorded owner of incidents with the present one, by cell. They differ where boundaries have moved.

    Returns
    -------
    `features`: the cells that incidents were recorded for, each with `recorded` (number of incidents), `agreed` (share
    that the cell still owns) and `went_to` (code of the cell that owns most of the others); `agreed`: share over all
    cells; `count`: number of incidents; `gone`: recorded codes that are no longer in force, with their numbers.
    """
    rows = connection.execute(QUERIES["pairs"]).fetchall()
    recorded: Counter[str] = Counter()
    agreed: Counter[str] = Counter()
    elsewhere: dict[str, Counter[str]] = {}
    for row in rows:
        recorded[row["recorded"]] += row["count"]
        if row["recorded"] == row["owner"]:
            agreed[row["recorded"]] += row["count"]
        else:
            elsewhere.setdefault(row["recorded"], Counter())[row["owner"]] += row["count"]
    cells = connection.execute(QUERIES["cells"], {"codes": list(recorded)}).fetchall()
    features = [
        {
            "id": cell["grid_code"],
            "properties": {
                "grid_code": cell["grid_code"],
                "name": cell["name"],
                "recorded": recorded[cell["grid_code"]],
                "agreed": round(agreed[cell["grid_code"]] / recorded[cell["grid_code"]], 4),
                "went_to": next(iter(elsewhere.get(cell["grid_code"], Counter()).most_common(1)), (None,))[0],
            },
            "geometry": as_geojson(shapely.from_wkb(bytes(cell["geom"]))),
        }
        for cell in cells
    ]
    total = sum(recorded.values())
    known = {cell["grid_code"] for cell in cells}
    return {
        "features": features,
        "count": total,
        "agreed": round(sum(agreed.values()) / total, 4) if total else None,
        "gone": {code: count for code, count in sorted(recorded.items()) if code not in known},
    }
