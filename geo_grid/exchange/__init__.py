"""Files in and out."""

from geo_grid.exchange.exporting import export_file
from geo_grid.exchange.importing import Mapping, Report, import_file

__all__ = ["Mapping", "Report", "export_file", "import_file"]
