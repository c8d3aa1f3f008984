"""Models of requests and answers of /boundaries."""

from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import AwareDatetime, BaseModel, Field

from geo_grid.api.server.problems import PROBLEM
from geo_grid.boundaries.drawing import CellCollection
from geo_grid.boundaries.findings import Finding
from geo_grid.boundaries.loads import State
from geo_grid.boundaries.norms import Outside
from geo_grid.boundaries.steps import Code, Given, Group, Seen, Text
from geo_grid.moments import Moment
from geo_grid.wording import Worded

DraftId = Annotated[int, Path(ge=1, le=2**63 - 1)]
EditionId = Annotated[int, Path(ge=1, le=2**63 - 1)]
MISSING: dict[int | str, dict[str, Any]] = {404: PROBLEM | {"description": "No such draft or edition"}}
CHANGING = MISSING | {
    409: PROBLEM | {"description": "It is submitted, published, discarded, or behind the boundaries in force"},
    412: PROBLEM | {"description": "Somebody else did or undid a step meanwhile"},
}


class NewDraft(Given):
    """A draft to begin."""

    title: Text


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
    returned_because: Worded | None
    published_edition_id: int | None
    discarded_at: AwareDatetime | None


class DraftInFull(Draft):
    """A draft with its steps, those undone too."""

    history: list[Step]


class Drafts(BaseModel):
    """Drafts that the principal may see, the oldest first."""

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
    """Parameters of a proposal: which cells are regrouped, and by which load."""

    parents: Annotated[list[Code], Field(min_length=2, max_length=200)]
    measure: Literal["households", "incidents", "visiting_time"] = "households"
    count: Annotated[
        int | None, Field(ge=2, le=200, description="how many groups; as many as parents if not given")
    ] = None
    locked: list[Code] = Field([], max_length=200, description="parents that keep what they have")
    along_roads: bool = False
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1


class Measured(BaseModel):
    """Quality measures of a grouping of cells."""

    loads: dict[str, float]
    deviation: float
    compactness: float
    cut_edges: int
    moved: float


class Proposed(BaseModel):
    """A grouping of cells; its groups are the arguments of the step `regroup`."""

    aim: Literal["present", "balanced", "compact", "least_moved"]
    groups: list[Group]
    measures: Measured


class Proposals(BaseModel):
    """The present grouping, and alternatives."""

    present: Proposed
    proposals: list[Proposed]
    along_roads: bool = Field(description="whether main roads divide these cells, and were followed")


class CellLoad(BaseModel):
    """How many households each grid manager of a cell has."""

    grid_code: str
    name: str
    households: int
    workers: int = Field(description="grid managers")
    assistants: int
    households_per_worker: int | None = Field(description="by grid managers")
    state: State | None = Field(description="beyond the norm, or with households and no manager; null: neither")
    is_covered: bool = Field(description="without a manager of its own, but within a cell that has one")
    bbox: tuple[float, float, float, float] = Field(description="west, south, east, north in degrees")


class CellLoads(BaseModel):
    """Cells of a level, the most households per grid manager first."""

    level: int
    cells: list[CellLoad]


class Part(BaseModel):
    """A cell or zone as a step that is being drawn would leave it."""

    grid_code: str
    name: str
    households_before: int | None
    households_after: int | None
    is_estimate: bool = Field(description="households are shared out by area")
    incidents_before: int = Field(description="of the last twelve months")
    incidents_after: int
    area_before_m2: float = Field(description="on the ellipsoid")
    area_after_m2: float
    norm: Outside | None = Field(description="side of the norm of households on which it would lie")


class Preview(BaseModel):
    """What a step would do, by cell, or why it cannot be done so far."""

    parts: list[Part]
    refused: Worded | None


class Agreement(CellCollection):
    """Cells with the share of their recorded incidents that they still own."""

    count: int = Field(description="incidents whose recorded owner is known")
    agreed: float | None = Field(description="the share of all that the boundaries in force give to the recorded owner")
    gone: dict[str, int] = Field(
        description="recorded owners that are in force no more, or not to be seen by whoever asks, with how many incidents"
    )
