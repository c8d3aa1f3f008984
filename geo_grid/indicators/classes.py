"""Classes of a choropleth map, by mapclassify, also where values are equal, few, or none."""

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np

from geo_grid.errors import InvalidQuery

type Scheme = Literal["quantiles", "equal_interval", "fisher_jenks"]
_CLASSIFIERS: dict[Scheme, str] = {
    "quantiles": "Quantiles", "equal_interval": "EqualInterval", "fisher_jenks": "FisherJenks",
}  # fmt: skip
_MOST_JENKS = 10_000
"""Most values of natural breaks, which take time with their square: some seconds."""


def class_bounds(values: Sequence[float | None], scheme: Scheme, k: int) -> list[float]:
    """Return the greatest value of each class, in ascending order, at most `k`; the last is the greatest value of all.

    Where there are no more distinct values than classes, each is a class of its own; without any value there is no class.
    Blocks; the first call imports mapclassify, which takes some seconds.

    Parameters
    ----------
    values
        None: no value, and in no class.

    Raises
    ------
    InvalidQuery
        There are too many values for natural breaks.
    """
    known = np.array([value for value in values if value is not None], dtype=float)
    distinct = np.unique(known)
    if len(distinct) <= k:
        return [float(value) for value in distinct]
    if scheme == "fisher_jenks" and len(known) > _MOST_JENKS:
        message = f"fisher_jenks takes at most {_MOST_JENKS:,} values, these are {len(known):,}: ask for quantiles, or a higher level"
        raise InvalidQuery(message)
    import mapclassify  # not at the top: it brings scikit-learn and matplotlib along, and compiles a loop, 3 s in all

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about equal values: classes that would be equal are one here
        bins = getattr(mapclassify, _CLASSIFIERS[scheme])(known, k=k).bins
    bounds = np.unique(np.clip(np.asarray(bins, dtype=float), distinct[0], distinct[-1]))
    bounds[-1] = distinct[-1]  # equal intervals may round below it
    return [float(bound) for bound in bounds]


def class_of(value: float | None, bounds: Sequence[float]) -> int | None:
    """Return the number of the class of a value, from 0; None: it has no value."""
    return None if value is None or not bounds else int(np.searchsorted(bounds, value))
