"""What commands and worker processes import, all at once: the processes of tests are forked from one that has it.

Not the command line itself, whose console looks at its surroundings when it is imported.
"""

import gc

import argon2
import geopandas
import pulp
import pyarrow.csv
import pydantic_settings
import pyogrio
import rich.logging
import rich.progress
import spopt.locate
import typer
import valhalla

import geo_grid.access.accounts
import geo_grid.boundaries.drafts
import geo_grid.boundaries.proposals
import geo_grid.demo
import geo_grid.doctor
import geo_grid.exchange
import geo_grid.locate.city
import geo_grid.own_work
import geo_grid.response.loops
import geo_grid.response.siting
import geo_grid.response.worker
from geo_grid.compiling import make_ready

__all__ = [
    "argon2",
    "geo_grid",
    "geopandas",
    "pulp",
    "pyarrow",
    "pydantic_settings",
    "pyogrio",
    "rich",
    "spopt",
    "typer",
    "valhalla",
]

make_ready()
gc.collect()
gc.freeze()  # else each process that is forked copies all of it when it first looks for garbage
