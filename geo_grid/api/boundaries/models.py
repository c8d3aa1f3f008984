"""What /boundaries takes and answers."""

from datetime import time
from typing import Annotated, Any, Literal, get_args

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from geo_grid.api.server.problems import Problem
from geo_grid.boundaries.drafts import NEEDS
from geo_grid.boundaries.drawing import CellCollection
from geo_grid.boundaries.findings import Finding
from geo_grid.moments import Moment

DraftId = Annotated[int, Path(ge=1, le=2**63 - 1)]
EditionId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
MISSING: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "No such draft or edition"}}
CHANGING = MISSING | {
    409: {"model": Problem, "description": "It is submitted, published, discarded, or behind the boundaries in force"},
    412: {"model": Problem, "description": "Somebody else did or undid a step meanwhile"},
}


class Given(BaseModel):
    """A body: what is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class NewDraft(Given):
    """A draft to begin."""

    title: Text


_DEEPEST = 4
"""Lists within lists: the polygons of a MultiPolygon, their rings, positions, numbers."""


def _shallow(coordinates: list[Any]) -> list[Any]:
    """Return coordinates that lie no deeper than those of a MultiPolygon. Raises ValueError."""
    level: list[Any] = coordinates
    for _ in range(_DEEPEST):
        level = [each for part in level if isinstance(part, list) for each in part]
    if level:
        message = f"coordinates are at most {_DEEPEST} lists within each other"
        raise ValueError(message)
    return coordinates


class Geometry(Given):
    """A GeoJSON geometry: lon, lat, CGCS2000 or WGS 84, degrees."""

    type: Literal["LineString", "Polygon", "MultiPolygon"]
    coordinates: Annotated[list[Any], AfterValidator(_shallow)]


Seen = Annotated[int | None, Field(ge=0, le=10**6, description="how many steps you saw: refused if others came")]


Code = Annotated[str, Field(max_length=64)]


class Group(Given):
    """Cells that belong together; without a parent's code a new one is made for them."""

    parent_code: Code | None = None
    codes: Annotated[list[Code], Field(min_length=1, max_length=3000)]


class Duty(Given):
    """Somebody who answers for a cell from then on."""

    duty_role: Literal["grid_lead", "grid_manager", "grid_assistant"]
    person_name: Text
    phone: Annotated[str, Field(max_length=32)] = ""


class Stop(Given):
    """Where a patrol of a zone must stop, and between which times of day."""

    name: Text
    point: tuple[Annotated[float, Field(ge=-180, le=180)], Annotated[float, Field(ge=-90, le=90)]]
    window_from: time | None = None
    window_to: time | None = None


Operation = Literal[
    "split", "merge", "move_border", "carve", "reshape", "transfer", "describe", "regroup", "restore", "create",
    "retire", "set_duties", "set_stops",
]  # fmt: skip
_SEVERAL = ("merge", "carve")


def _needs() -> str:
    """Say what each operation cannot do without, as `edit_draft` asks for it."""
    lines = []
    for operation, (count, needed) in NEEDS.items():
        if operation in get_args(Operation):
            codes = [f"`codes` ({count}{' or more' if operation in _SEVERAL else ''})"] if count else []
            lines.append(f"- `{operation}`: {', '.join([*codes, *(f'`{name}`' for name in needed)])}")
    return "\n".join(lines)


class NewStep(Given):
    """An operation on cells or patrol zones."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "description": f"An operation on cells or patrol zones. What each cannot do without:\n\n{_needs()}\n\n"
            "Other fields say more where their description names the operation."
        },
    )

    operation: Operation = Field(description="what is done")
    codes: list[Code] = Field([], max_length=500, description="of the cells or zones it is done to")
    line: Geometry | None = Field(
        None,
        description="LineString. split: from border to border; move_border: the new border, beginning and ending outside"
        " of both; create, reshape: of a patrol segment",
    )
    area: Geometry | None = Field(
        None, description="Polygon. carve: what is carved out; reshape: the new shape; create: of a patrol zone"
    )
    parent_code: Code | None = Field(None, description="transfer: the cell it becomes a part of")
    keep: Code | None = Field(None, description="merge: whose code stays; the largest one's when not given")
    name: Text | None = Field(None, description="carve, create: of what is made; describe: the new name")
    household_count: Annotated[int, Field(ge=0, le=10**6)] | None = Field(None, description="describe")
    layer: Literal["grid_cells", "patrol_zones"] = Field("grid_cells", description="what is redrawn")
    cell_kind: Literal["basic", "dedicated", "regular", "temporary"] | None = Field(
        None, description="carve, create, describe: of a grid cell, or zone_type of a patrol zone"
    )
    responsible_unit: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="create, describe: of a patrol zone"
    )
    duties: Annotated[list[Duty], Field(max_length=100)] | None = Field(
        None, description="set_duties: all who answer for the cell from then on"
    )
    stops: Annotated[list[Stop], Field(max_length=200)] | None = Field(
        None, description="set_stops: all mandatory stops of the zone"
    )
    edition: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = Field(None, description="restore: which one")
    groups: Annotated[list[Group], Field(min_length=1, max_length=200)] | None = Field(
        None, description="regroup: which cells belong together"
    )
    reason: Annotated[str, Field(max_length=2000)] = Field("", description="why, for the history")
    seen: Seen = None


class Going(Given):
    """Going on with a draft as it was read."""

    seen: Seen = None


class Approval(Given):
    """Why, and when it comes into force: at once if no time is given."""

    note: Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
    effective_at: Moment | None = None


class Reason(Given):
    """Why a draft is not approved."""

    reason: Annotated[str, Field(max_length=2000)] = ""


class Step(BaseModel):
    """A step of a draft."""

    step_number: int
    operation: str
    arguments: dict[str, Any]
    author: str
    reason: str
    done_at: AwareDatetime
    undone_at: AwareDatetime | None


class Draft(BaseModel):
    """A draft and its state."""

    draft_id: int
    title: str
    base_edition_id: int
    made_by: str
    made_at: AwareDatetime
    steps: int = Field(description="not counting those undone")
    is_stale: bool = Field(description="another edition came into force after its base: rebase it")
    submitted_at: AwareDatetime | None
    submitted_by: str | None
    approved_at: AwareDatetime | None
    approved_by: str | None
    note: str | None
    effective_at: AwareDatetime | None
    returned_because: str | None
    published_edition_id: int | None
    discarded_at: AwareDatetime | None


class DraftInFull(Draft):
    """A draft with its steps, those undone too."""

    history: list[Step]


class Drafts(BaseModel):
    """Drafts that whoever asks may see, the oldest first."""

    drafts: list[Draft]


class Edition(BaseModel):
    """An edition of the boundaries."""

    edition_id: int
    valid_from: AwareDatetime
    published_at: AwareDatetime
    note: str
    is_demo: bool
    draft_id: int | None
    title: str | None
    submitted_by: str | None
    approved_by: str | None


class Editions(BaseModel):
    """Editions, the newest first."""

    editions: list[Edition]


class Findings(BaseModel):
    """Findings, errors first."""

    findings: list[Finding]
    count: int


class Wish(Given):
    """What is to be shared out evenly, and how."""

    parents: Annotated[list[Code], Field(min_length=2, max_length=200)]
    measure: Literal["households", "incidents", "visiting_time"] = "households"
    count: Annotated[
        int | None, Field(ge=2, le=200, description="how many groups; as many as parents if not given")
    ] = None
    locked: list[Code] = Field([], max_length=200, description="parents that keep what they have")
    along_roads: bool = False
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1


class Measured(BaseModel):
    """How good a way to group cells is."""

    loads: dict[str, float]
    deviation: float
    compactness: float
    cut_edges: int
    moved: float


class Proposed(BaseModel):
    """A way to group cells; its groups are those of the step `regroup`."""

    aim: Literal["present", "balanced", "compact", "least_moved"]
    groups: list[Group]
    measures: Measured


class Proposals(BaseModel):
    """The present, and what could be instead."""

    present: Proposed
    proposals: list[Proposed]
    along_roads: bool = Field(description="whether main roads divide these cells, and were followed")


class OverloadedCell(BaseModel):
    """A cell with too much to do."""

    grid_code: str
    name: str
    households: int
    workers: int = Field(description="grid managers")
    assistants: int
    households_per_worker: int | None = Field(description="by grid managers")


class Overloaded(BaseModel):
    """Cells with too much to do, the worst first."""

    cells: list[OverloadedCell]


class Agreement(CellCollection):
    """Cells with the share of their recorded incidents that is still theirs."""

    count: int = Field(description="incidents whose recorded owner is known")
    agreed: float | None = Field(description="the share of all that the boundaries in force give to the recorded owner")
    gone: dict[str, int] = Field(
        description="recorded owners that are in force no more, or not to be seen by whoever asks, with how many incidents"
    )
