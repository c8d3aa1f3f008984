"""Compiled loops: compiled once, for everybody, before somebody waits for them; and never inside a question."""

import os
import subprocess
import sys
import time
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


def test_who_compiles_ends_with_whoever_asked(tmp_path: Path) -> None:
    """A start that was killed while it compiled left a process of 350 MB that waited for work for ever."""

    def compiling_here() -> list[str]:
        mark = f"NUMBA_CACHE_DIR={tmp_path}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes() and (process / "stat").read_text().split()[2] != "Z":
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return [one for one in found if "multiprocessing" in one]

    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-m", "geo_grid", "compile"], env=environment) as asked:
        began = time.monotonic()
        while not any("spawn import" in one for one in compiling_here()):
            assert time.monotonic() - began < 60
            time.sleep(0.1)
        time.sleep(3)  # at work
        asked.kill()
    began = time.monotonic()
    while compiling_here():
        assert time.monotonic() - began < 30, compiling_here()
        time.sleep(0.2)
