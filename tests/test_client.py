"""A notebook's way in: layers as GeoDataFrames, equal to what PostGIS holds."""

from pathlib import Path

import pytest
import shapely

from geo_grid.client import Client
from geo_grid.db import connect
from geo_grid.errors import GeoGridError, UserError

NOTEBOOK = Path(__file__).parents[1] / "docs/notebook.ipynb"


def test_a_layer_comes_whole_over_several_pages(demo: str, demo_server: str, demo_key: str) -> None:
    client = Client(demo_server, demo_key)
    assert client.layers()["facilities"] == "Facilities"
    frame = client.read("facilities")
    with connect(demo) as connection:
        rows = connection.execute(
            "select facility_code, name, member_count, ST_AsBinary(geom) as geom from facilities order by facility_id"
        ).fetchall()
    assert len(rows) > 10_000
    assert frame.crs.to_epsg() == 4490
    assert frame["facility_code"].tolist() == [row["facility_code"] for row in rows]
    assert frame["name"].tolist() == [row["name"] for row in rows]
    counts = frame["member_count"].astype(object).where(frame["member_count"].notna(), None)
    assert counts.tolist() == [row["member_count"] for row in rows]
    assert shapely.equals_identical(frame.geometry.to_numpy(), shapely.from_wkb([row["geom"] for row in rows])).all()


def test_what_is_asked_for(demo_server: str, demo_key: str) -> None:
    client = Client(demo_server, demo_key)
    metres = "http://www.opengis.net/def/crs/EPSG/0/4547"
    schools = client.read(
        "facilities", limit=5, facility_kind="school", bbox=(114, 36, 115, 38), sortby="-name", crs=metres
    )
    assert len(schools) == 5
    assert set(schools["facility_kind"]) == {"school"}
    assert schools.crs.to_epsg() == 4547
    assert schools.geometry.x.between(3e5, 7e5).all()  # eastings: x before y in files, whatever the register says
    assert len(client.read("cameras", filter="gb28181_id = 'nothing'")) == 0


def test_what_is_wrong_is_said(demo_server: str, demo_key: str) -> None:
    with pytest.raises(UserError, match="there is no layer 'persons'"):
        Client(demo_server, demo_key).read("persons")
    with pytest.raises(UserError, match="log in first"):
        Client(demo_server, "gg_k_" + "0" * 43).read("cameras")
    with pytest.raises(GeoGridError, match="cannot be reached"):
        Client("http://127.0.0.1:9", demo_key).read("cameras")
    with pytest.raises(UserError, match="begins with http"):
        Client("file:///etc/passwd", demo_key).read("cameras")


def test_the_example_notebook_runs(demo_server: str, demo_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEO_GRID_URL", demo_server)
    monkeypatch.setenv("GEO_GRID_KEY", demo_key)
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # as it is kept: without anybody's data
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    told = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shares = next(output for output in told if "share" in output.get("data", {}).get("text/plain", ""))
    assert "mediation_organisation" in shares["data"]["text/plain"]
    assert sum("folium-map" in output.get("data", {}).get("text/html", "") for output in told) == 1
