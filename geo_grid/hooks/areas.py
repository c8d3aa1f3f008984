"""Areas that free units reach, or no longer: each change is told once, whichever server looks."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from geo_grid.db import Connection, load_queries

QUERIES = load_queries("geo_grid.hooks", "hooks.sql")


class AreaNow(BaseModel):
    """Whether a free unit reaches any of a county or patrol zone: the payload of area.covered and area.uncovered."""

    area_kind: Literal["county", "zone"]
    code: str
    name: str
    is_covered: bool
    as_of: datetime


def note_areas(connection: Connection, areas: Iterable[AreaNow]) -> None:
    """Write letters for the areas that changed since the last time; one that is seen for the first time is only noted.

    Parameters
    ----------
    areas
        All areas as they are now; others are forgotten.
    """
    said = json.dumps([area.model_dump(mode="json") for area in areas], ensure_ascii=False)
    connection.execute(QUERIES["note_areas"], {"areas": said})
