"""QGIS opens every collection, the tiles and a style, and finds what PostGIS holds."""

import json
import subprocess
from pathlib import Path

import pytest

from geo_grid.db import connect
from geo_grid.layers import REGISTRY
from tests.access.test_rights import fill
from tests.conftest import live_server
from tests.identities import api_key, bearing

SCRIPT = Path(__file__).parent / "read.py"


def test_qgis_reads_what_postgis_holds(database: str, tmp_path: Path) -> None:
    with connect(database) as connection:
        fill(connection)
        held = {
            name: connection.execute(
                f"select count(*) as n, coalesce(sum(ST_Area(geom)), 0) as area from ({layer.query('stored')}) s"
            ).fetchone()
            for name, layer in REGISTRY.items()
        }
    key = api_key(database, "planner")
    style = tmp_path / "cells.sld"
    with live_server(database) as url:
        with bearing(url, key) as client:
            style.write_text(client.get("/collections/grid_cells/styles/light").text, encoding="utf-8")
        done = subprocess.run(
            ["/usr/bin/python3", SCRIPT, url, key, style, tmp_path / "tiles.png", *REGISTRY],
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["layers"].keys() == REGISTRY.keys()
    for name, seen in found["layers"].items():
        row = held[name]
        assert row is not None
        assert seen["valid"], (name, seen["error"])
        assert seen["count"] == row["n"], name
        assert seen["area"] == pytest.approx(row["area"], rel=1e-4), name  # eight decimals
        if row["n"]:  # of an empty collection it knows no fields
            assert set(REGISTRY[name].columns) <= set(seen["fields"]), name
    assert found["layers"]["grid_cells"]["names"] == ["A", "B", "C"]
    assert found["style"] == {"good": True, "said": "", "renderer": "RuleRenderer"}
    assert found["tiles"]["valid"]
    assert found["tiles"]["colours"] > 3  # lines and areas of the cells, drawn from our tiles
