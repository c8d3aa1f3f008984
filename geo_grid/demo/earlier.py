"""The demo's incidents of the months before the last: nobody waits for them at a first start, so they come after it."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
from pandas import DataFrame

from geo_grid.db import Connection, load_queries
from geo_grid.demo.rows import copy_frame

QUERIES = load_queries("geo_grid.demo", "earlier.sql")

_LAST = timedelta(days=31)
"""What a city shows at once: its open matters, today, and the same weekdays of the weeks before."""


def set_aside(incidents: DataFrame, until: datetime, path: Path | None) -> DataFrame:
    """Write the incidents before the last month to a file, if there is one, in the order they came in; return the others.

    With them goes the first of the others, by which `load_earlier` knows the city they belong to.
    """
    before = int((incidents["received_at"] < pd.Timestamp(until - _LAST)).sum())
    if path is not None and 0 < before < len(incidents):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            incidents.iloc[: before + 1].to_parquet(file)
        return incidents.iloc[before:]
    return incidents


def load_earlier(connection: Connection, path: Path) -> int:
    """Load what `set_aside` wrote, in the caller's transaction, and return the number of incidents.

    Returns 0 when they are stored already, or when the database does not hold the city that they belong to.
    """
    incidents = pd.read_parquet(path)
    numbers = [incidents["incident_number"].iloc[place] for place in (0, -1)]
    stored = connection.execute(QUERIES["stored"], {"numbers": numbers}).fetchall()
    if [row["incident_number"] for row in stored] != numbers[1:]:
        return 0
    return copy_frame(connection, "incidents", incidents.iloc[:-1])
