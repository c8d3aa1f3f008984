"""The generated full-size Xingtai: real counties, names and codes; everything else drawn and marked."""

from geo_grid.demo.load import Loaded, load_demo

__all__ = ["Loaded", "load_demo"]
