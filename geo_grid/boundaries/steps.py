"""The steps of a draft: operations on grid cells and patrol zones, one model with typed arguments for each.

They are defined only here: HTTP accepts these models, the command line fills them from its options, and a draft stores
them as rows.
"""

import itertools
import json
from datetime import time
from typing import Annotated, Any, ClassVar, Literal, Self

import shapely
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from geo_grid.boundaries import operations, redrawing
from geo_grid.boundaries import zones as zoning
from geo_grid.boundaries.division import Division, Edits, Refused
from geo_grid.boundaries.reading import CELLS, ZONES
from geo_grid.boundaries.zones import Zones
from geo_grid.errors import told
from geo_grid.layers.layer import Name

_DEEPEST = 4
"""Deepest nesting of GeoJSON coordinates: polygons of a MultiPolygon, their rings, positions, numbers."""
KINDS: dict[str, tuple[str, ...]] = {CELLS: ("basic", "dedicated"), ZONES: ("regular", "temporary")}
"""Kinds by layer: `cell_kind` of a grid cell, zone_type of a patrol zone."""

Code = Annotated[str, Field(max_length=64)]
Text = Annotated[Name, Field(min_length=1, max_length=200, pattern=r"\S")]
OneCode = Annotated[list[Code], Field(min_length=1, max_length=1, description="of the cell or zone")]
Layer = Literal["grid_cells", "patrol_zones"]
Kind = Literal["basic", "dedicated", "regular", "temporary"]
Seen = Annotated[int | None, Field(ge=0, le=10**6, description="how many steps you saw: refused if others came")]


def _shallow(coordinates: list[Any]) -> list[Any]:
    """Return coordinates if they are nested no deeper than those of a MultiPolygon. Raises ValueError."""
    level: list[Any] = coordinates
    for _ in range(_DEEPEST):
        level = list(itertools.chain.from_iterable(part for part in level if isinstance(part, list)))
    if level:
        message = f"coordinates are at most {_DEEPEST} lists within each other"
        raise ValueError(message)
    return coordinates


class Given(BaseModel):
    """Base of models in requests: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Geometry(Given):
    """A GeoJSON geometry: lon, lat, CGCS2000 or WGS 84, degrees."""

    type: Literal["LineString", "Polygon", "MultiPolygon"]
    coordinates: Annotated[list[Any], AfterValidator(_shallow)]

    def shape(self, name: str) -> Any:
        """Return the geometry as a shapely object. Raises Refused, with `name` in the message."""
        try:
            shape = shapely.from_geojson(json.dumps({"type": self.type, "coordinates": self.coordinates}))
        except (shapely.errors.ShapelyError, TypeError, ValueError):
            shape = None
        if shape is None or shapely.is_empty(shape):
            message = f"the {name} is no GeoJSON geometry"
            raise Refused(message)
        west, south, east, north = shapely.total_bounds(shape)
        if not (west >= -180 and south >= -90 and east <= 180 and north <= 90):
            message = f"the {name} leaves the earth: write lon between -180 and 180, lat between -90 and 90, degrees"
            raise Refused(message)
        return shape


class Group(Given):
    """Cells that belong together; without a parent's code a new one is made for them."""

    parent_code: Code | None = None
    codes: Annotated[list[Code], Field(min_length=1, max_length=3000), FailFast()]


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


class Step(Given):
    """A step of a draft.

    Attributes
    ----------
    operation
        Its name.
    layer
        What is redrawn.
    reason
        Why, for the history.
    seen
        Number of steps that the author saw: the step is refused if the draft has another number now. None: not checked.
    """

    needs_city: ClassVar[bool] = False
    """Whether only a principal of the whole city may do it."""

    operation: str
    layer: Layer = CELLS
    reason: Annotated[str, Field(max_length=2000)] = Field("", description="why, for the history")
    seen: Seen = None

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that a draft stores beside operation and reason, as JSON."""
        kept = self.model_dump(mode="json", exclude={"operation", "reason", "seen"}, exclude_none=True)
        if self.layer == CELLS:
            del kept["layer"]  # stored only if it is not the default
        return kept

    def named(self) -> list[str]:
        """Return the codes of all cells or zones that the step names."""
        return [*getattr(self, "codes", ())]


class Redrawing(Step):
    """A step that changes boundaries, or what is said of a cell or zone."""

    cell_kind: Kind | None = None

    @model_validator(mode="after")
    def _kind_of_layer(self) -> Self:
        if self.cell_kind not in {None, *KINDS[self.layer]}:
            message = f"{self.cell_kind} is no kind of {self.layer}; known are {', '.join(KINDS[self.layer])}"
            raise ValueError(message)
        return self

    def edits(self, division: Any) -> Edits:
        """Return the edits of the step to a division of its layer. Raises Refused."""
        raise NotImplementedError


class Split(Redrawing):
    """Divide a cell or zone by a line."""

    operation: Literal["split"] = "split"
    codes: OneCode
    line: Geometry = Field(description="LineString from border to border")

    def edits(self, division: Division) -> Edits:
        """See `operations.split`."""
        return operations.split(division, self.codes[0], self.line.shape("line"))


class Merge(Redrawing):
    """Make neighbours one."""

    operation: Literal["merge"] = "merge"
    codes: Annotated[list[Code], Field(min_length=2, max_length=500)]
    keep: Code | None = Field(None, description="whose code stays; the largest one's when not given")

    def named(self) -> list[str]:
        """Return the codes of all cells or zones that the step names."""
        return [*self.codes, *([self.keep] if self.keep else [])]

    def edits(self, division: Division) -> Edits:
        """See `operations.merge`."""
        return operations.merge(division, self.codes, self.keep)


class MoveBorder(Redrawing):
    """Draw the border between two neighbours anew."""

    operation: Literal["move_border"] = "move_border"
    codes: Annotated[list[Code], Field(min_length=2, max_length=2)]
    line: Geometry = Field(description="LineString: the new border, beginning and ending outside of both")

    def edits(self, division: Division) -> Edits:
        """See `operations.move_border`."""
        return operations.move_border(division, self.codes[0], self.codes[1], self.line.shape("line"))


class Carve(Redrawing):
    """Carve a new one out of one or several."""

    operation: Literal["carve"] = "carve"
    codes: Annotated[list[Code], Field(min_length=1, max_length=500)]
    area: Geometry = Field(description="Polygon: what is carved out")
    name: Text

    def edits(self, division: Division) -> Edits:
        """See `operations.carve`."""
        kind = self.cell_kind or ("dedicated" if self.layer == CELLS else "regular")
        return operations.carve(division, self.codes, self.area.shape("area"), self.name, kind)


class Reshape(Redrawing):
    """Draw a cell, zone or patrol segment anew."""

    operation: Literal["reshape"] = "reshape"
    codes: OneCode
    area: Geometry | None = Field(None, description="Polygon: the new shape")
    line: Geometry | None = Field(None, description="LineString: of a patrol segment")

    def edits(self, division: Division) -> Edits:
        """See `operations.reshape`, `zones.redraw_segment`."""
        if self.area is not None:
            return operations.reshape(division, self.codes[0], self.area.shape("area"))
        if self.line is not None and isinstance(division, Zones):
            return zoning.redraw_segment(division, self.codes[0], self.line.shape("line"))
        message = f"reshape of {self.layer} needs area" + (" or line" if self.layer == ZONES else "")
        raise Refused(message)


class Describe(Redrawing):
    """Change what is said of a cell or zone; what is not given stays."""

    operation: Literal["describe"] = "describe"
    codes: OneCode
    name: Text | None = None
    household_count: Annotated[int, Field(ge=0, le=10**6)] | None = None
    responsible_unit: Annotated[str, Field(max_length=200)] | None = Field(None, description="of a patrol zone")

    def edits(self, division: Division) -> Edits:
        """See `operations.describe`."""
        return operations.describe(
            division, self.codes[0], self.name, self.household_count, self.cell_kind, self.responsible_unit
        )


class Transfer(Redrawing):
    """Make a cell part of another parent."""

    operation: Literal["transfer"] = "transfer"
    layer: Literal["grid_cells"] = CELLS
    codes: OneCode
    parent_code: Code = Field(description="the cell it becomes a part of")

    def named(self) -> list[str]:
        """Return the codes of all cells or zones that the step names."""
        return [*self.codes, self.parent_code]

    def edits(self, division: Division) -> Edits:
        """See `operations.transfer`."""
        return operations.transfer(division, self.codes[0], self.parent_code)


class Regroup(Redrawing):
    """Give all that some neighbours contain to one another anew."""

    operation: Literal["regroup"] = "regroup"
    layer: Literal["grid_cells"] = CELLS
    groups: Annotated[list[Group], Field(min_length=1, max_length=200)] = Field(
        description="which cells belong together"
    )

    def named(self) -> list[str]:
        """Return the codes of all cells or zones that the step names."""
        parents = [group.parent_code for group in self.groups if group.parent_code is not None]
        return [*parents, *(code for group in self.groups for code in group.codes)]

    def edits(self, division: Division) -> Edits:
        """See `operations.regroup`."""
        return operations.regroup(division, [group.model_dump() for group in self.groups])


class RedrawnCell(Given):
    """A cell as a file draws it."""

    grid_code: Code | None = None
    name: Text | None = None
    parent_code: Code | None = None
    household_count: int | None = None
    cell_kind: Kind | None = None
    geometry: dict[str, Any]


class Redraw(Redrawing):
    """Divide the ground of some cells anew, as a file says."""

    operation: Literal["redraw"] = "redraw"
    layer: Literal["grid_cells"] = CELLS
    codes: Annotated[list[Code], Field(min_length=1)]
    cells: list[RedrawnCell]
    kind: str = Field("redraw", description="what it looks like: split, merge, carve, move_border or redraw")

    def named(self) -> list[str]:
        """Return the codes of all cells or zones that the step names."""
        return [*self.codes, *(cell.grid_code for cell in self.cells if cell.grid_code is not None)]

    def edits(self, division: Division) -> Edits:
        """See `redrawing.redraw`."""
        return redrawing.redraw(division, self.codes, [cell.model_dump() for cell in self.cells])


class Create(Redrawing):
    """Make a patrol zone, or a patrol segment."""

    operation: Literal["create"] = "create"
    layer: Literal["patrol_zones"] = ZONES
    name: Text
    area: Geometry | None = Field(None, description="Polygon: of a patrol zone")
    line: Geometry | None = Field(None, description="LineString: of a patrol segment")
    responsible_unit: Annotated[str, Field(max_length=200)] = ""
    code: Code | None = Field(None, description="a code never given before; numbered anew when not given")

    def edits(self, division: Any) -> Edits:
        """See `zones.create`."""
        return zoning.create(
            division,
            self.name,
            self.area.shape("area") if self.area else None,
            self.line.shape("line") if self.line else None,
            self.responsible_unit,
            self.cell_kind or "regular",
            self.code,
        )


class Retire(Redrawing):
    """End a patrol segment or a temporary zone."""

    operation: Literal["retire"] = "retire"
    layer: Literal["patrol_zones"] = ZONES
    codes: OneCode

    def edits(self, division: Any) -> Edits:
        """See `zones.retire`."""
        return zoning.retire(division, self.codes[0])


class Restore(Step):
    """Set every cell and zone as a former edition had it."""

    needs_city = True
    operation: Literal["restore"] = "restore"
    edition: Annotated[int, Field(ge=1, le=2**63 - 1)]


class SetDuties(Step):
    """Say who answers for cells from then on: it comes into force with the boundaries."""

    operation: Literal["set_duties"] = "set_duties"
    layer: Literal["grid_cells"] = CELLS
    codes: Annotated[list[Code], Field(min_length=1, max_length=500)]
    duties: Annotated[list[Duty], Field(max_length=100)]


class SetStops(Step):
    """Say all mandatory stops of zones: it comes into force with the boundaries."""

    needs_city = True
    operation: Literal["set_stops"] = "set_stops"
    layer: Literal["patrol_zones"] = ZONES
    codes: Annotated[list[Code], Field(min_length=1, max_length=500)]
    stops: Annotated[list[Stop], Field(max_length=200)]


class Note(Step):
    """Pin a note to a place of the draft, for whoever works on it or approves it; it changes nothing."""

    operation: Literal["note"] = "note"
    point: tuple[Annotated[float, Field(ge=-180, le=180)], Annotated[float, Field(ge=-90, le=90)]] = Field(
        description="lon, lat in degrees"
    )
    text: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]


type AskedStep = Annotated[
    Split | Merge | MoveBorder | Carve | Reshape | Describe | Transfer | Regroup | Create | Retire | Restore | SetDuties
    | SetStops | Note,
    Field(discriminator="operation"),
]  # fmt: skip
"""A step that a client may send."""
type AnyStep = Annotated[AskedStep | Redraw, Field(discriminator="operation")]
"""A step that a draft may store: also `Redraw`, which only the import of a file makes."""
_STEPS: TypeAdapter[AnyStep] = TypeAdapter(AnyStep)


def as_step(operation: str, arguments: dict[str, Any], reason: str = "") -> AnyStep:
    """Make a step from a row of a draft, options of a command, or a file. Raises Refused when arguments are not valid."""
    try:
        return _STEPS.validate_python({**arguments, "operation": operation, "reason": reason})
    except ValidationError as error:
        message = f"{operation} {', '.join(_fault(operation, fault) for fault in error.errors(include_url=False))}"
        raise Refused(message) from None


def _fault(operation: str, fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"] if part != operation)  # the union names the model first
    if fault["type"] == "missing":
        return f"needs {where}"
    if fault["type"] == "too_short":
        return f"needs at least {fault['ctx']['min_length']} of {where}"
    if fault["type"] == "extra_forbidden":
        return f"takes no {where}"
    if where == "layer":
        return f"is not done to {fault['input']}"
    return f"{where}: {told(fault)}" if where else told(fault)
