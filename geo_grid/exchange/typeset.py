"""Facts as a page or a PDF, and shapes as a drawing in them."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import shapely
from jinja2 import Environment


class Look(NamedTuple):
    """How a shape is drawn: colours as CSS names them, the width of its border in pixels of the drawing."""

    fill: str
    opacity: float
    border: str
    border_px: float


def page(template: str, facts: dict[str, Any]) -> str:
    """Render facts by a template of Jinja as a page; text stays text."""
    made: str = Environment(autoescape=True).from_string(template).render(**facts)
    return made


def pdf(source: bytes, facts: dict[str, Any]) -> bytes:
    """Render facts by a document of Typst as PDF; they reach the typesetter as JSON, never as its source."""
    import typst  # not at the top: few ask for it, beside the event loop

    return typst.compile(
        source, format="pdf", sys_inputs={"report": json.dumps(facts, ensure_ascii=False, default=str)}
    )


def drawing(shapes: Sequence[tuple[Any, Look]], extent: Sequence[Any]) -> str:
    """Draw polygons, lon and lat in degrees, as SVG of at most 400 pixels, in which there is room for all of `extent`."""
    if not extent:
        return '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>'
    west, south, east, north = shapely.total_bounds(list(extent))
    narrow = float(np.cos(np.radians((south + north) / 2)))
    scale = 400 / max((east - west) * narrow, north - south)
    width, height = (east - west) * narrow * scale, (north - south) * scale

    def path(shape: Any) -> str:
        rings = [ring for part in shapely.get_parts(shape) for ring in shapely.get_rings(part)]
        drawn = []
        for ring in rings:
            xy = (shapely.get_coordinates(ring) - [west, north]) * [narrow * scale, -scale]
            drawn.append("M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in xy) + "Z")
        return "".join(drawn)

    drawn = "".join(
        f'<path d="{path(shape)}" fill="{look.fill}" fill-opacity="{look.opacity}" stroke="{look.border}" stroke-width="{look.border_px}" fill-rule="evenodd"/>'
        for shape, look in shapes
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 -4 {width + 8:.0f} {height + 8:.0f}">{drawn}</svg>'
