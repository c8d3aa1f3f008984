"""What the program says to people, in their language: its English texts are recognised at the door and said again."""

from geo_grid.wording.catalogue import LANGUAGES, Catalogue, Language, catalogue
from geo_grid.wording.options import as_parameters
from geo_grid.wording.speaking import Worded, speak, spoken, worded

__all__ = [
    "LANGUAGES", "Catalogue", "Language", "Worded", "as_parameters", "catalogue", "speak", "spoken", "worded",
]  # fmt: skip
