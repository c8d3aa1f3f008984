"""Our look, judged by others: MapLibre's own validator, and the layers the styles speak of."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest

from geo_grid.layers import REGISTRY, find_layer
from geo_grid.maps import maplibre_style, sld

SLD = "{http://www.opengis.net/sld}"
VALIDATOR = Path(__file__).parent / "validator"
JUDGE = """
import { validateStyleMin } from "./node_modules/@maplibre/maplibre-gl-style-spec/dist/validate_style.min.mjs";
let text = "";
for await (const part of process.stdin) text += part;
console.log(JSON.stringify(validateStyleMin(JSON.parse(text)).map(error => error.message)));
"""


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_maplibre_takes_our_styles(client: httpx.Client, theme: str) -> None:
    if not (VALIDATOR / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=VALIDATOR, check=True)
    listed = client.get("/styles").json()["styles"]
    link = next(style for style in listed if style["id"] == theme)["links"][0]
    style = client.get(link["href"]).json()
    said = subprocess.run(
        ["node", "--input-type=module", "-e", JUDGE], cwd=VALIDATOR, input=json.dumps(style), text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(said.stdout) == []
    drawn = {layer["source-layer"] for layer in style["layers"] if "source-layer" in layer}
    assert drawn == set(REGISTRY)
    for source in style["sources"].values():
        assert client.get(source["tiles"][0].format(z=0, y=0, x=0)).status_code in (200, 204)


def test_every_layer_has_a_descriptor(client: httpx.Client) -> None:
    for layer in REGISTRY:
        answer = client.get(f"/collections/{layer}/styles/light")
        assert answer.headers["content-type"].startswith("application/vnd.ogc.sld+xml")
        names = [element.text for element in ET.fromstring(answer.text).iter(f"{SLD}Name")]
        assert names[0] == layer
    whole = ET.fromstring(client.get("/styles/dark?f=sld").text)
    assert [e.findtext(f"{SLD}Name") for e in whole.iter(f"{SLD}NamedLayer")] == list(REGISTRY)
    assert client.get("/collections/roads/styles/pink").status_code == 400
    assert client.get("/styles/pink").status_code == 422


def test_a_layer_that_is_registered_has_a_look() -> None:
    lamps = replace(find_layer("facilities"), name="lamps")
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(REGISTRY, "lamps", lamps)
        assert any(layer.get("source-layer") == "lamps" for layer in maplibre_style("dark", "http://x")["layers"])
        assert "<sld:Name>lamps</sld:Name>" in sld([lamps], "dark")
