"""Compiled loops: compiled once, for everybody, before somebody waits for them; and never inside a question."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from geo_grid import compiling
from geo_grid.compiled_code import LOOPS
from geo_grid.compiling import make_ready
from geo_grid.locate import kernels

ROOT = Path(__file__).parents[1]
_ALL_READY = (
    "import geo_grid.locate.kernels, geo_grid.response.loops as loops; from geo_grid import compiling\n"
    "print(sum(made._cache_hits[types] for made, types in compiling._loops), len(compiling._loops))"
)


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


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The package where nobody may write, as an administrator installs it for other users."""
    shutil.copytree(ROOT / "geo_grid", tmp_path / "geo_grid", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (tmp_path / "geo_grid").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (tmp_path / "geo_grid").chmod(0o555)
    return tmp_path


def _run(installed: Path, state: Path) -> str:
    # root may write everywhere, unless it gives up that right
    bound = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.geteuid() == 0 else []
    told = {"PYTHONPATH": str(installed), "GEO_GRID_STATE_DIR": str(state), "HOME": "/nonexistent"}
    kept = {name: value for name, value in os.environ.items() if name not in {"NUMBA_CACHE_DIR", "XDG_CACHE_HOME"}}
    done = subprocess.run(
        [*bound, sys.executable, "-B", "-c", _ALL_READY],
        cwd=installed, env={**kept, **told}, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_installation_that_cannot_be_written_compiles_once_into_the_state_folder(installed: Path) -> None:
    """It did not start: "cannot cache function '_read': no locator available"."""
    state = installed / "state"
    state.mkdir()
    hits, loops = _run(installed, state).split()
    assert (hits, int(loops) > 10) == ("0", True)
    assert (state / "compiled").stat().st_mode & 0o777 == 0o700
    assert _run(installed, state) == f"{loops} {loops}"
