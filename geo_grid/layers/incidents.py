"""Incidents 警情: what happened where, on which step of the six, and whose it is."""

from typing import Literal

from pydantic import Field

from geo_grid.layers.layer import Layer, LayerRow
from geo_grid.moments import Happened

Step = Literal["reported", "accepted", "assigned", "handled", "fed_back", "verified", "evaluated"]
"""The stages of all loops; which of them a matter goes through, its loop says (geo_grid/workflow/loop.py)."""


class IncidentRow(LayerRow):
    """One incident as a file or a caller gives it."""

    incident_number: str | None = Field(None, max_length=64)
    category: str = Field(
        min_length=1, max_length=100, description="code of a category, or its name; other names are kept"
    )
    subtype: str = Field("", max_length=100)
    description: str = Field("", max_length=10_000)
    address: str = Field("", max_length=400)
    caller_number: str | None = Field(None, max_length=40)
    received_at: Happened | None = None
    recorded_zone: str | None = Field(None, max_length=64)


LAYER = Layer(
    name="incidents",
    title_zh="警情",
    title_en="Incidents",
    row=IncidentRow,
    key="incident_number",
    geometry_types=("Point",),
    stored_type="Point",
    is_assigned=True,
    item_key="incident_id",
    more={"incident_id": "bigint", "step": "text"},
    hidden=frozenset({"caller_number"}),
    private=frozenset({"description", "address"}),
    moments=("received_at",),
)
