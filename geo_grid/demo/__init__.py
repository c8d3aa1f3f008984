"""The generated full-size Xingtai: real counties, names and codes; everything else drawn and marked."""

from geo_grid.demo.earlier import load_earlier
from geo_grid.demo.load import Drawn, Loaded, draw_demo, load_demo

__all__ = ["Drawn", "Loaded", "draw_demo", "load_demo", "load_earlier"]
