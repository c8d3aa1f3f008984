"""Files in and out."""

from geo_grid.exchange import uploads
from geo_grid.exchange.editing import Editor, FeatureChange, GivenFeature
from geo_grid.exchange.exporting import export_apart, export_file
from geo_grid.exchange.importing import Mapping, Report, import_file, stored_extent
from geo_grid.exchange.locating import FILE_FORMS, Asked, Located, locate_points
from geo_grid.exchange.osm import OsmExtract, OsmReport, import_osm, is_osm, read_osm
from geo_grid.exchange.tables import TableForm, as_frame, encode
from geo_grid.files.kinds import FORMATS as FILE_FORMATS
from geo_grid.files.spelling import Spelling

__all__ = [
    "FILE_FORMATS",
    "FILE_FORMS",
    "Asked",
    "Editor",
    "FeatureChange",
    "GivenFeature",
    "Located",
    "Mapping",
    "OsmExtract",
    "OsmReport",
    "Report",
    "Spelling",
    "TableForm",
    "as_frame",
    "encode",
    "export_apart",
    "export_file",
    "import_file",
    "import_osm",
    "is_osm",
    "locate_points",
    "read_osm",
    "stored_extent",
    "uploads",
]
