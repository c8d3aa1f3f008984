"""The real names and codes of Xingtai: counties, townships, villages and places."""

from collections import Counter
from dataclasses import dataclass

import pandas as pd
import pyogrio
from pandas import DataFrame

from geo_grid.coordinates import snap_geometry
from geo_grid.settings import asset_dir

STATISTICAL_ZONE = "河北邢台经济开发区"
ZONE_COUNTY = "襄都区"
"""The statistical zone 130571 has no polygon of its own; its townships lie in this county."""


@dataclass(frozen=True)
class Gazetteer:
    """Frames of names and codes.

    Attributes
    ----------
    counties
        division_code, name, geometry (EPSG:4490).
    townships
        division_code, name, county_code, county.
    villages
        division_code, name, township, county, and `drawn_in`: the township code it is drawn in.
    places
        osm_id, kind, name, lon, lat.
    disagreements
        One line for everything that the lists of townships and villages do not agree on.
    """

    counties: DataFrame
    townships: DataFrame
    villages: DataFrame
    places: DataFrame
    disagreements: list[str]


def read_gazetteer() -> Gazetteer:
    """Read the gazetteer and join villages to townships by county and name."""
    data = asset_dir("data")
    counties = pyogrio.read_dataframe(data / "boundaries/counties.geojson")
    counties["geometry"] = snap_geometry(counties.geometry.values)
    townships = pd.read_csv(data / "gazetteer/townships.csv", dtype=str)
    villages = pd.read_csv(data / "gazetteer/villages.csv", dtype=str)
    places = pd.read_csv(data / "gazetteer/places.csv", dtype={"osm_id": str, "name": str, "kind": str})
    drawn_in, disagreements = _join(townships, villages)
    return Gazetteer(counties, townships, villages.assign(drawn_in=drawn_in), places, disagreements)


def _join(townships: DataFrame, villages: DataFrame) -> tuple[list[str], list[str]]:
    """Join by county and name. What does not join is drawn somewhere in its county, and reported."""
    code_of = {(t.county, t.name): t.division_code for t in townships.itertuples(index=False)}
    county_of = villages["county"].replace({STATISTICAL_ZONE: ZONE_COUNTY})
    keys = list(zip(county_of, villages["township"], strict=True))
    found = Counter(keys)
    in_zone = int((villages["county"] == STATISTICAL_ZONE).sum())
    disagreements = [
        f"{STATISTICAL_ZONE} (130571) has no county polygon: its {in_zone} villages are drawn in the townships "
        f"of the same names in {ZONE_COUNTY}"
    ]
    drawn = {key: code_of[key] for key in found if key in code_of}
    held = Counter({code: found[key] for key, code in code_of.items()})
    # the largest first: a township that has no village takes it, else the one with the fewest
    for county, name in sorted((key for key in found if key not in drawn), key=lambda key: -found[key]):
        options = [code for (c, _), code in code_of.items() if c == county]
        chosen = min(options, key=lambda code: (held[code], code))
        drawn[county, name] = chosen
        where = next(n for (c, n), code in code_of.items() if code == chosen)
        why = "which has no village of its own in that list" if not held[chosen] else "the one with the fewest"
        held[chosen] += found[county, name]
        disagreements.append(
            f"{county}: {name} ({found[county, name]} villages) is in the list of villages but not in the list of "
            f"townships; drawn in {where}, {why}"
        )
    disagreements += [
        f"{county}: {name} ({code}) is in the list of townships but no village names it"
        for (county, name), code in code_of.items()
        if not found[county, name]
    ]
    return [drawn[key] for key in keys], disagreements
