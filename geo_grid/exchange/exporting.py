"""A layer into a file, whole or not at all."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd
import shapely

from geo_grid.coordinates import SRID
from geo_grid.db import Connection
from geo_grid.errors import UserError
from geo_grid.layers import Layer

if TYPE_CHECKING:
    import geopandas as gpd

_DRIVERS = {".geojson": "GeoJSON", ".gpkg": "GPKG", ".shp": "ESRI Shapefile", ".csv": "CSV"}


def export_file(connection: Connection, layer: Layer, path: Path) -> int:
    """Write the rows of a layer now in force, lon, lat in CGCS2000, and return how many.

    Only what whoever the transaction is for may see. CSV gets lon and lat columns for points, WKT for the rest.

    Raises
    ------
    UserError
        The kind of file is unknown, or the place cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in _DRIVERS:
        message = f"{path}: unknown kind of file {suffix or '(no ending)'}; known are {', '.join(_DRIVERS)}"
        raise UserError(message)
    import geopandas as gpd  # not at the top: a server imports this package, and starts a second sooner without

    rows = connection.execute(layer.query("rows")).fetchall()
    geometry = shapely.from_wkb([bytes(row.pop("geom")) for row in rows])
    frame = gpd.GeoDataFrame(rows, geometry=geometry, crs=SRID)
    try:
        # written beside its place and moved there, so that a full disk leaves no half file
        with TemporaryDirectory(dir=path.parent, prefix=".geo-grid-") as folder:
            made = Path(folder) / path.name
            if suffix == ".csv":
                _write_csv(frame, layer, made)
            else:
                options = {"RFC7946": "YES", "COORDINATE_PRECISION": "8"} if suffix == ".geojson" else {}
                if suffix == ".geojson":
                    frame = frame.set_crs(4326, allow_override=True)  # RFC 7946 names WGS 84; the same for us
                frame.to_file(made, driver=_DRIVERS[suffix], encoding="UTF-8", **options)
            for part in Path(folder).iterdir():
                part.replace(path.parent / part.name)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror or error}"
        raise UserError(message) from None
    return len(frame)


def _write_csv(frame: "gpd.GeoDataFrame", layer: Layer, path: Path) -> None:
    plain = pd.DataFrame(frame.drop(columns="geometry"))
    if layer.stored_type == "Point":
        plain = plain.assign(lon=frame.geometry.x.map("{:.8f}".format), lat=frame.geometry.y.map("{:.8f}".format))
    else:
        plain = plain.assign(wkt=shapely.to_wkt(frame.geometry.to_numpy(), rounding_precision=8))
    plain.to_csv(path, index=False, encoding="utf-8")
