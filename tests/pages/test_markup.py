"""Scripts of the pages: text goes into a page as text, so no script but one may call what reads a string as HTML."""

import re
from pathlib import Path

import pytest

from geo_grid.settings import asset_dir

SCRIPTS = sorted(path for path in asset_dir("static").joinpath("js").rglob("*.js"))
ELEMENTS_ONLY = asset_dir("static") / "js/marks.js"
"""Makes the elements itself, and refuses strings."""
READS_HTML = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|parseFromString|setHTML\w*|srcdoc"
    r"|document\.write|\beval\(|new Function\b|set(?:Timeout|Interval)\(\s*[\"'`]|javascript:|createElement\(\"script"
    r"|divIcon|DivIcon|(?:bind|open|set)(?:Tooltip|Popup)\w*\(|setContent\(|L\.(?:tooltip|popup)\("
    r"|\battribution:|addAttribution|setPrefix|control\.attribution"
)


def faults(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        f"{path.name}:{number}: {found[0]}"
        for number, line in enumerate(lines, 1)
        if (found := READS_HTML.search(line))
    ]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_gives_a_string_to_what_reads_html(path: Path) -> None:
    found = faults(path)
    if path == ELEMENTS_ONLY:
        assert [fault.rpartition(" ")[2] for fault in found] == ["divIcon", "bindTooltip("]
    else:
        assert found == []


def test_the_rule_finds_what_it_is_for(tmp_path: Path) -> None:
    script = tmp_path / "planted.js"
    for planted in (
        "dot.bindTooltip(name)", "shape.bindPopup(`${name}`)", "tip.setContent(name)", "box.innerHTML = name",
        "box.insertAdjacentHTML('beforeend', name)", "L.divIcon({ html: name })", "layer.setTooltipContent(name)",
        "L.tileLayer(url, { attribution: name })", "setTimeout('alert(1)')", "map.openPopup(name, at)",
    ):  # fmt: skip
        script.write_text(f"{planted};\n")
        assert faults(script), planted
