"""What /conformance declares is listed, requirement by requirement, with tests that exist."""

import re
from pathlib import Path

from geo_grid.api.ogc.conformance import CONFORMANCE

ROOT = Path(__file__).parents[1]


def test_every_class_that_is_declared_has_its_tests() -> None:
    listed: dict[str, set[str]] = {}
    current = ""
    for line in (ROOT / "docs/conformance.md").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\| (http\S+)? ?\|", line):
            current = found[1] or current
            listed.setdefault(current, set()).update(re.findall(r"`(test_\w+)`", line))
    assert listed.keys() == set(CONFORMANCE)
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    for uri, tests in listed.items():
        assert tests, uri
        assert tests <= written, (uri, tests - written)
