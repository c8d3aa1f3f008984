"""Compiled loops: compiled once, for everybody, before somebody waits for them; and never inside a question."""

from pathlib import Path

import numpy as np
import pytest

from geo_grid import compiling
from geo_grid.compiled_code import LOOPS
from geo_grid.compiling import make_ready
from geo_grid.locate import kernels

ROOT = Path(__file__).parents[1]


def test_every_module_of_loops_is_compiled_beforehand() -> None:
    with_loops = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "geo_grid").rglob("*.py")
        if "\n@loop(" in path.read_text()
    }
    assert with_loops == set(LOOPS)


def test_nothing_else_is_compiled_once_loops_are_ready() -> None:
    make_ready()
    assert {len(made.signatures) for made, _ in compiling._loops} == {1}
    with pytest.raises(TypeError, match="No matching definition"):
        kernels.edges_of_cells(np.zeros((2, 2), np.float32), 3)
    assert {len(made.signatures) for made, _ in compiling._loops} == {1}
