"""Files in and out."""

from geo_grid.exchange.exporting import export_file
from geo_grid.exchange.importing import Mapping, Report, import_file
from geo_grid.exchange.locating import FORMS, Asked, Located, locate_points

__all__ = ["FORMS", "Asked", "Located", "Mapping", "Report", "export_file", "import_file", "locate_points"]
