"""GET /indicators: what a city reports of its incidents, as figures, tables, maps and a monthly report."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from geo_grid import indicators
from geo_grid.api.ogc.geojson import ShiftableFeatures, answer_of, datum_of
from geo_grid.api.server.asking import apart, identity_of, reading
from geo_grid.api.server.html import html_page
from geo_grid.api.server.parameters import AnswerCrs, in_city
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute, refuse
from geo_grid.api.server.state import server_of
from geo_grid.api.server.tables import AS_CSV, CSV, FILE, as_file, note_export, refuse_export
from geo_grid.budgets import BULK
from geo_grid.indicators import AreaProperties, AreaQuestion, Definition, Question

router = APIRouter(tags=["indicators"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
_GEOJSON = "application/geo+json"


class Member(BaseModel):
    """A category of a group, or one of its subtypes."""

    category: str
    subtype: str = Field(description="empty: every subtype of the category")


class CategoryGroup(BaseModel):
    """Categories that are counted together."""

    group_code: str
    name_zh: str
    name_en: str
    is_confirmed: bool = Field(description="whether the city said that it counts so")
    members: list[Member] | None


class Indicators(BaseModel):
    """What can be asked for."""

    indicators: list[Definition]
    groups: list[CategoryGroup]


@router.get("/indicators")
async def get_indicators(request: Request) -> Indicators:
    """List the indicators with their definitions, and the groups of categories."""
    async with reading(request) as database:
        groups = await indicators.list_groups(database)
    return Indicators.model_validate({"indicators": list(indicators.DEFINITIONS.values()), "groups": groups})


class FiguresQuestion(Question):
    """A question, and the form of its answer."""

    f: Literal["json", "csv"] = Field("json", description="csv needs the right `export`")


@router.get(
    "/indicators/figures",
    response_model=indicators.Answer,
    responses=AS_CSV,
)
async def get_figures(request: Request, question: Annotated[FiguresQuestion, Query()]) -> Response:
    """Return indicators of the incidents that whoever asks may see, by cell, zone, unit, category and period."""
    await _may_name_cells(request, question)
    await refuse_export(request, question.f)
    asked = Question(**{name: getattr(question, name) for name in Question.model_fields})
    made, rows = await apart(
        request,
        BULK,
        indicators.figures_apart,
        asked,
        in_city(request, None),
        _zone(request),
        question.f,
        is_heavy=True,
    )
    if question.f == "json":
        return Response(made, media_type="application/json")
    await note_export(request, "indicators", "csv", rows)
    return as_file(made, "indicators.csv", CSV)


class ClassedAreas(ShiftableFeatures[AreaProperties]):
    """Cells with their classes."""

    scheme: str
    bounds: list[float] = Field(description="the greatest value of each class; fewer classes where values are equal")
    definition: Definition


class AreasQuestion(AreaQuestion):
    """A question of a map, and the reference system it is drawn in."""

    crs: AnswerCrs = "EPSG:4490"


@router.get("/indicators/areas", response_model=ClassedAreas, responses={200: {"content": {_GEOJSON: {}}}})
async def get_areas(request: Request, question: Annotated[AreasQuestion, Query()]) -> Response:
    """Return the cells of a level with one indicator and its classes, as GeoJSON for a choropleth map."""
    await _may_name_cells(request, question.figures())
    shift, uri = datum_of(question.crs)

    asked = AreaQuestion(**{name: getattr(question, name) for name in AreaQuestion.model_fields})
    features, bounds = await apart(
        request, BULK, indicators.areas_apart, asked, in_city(request, None), _zone(request), shift, is_heavy=True
    )
    collection = ClassedAreas(
        features=[],
        coord_ref_sys=uri,
        scheme=question.scheme,
        bounds=bounds,
        definition=indicators.DEFINITIONS[question.of],
    )
    return answer_of(collection, features, _GEOJSON)


@router.get(
    "/indicators/report",
    response_class=Response,
    responses={200: {"content": dict.fromkeys(("text/html", "application/pdf"), FILE)}},
)
async def get_report(
    request: Request,
    month: Annotated[
        str | None, Query(max_length=20, description="2026-10; the last one that is over if not given")
    ] = None,
    level: Annotated[
        int | None, Query(ge=1, le=9, description="grid level of its maps; the first if not given")
    ] = None,
    f: Annotated[Literal["html", "pdf"], Query()] = "html",
    lang: Annotated[Literal["zh", "en"], Query()] = "zh",
) -> Response:
    """Return the report of a month, with maps; it is an export, and recorded."""
    settings = server_of(request).settings
    city = settings.city_name_zh if lang == "zh" else settings.city_name_en
    now = in_city(request, None)
    made, told, rows = await apart(
        request, BULK, indicators.report_apart, month, level, now, settings.timezone, city, lang, f, is_heavy=True
    )
    await note_export(request, "indicators", f, rows)
    if isinstance(made, str):
        return html_page(request, made)
    return as_file(made, f"indicators-{told}.pdf", "application/pdf")


def _zone(request: Request) -> str:
    return server_of(request).settings.timezone


async def _may_name_cells(request: Request, question: Question) -> None:
    """Refuse a key that may read incidents, but no boundaries: it would be told that they lie in no cell."""
    if (question.area in ("cell", "zone") or question.within) and "map" not in identity_of(request).rights:
        await refuse(request, "map")
