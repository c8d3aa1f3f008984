"""OGC API Features: the layers as collections; queries of features with filter, sorting and paging, in several formats."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.api.ogc.conformance import CONFORMANCE
from geo_grid.api.ogc.handing_out import LOOKED_AT, note_handed_out, page_size
from geo_grid.api.ogc.narrowing import read_narrowing
from geo_grid.api.server.asking import account_of, reading, reading_much, searching, viewing, while_wanted
from geo_grid.api.server.html import catalogue_page, features_page
from geo_grid.api.server.links import Link, base_url, chosen, here, self_links, wants_html
from geo_grid.api.server.long_answers import LongAnswer
from geo_grid.api.server.parameters import AtMost, Configured
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.budgets import BULK
from geo_grid.db import AsyncConnection
from geo_grid.errors import InvalidCoordinates, InvalidQuery
from geo_grid.exchange import TableForm, as_frame, encode
from geo_grid.layers import REGISTRY, Layer, find_layer
from geo_grid.layers.boxes import Box, read_box
from geo_grid.layers.features import (
    FeatureQuery,
    Page,
    as_feature,
    edition_in_force,
    given_out,
    read_feature,
    read_page,
)
from geo_grid.layers.filters import GEOMETRY, read_equal, read_filter, read_interval
from geo_grid.layers.geojson import FeatureCollection
from geo_grid.layers.items import items
from geo_grid.layers.published import CGCS2000, CRS84, PUBLISHED, PublishedCrs, published_crs
from geo_grid.locate import city_extent
from geo_grid.settings import Settings

router = APIRouter(tags=["collections"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

LayerName = Annotated[str, Path(description="name of a layer", max_length=64)]
Format = Annotated[Literal["json", "html"] | None, Query(description="form of the answer; else the header Accept says")]
Crs = Annotated[
    str,
    Query(
        max_length=200,
        description="URI of the reference system of the answer; or GCJ-02 or BD-09, to draw on maps of these",
    ),
]

_LARGEST_PAGE, _LONGEST, _TOGETHER, _DRAWN = 10_000, 1_000_000, 5_000, 5_000
_GEOJSON, _SCHEMA = "application/geo+json", "application/schema+json"


class Form(StrEnum):
    """Forms of features."""

    JSON = "json"
    HTML = "html"
    SEQUENCE = "geojsonseq"
    CSV = "csv"
    FLATGEOBUF = "fgb"
    GEOPARQUET = "parquet"


MEDIA = {
    Form.JSON: _GEOJSON,
    Form.HTML: "text/html",
    Form.SEQUENCE: "application/geo+json-seq",
    Form.CSV: "text/csv",
    Form.FLATGEOBUF: "application/flatgeobuf",
    Form.GEOPARQUET: "application/vnd.apache.parquet",
}


_ASKED = {form.value: media for form, media in MEDIA.items()}
"""Media types by name, for the header `Accept`."""


class Answer(BaseModel):
    """Base of answers with links."""

    links: list[Link]


class Conformance(BaseModel):
    """Which requirements classes hold."""

    conformsTo: list[str]


class Extent(BaseModel):
    """Where and when the features of a collection are."""

    spatial: dict[str, Any]
    temporal: dict[str, Any]


class Collection(Answer):
    """A layer."""

    model_config = ConfigDict(populate_by_name=True)

    id: str
    title: str
    title_zh: str
    item_type: Literal["feature"] = Field("feature", alias="itemType")
    key: str = Field(description="the property people know a feature by")
    geometry_types: list[str] = Field(description="GeoJSON geometry types that are taken")
    extent: Extent
    crs: list[str]
    storage_crs: str = Field(CGCS2000.uri, alias="storageCrs")


class Collections(Answer):
    """All layers."""

    collections: list[Collection]
    crs: list[str] = list(PUBLISHED)


class Feature(BaseModel):
    """A GeoJSON feature (RFC 7946)."""

    type: Literal["Feature"]
    id: str | None
    geometry: dict[str, Any] | None
    properties: dict[str, Any]
    links: list[Link] | None = None


class Features(FeatureCollection[Feature]):
    """GeoJSON features: a page of them, or with `zoom` what a map shows, `truncated` when there were more."""

    model_config = ConfigDict(populate_by_name=True)

    links: list[Link] | None = None
    time_stamp: datetime | None = Field(None, alias="timeStamp")
    number_returned: int | None = Field(None, alias="numberReturned")
    truncated: bool | None = None


def read_boxes(text: str, crs: PublishedCrs) -> tuple[Box, ...]:
    """Parse `bbox`, numbers separated by commas; see `read_box`. Raises InvalidCoordinates."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        message = f"bbox {text[:80]!r} is not four or six numbers: west,south,east,north"
        raise InvalidCoordinates(message) from None
    return read_box(numbers, crs)


@router.get("/conformance", response_model=Conformance, responses={200: {"content": {"text/html": {}}}})
async def get_conformance(request: Request, f: Format = None) -> Any:
    """List the requirements classes that hold."""
    answer = Conformance(conformsTo=CONFORMANCE)
    return catalogue_page(request, ("符合的规范", "Conformance"), answer) if wants_html(request, f) else answer


@router.get(
    "/collections",
    response_model=Collections,
    response_model_exclude_none=True,
    responses={200: {"content": {"text/html": {}}}},
)
async def list_collections(request: Request, f: Format = None) -> Any:
    """List the layers."""
    extent = await _extent(request)
    found = [_collection(request, layer, extent) for layer in REGISTRY.values()]
    answer = Collections(links=self_links(request), collections=found)
    return catalogue_page(request, ("数据", "Data"), answer) if wants_html(request, f) else answer


@router.get(
    "/collections/{layer}",
    response_model=Collection,
    response_model_exclude_none=True,
    responses={200: {"content": {"text/html": {}}}, 404: PROBLEM},
)
async def get_collection(request: Request, layer: LayerName, f: Format = None) -> Any:
    """Describe one layer."""
    answer = _collection(request, find_layer(layer), await _extent(request))
    return catalogue_page(request, (answer.title_zh, answer.title), answer) if wants_html(request, f) else answer


@router.get(
    "/collections/{layer}/queryables",
    response_class=Response,
    responses={
        200: {"content": {_SCHEMA: {"schema": {"type": "object"}}}},
        404: PROBLEM,
    },
)
async def get_queryables(request: Request, layer: LayerName) -> Response:
    """Describe the properties of a layer that filters can use, as JSON Schema."""
    found = find_layer(layer)
    known = found.row.model_json_schema()["properties"]
    properties = {
        name: {"title": name, **_schema(kind, known.get(name, {}))} for name, kind in found.queryables.items()
    }
    kind = "any" if found.stored_type == "Multi" else found.stored_type.lower()
    properties[GEOMETRY] = {"title": GEOMETRY, "x-ogc-role": "primary-geometry", "format": f"geometry-{kind}"}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": here(request),
        "type": "object",
        "title": found.title_en,
        "properties": properties,
        "additionalProperties": False,
    }
    return Response(json.dumps(document, ensure_ascii=False), media_type=_SCHEMA)


@router.get(
    "/collections/{layer}/items",
    response_model=Features,
    responses={
        200: {"content": {_GEOJSON: {}, **{media: {} for form, media in MEDIA.items() if form != Form.JSON}}},
        404: PROBLEM,
    },
)
async def get_items(
    request: Request,
    settings: Configured,
    layer: LayerName,
    bbox: Annotated[
        str | None, Query(max_length=300, description="west,south,east,north, in the order of bbox-crs")
    ] = None,
    bbox_crs: Annotated[str, Query(alias="bbox-crs", max_length=200)] = CRS84.uri,
    crs: Crs = CRS84.uri,
    datetime: Annotated[
        str | None, Query(max_length=100, description="RFC 3339 moment or interval; .. is open")
    ] = None,
    filter: Annotated[str | None, Query(max_length=2000, description="CQL2")] = None,
    filter_lang: Annotated[Literal["cql2-text", "cql2-json"], Query(alias="filter-lang")] = "cql2-text",
    filter_crs: Annotated[str, Query(alias="filter-crs", max_length=200)] = CRS84.uri,
    sortby: Annotated[str | None, Query(max_length=300, description="properties with commas; -name descends")] = None,
    properties: Annotated[str | None, Query(max_length=1000, description="only these, with commas")] = None,
    limit: Annotated[
        Annotated[int, Field(ge=1), AtMost(_LONGEST)] | None,
        Query(
            description=f"10 if not given; at most 10,000, as geojsonseq 1,000,000; without the right export {LOOKED_AT:,}",
        ),
    ] = None,
    after: Annotated[str | None, Query(max_length=2000, description="given by the link next")] = None,
    f: Annotated[Form | None, Query(description="form of the answer; else the header Accept says")] = None,
    zoom: Annotated[
        int | None,
        Query(ge=0, le=22, description="what a map shows at this zoom: level, clusters, generalised; needs bbox"),
    ] = None,
) -> Response:
    """Read features: a page of those that match, or with `zoom` what a map of this part shows."""
    found = find_layer(layer)
    wanted, of_box, of_filter = published_crs(crs), published_crs(bbox_crs), published_crs(filter_crs)
    boxes = read_boxes(bbox, of_box) if bbox is not None else ()
    if zoom is not None:
        return await _map_view(request, found, boxes, zoom, min(limit or _DRAWN, _DRAWN), datetime, wanted)
    form = f or Form(chosen(request, _ASKED))
    is_file = form not in (Form.JSON, Form.HTML)
    size = await page_size(request, limit or 10, is_file)
    conditions = [
        read_equal(name, value, found.queryables)
        for name, value in request.query_params.items()
        if name in found.queryables
    ]
    if filter is not None:
        conditions.append(read_filter(filter, filter_lang, found.queryables, of_filter))
    only = tuple(properties.split(",")) if properties is not None else None
    if only is None and is_file:
        only = tuple(found.queryables)  # texts of incidents leave in files only when they are named
    query = FeatureQuery(
        limit=size if form == Form.SEQUENCE else min(size, _LARGEST_PAGE),
        boxes=boxes,
        span=read_interval(datetime) if datetime is not None else None,
        conditions=tuple(conditions),
        sort=_sort(found, sortby),
        properties=only,
        after=after,
        crs=wanted,
    )
    if form == Form.HTML:
        return await features_page(request, found, here(request, f="json"))
    if form == Form.SEQUENCE:
        return await _sequence(request, settings, found, query)
    as_table = form.value in set(TableForm)

    async def search() -> tuple[Page, str | None]:
        async with searching(request) as database:
            page = await read_page(database, found, query, as_table)
            return page, await _following(request, database, found, page.next, datetime)

    page, following = await while_wanted(request, search())
    await note_handed_out(request, layer, form, len(page.rows), is_file)
    headers = _headers(query.crs)
    links = self_links(request, MEDIA[form], {form.value: media for form, media in MEDIA.items()})
    links.append(Link(href=f"{base_url(request)}/collections/{layer}", rel="collection", type="application/json"))
    if following is not None:
        links.append(Link(href=following, rel="next", type=MEDIA[form]))
        headers["Link"] = f'<{links[-1].href}>; rel="next"'  # for formats that have no links in the body
    if as_table:
        frame = as_frame(page.rows, given_out(found, query), query.crs.srid, query.crs.shift)
        body = await BULK.run(
            account_of(request), encode, frame, TableForm(form.value), found.stored_type == "Point", query.crs.digits
        )
        return Response(body, media_type=MEDIA[form], headers=headers)
    told = ",".join(link.model_dump_json(exclude_none=True) for link in links)
    named = f'"coordRefSys":"{query.crs.uri}",' if query.crs.shift else ""
    text = (
        f'{{"type":"FeatureCollection",{named}"links":[{told}],"timeStamp":"{_now()}","numberReturned":{len(page.rows)},'
        f'"features":[{",".join(map(as_feature, page.rows))}]}}'
    )
    return Response(text, media_type=_GEOJSON, headers=headers)


def _headers(crs: PublishedCrs) -> dict[str, str]:
    return {
        "Content-Crs": f"<{crs.uri}>",
        "Vary": "Accept, Cookie, Authorization",
        "Cache-Control": "private, no-cache",
    }


def _named(feature: str, crs: PublishedCrs) -> str:
    """Name the shifted datum of a feature's coordinates in it, as JSON-FG (OGC 21-045) does."""
    return f'{feature[:-1]},"coordRefSys":"{crs.uri}"}}' if crs.shift else feature


async def _sequence(request: Request, settings: Settings, layer: Layer, query: FeatureQuery) -> Response:
    """Answer with features as a GeoJSON text sequence (RFC 8142), read in one snapshot."""
    after, left, following = query.after, query.limit, None
    with LongAnswer.begun(request, settings) as answer:
        async with BULK.turn(account_of(request)), reading_much(request) as database:
            while left > 0 and not await request.is_disconnected():
                page = await read_page(database, layer, replace(query, limit=min(left, _TOGETHER), after=after))
                await answer.write("".join(f"\x1e{_named(as_feature(row), query.crs)}\n" for row in page.rows))
                after, left = page.next, left - len(page.rows)
                if after is None:
                    break
            following = await _following(request, database, layer, after, request.query_params.get("datetime"))
        await note_handed_out(request, layer.name, Form.SEQUENCE, query.limit - left, True)
    headers = _headers(query.crs)
    if following is not None:
        headers["Link"] = f'<{following}>; rel="next"'
    return answer.sent(MEDIA[Form.SEQUENCE], headers)


async def _following(
    request: Request, database: AsyncConnection, layer: Layer, after: str | None, asked_at: str | None
) -> str | None:
    """Return the URL of the next page, which shows the same edition as this page, whatever is published meanwhile."""
    if after is None:
        return None
    if layer.is_boundary and asked_at is None and (begun := await edition_in_force(database)) is not None:
        return here(request, after=after, datetime=begun.astimezone(UTC).isoformat().replace("+00:00", "Z"))
    return here(request, after=after)


@router.get(
    "/collections/{layer}/items/{item}",
    response_model=Feature,
    responses={200: {"content": {_GEOJSON: {}, "text/html": {}}}, 404: PROBLEM},
)
async def get_item(
    request: Request,
    layer: LayerName,
    item: Annotated[str, Path(max_length=100, description="id of the feature")],
    crs: Crs = CRS84.uri,
    f: Format = None,
) -> Response:
    """Read one feature, with all its fields and its whole geometry."""
    found, wanted = find_layer(layer), published_crs(crs)
    async with reading(request) as database:
        row = await read_feature(database, found, item, wanted)
    if wants_html(request, f):
        return await features_page(request, found, here(request, f="json"))
    headers = {**_headers(wanted), "ETag": f'"{row["state"]}"'}
    if row["state"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(
        _named(feature_text(request, row, found, here(request, f=None)), wanted), media_type=_GEOJSON, headers=headers
    )


def feature_text(request: Request, row: dict[str, Any], layer: Layer, address: str) -> str:
    """Serialise a row as a GeoJSON feature with links; `address` is the URL of the feature."""
    mark = "&" if "?" in address else "?"
    links = [
        Link(href=address, rel="self", type=_GEOJSON),
        Link(href=f"{address}{mark}f=html", rel="alternate", type="text/html"),
        Link(href=f"{base_url(request)}/collections/{layer.name}", rel="collection", type="application/json"),
    ]
    told = ",".join(link.model_dump_json(exclude_none=True) for link in links)
    return f'{as_feature(row)[:-1]},"links":[{told}]}}'


async def _map_view(
    request: Request,
    layer: Layer,
    boxes: tuple[Box, ...],
    zoom: int,
    limit: int,
    moment: str | None,
    crs: PublishedCrs,
) -> Response:
    narrowing = read_narrowing(
        {name: request.query_params.getlist(name) for name in layer.narrowed_by if name in request.query_params}
    )
    others = request.query_params.keys() - {
        *narrowing,
        "bbox",
        "bbox-crs",
        "zoom",
        "limit",
        "datetime",
        *({"crs"} if crs.shift or crs == CRS84 else ()),
    }
    if others or len(boxes) != 1:
        message = f"with zoom there are only bbox, limit, datetime and crs=GCJ-02 or BD-09, of cameras owner_name, network_code, type_code and camera_state, and bbox does not cross 180 degrees{': not ' + ', '.join(sorted(others)) if others else ''}"
        raise InvalidQuery(message)
    at = read_interval(moment)[0] if moment is not None else None
    if moment is not None and ("/" in moment or len(layer.moments) < 2):
        message = "with zoom, datetime is one moment, and of layers whose things are in force for a time: " + ", ".join(
            name for name, one in REGISTRY.items() if len(one.moments) == 2
        )
        raise InvalidQuery(message)
    async with viewing(request) as database:
        drawn = await items(database, layer, boxes[0], zoom, limit, at, crs, narrowing)
    return Response(drawn, media_type=_GEOJSON, headers={"Content-Crs": f"<{crs.uri}>"})


def _sort(layer: Layer, text: str | None) -> tuple[tuple[str, bool], ...]:
    if text is None:
        return ()
    keys = [(part.lstrip("+-").strip(), part.startswith("-")) for part in map(str.strip, text.split(","))]
    for name, _ in keys:
        if name not in layer.queryables:
            message = f"{layer.name} cannot be sorted by {name[:80]!r}, but by {', '.join(layer.queryables)}"
            raise InvalidQuery(message)
    if len({name for name, _ in keys}) < len(keys) or len(keys) > 4:
        message = "sortby names up to four properties, each once"
        raise InvalidQuery(message)
    return tuple(keys)


async def _extent(request: Request) -> list[float]:
    async with reading(request) as database:
        return list(await city_extent(database) or (-180, -90, 180, 90))


def _collection(request: Request, layer: Layer, extent: list[float]) -> Collection:
    address = f"{base_url(request)}/collections/{layer.name}"
    links = [
        Link(href=address, rel="self", type="application/json", title=layer.title_en),
        Link(href=f"{address}?f=html", rel="alternate", type="text/html", title=layer.title_en),
        *(
            Link(href=f"{address}/items?f={form}", rel="items", type=media, title=f"{layer.title_en} ({form})")
            for form, media in MEDIA.items()
        ),
        Link(href=f"{address}/queryables", rel="http://www.opengis.net/def/rel/ogc/1.0/queryables", type=_SCHEMA),
        Link(
            href=f"{address}/tiles",
            rel="http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector",
            type="application/json",
        ),
    ]
    return Collection(
        id=layer.name,
        title=layer.title_en,
        title_zh=layer.title_zh,
        key=layer.key,
        geometry_types=list(layer.geometry_types),
        extent=Extent(
            spatial={"bbox": [extent], "crs": CRS84.uri},
            temporal={"interval": [[None, None]], "trs": "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"},
        ),
        crs=["#/crs", *PUBLISHED],
        links=links,
    )


def _schema(kind: str, known: dict[str, Any]) -> dict[str, Any]:
    types = {
        "text": {"type": "string"}, "bigint": {"type": "integer"}, "double precision": {"type": "number"},
        "boolean": {"type": "boolean"}, "timestamptz": {"type": "string", "format": "date-time"},
    }  # fmt: skip
    return {**types[kind], **({"enum": known["enum"]} if "enum" in known else {})}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
