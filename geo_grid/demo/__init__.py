"""The generated full-size Xingtai: real counties, names and codes; everything else drawn and marked."""

from geo_grid.demo.load import Loaded, is_empty, load_demo

__all__ = ["Loaded", "is_empty", "load_demo"]
