"""The wheel and the set-up script, as a person meets them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from geo_grid.db.connections import APPLICATION_ROLE
from tests.commands import run

ROOT = Path(__file__).parents[1]
_ALL_READY = (
    "import geo_grid.locate.kernels, geo_grid.response.loops as loops; from geo_grid import compiling\n"
    "print(sum(made._cache_hits[types] for made, types in compiling._loops), len(compiling._loops))"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """geo_grid installed from its wheel into a folder where nobody may write, as an administrator does it for others."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    wheel = next(folder.glob("*.whl"))
    uv = Path(sys.executable).parent / "uv"
    target = folder / "site"
    subprocess.run([uv, "pip", "install", "--quiet", "--no-deps", "--target", target, wheel], check=True)
    for path in (target / "geo_grid", *(target / "geo_grid").rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return target


def _python(installed: Path, script: str, folder: Path, **environment: str) -> str:
    """What a script says that whoever may not write into the installation runs in a folder."""
    # root may write everywhere, unless it gives up that right
    bound = (
        ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]
        if os.geteuid() == 0 and "NUMBA_CACHE_DIR" not in environment
        else []
    )
    kept = {name: value for name, value in os.environ.items() if name not in {"NUMBA_CACHE_DIR", "XDG_CACHE_HOME"}}
    told = {"PYTHONPATH": str(installed), "HOME": "/nonexistent"}
    done = subprocess.run(
        [*bound, sys.executable, "-B", "-c", script],
        cwd=folder, env={**kept, **told, **environment}, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def compiled(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A state folder into which the installation compiled its loops, and what it said of that."""
    state = tmp_path_factory.mktemp("state")
    return state, _python(installed, _ALL_READY, installed, GEO_GRID_STATE_DIR=str(state))


def test_an_installation_that_cannot_be_written_compiles_once_into_the_state_folder(
    installed: Path, compiled: tuple[Path, str]
) -> None:
    """It did not start: "cannot cache function '_read': no locator available"."""
    state, said = compiled
    hits, loops = said.split()
    assert (hits, int(loops) > 10) == ("0", True)
    assert (state / "compiled").stat().st_mode & 0o777 == 0o700
    assert _python(installed, _ALL_READY, installed, GEO_GRID_STATE_DIR=str(state)) == f"{loops} {loops}"


def test_a_wheel_carries_static_files_migrations_and_boundaries(installed: Path) -> None:
    assets = installed / "geo_grid/_assets"
    for name in ("static/js/wall.js", "static/vendor/leaflet/leaflet.js", "static/vendor/noto-sans-sc/400.css",
                 "migrations/0001_foundation.sql", "data/boundaries/counties.geojson", "data/gazetteer/villages.csv"):  # fmt: skip
        assert (assets / name).is_file(), name


def test_an_installed_geo_grid_works_from_anywhere(
    installed: Path, compiled: tuple[Path, str], database: str, tmp_path: Path
) -> None:
    script = (
        "import geo_grid, geo_grid.settings as s\n"
        f"assert geo_grid.__file__.startswith({str(installed)!r}), geo_grid.__file__\n"
        "from geo_grid.api.app import create_app\n"
        f"create_app(s.Settings(), {database!r})\n"
        "from geo_grid.demo.gazetteer import read_gazetteer\n"
        "assert len(read_gazetteer().counties) == 18\n"
        "from geo_grid.cli import main\nimport sys\n"
        "sys.argv = ['geo-grid', 'locate', '114.5', '37']; main()\n"
    )
    said = _python(
        installed, script, tmp_path,
        NUMBA_CACHE_DIR=str(compiled[0] / "compiled"), GEO_GRID_DATABASE_URL=database,
        GEO_GRID_APP_DATABASE_URL=make_conninfo(database, user=APPLICATION_ROLE),
    )  # fmt: skip
    assert "outside every grid cell" in said


def test_lock_files_pin_by_hash_and_record_no_addresses() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-uv.txt", "requirements-data.txt"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        pins = re.findall(r"^[a-z0-9][^\n]*==", text, re.MULTILINE)
        assert pins
        assert len(re.findall(r"--hash=sha256:", text)) >= len(pins)
    for path in [ROOT / "package-lock.json", *(ROOT / "tests").glob("*/*/package-lock.json")]:
        packages = {name: told for name, told in json.loads(path.read_text())["packages"].items() if name}
        assert len(packages) >= 3
        for name, told in packages.items():
            assert "integrity" in told, name
            assert "resolved" not in told, name


def test_set_up_is_valid_shell_and_says_what_it_needs() -> None:
    for script in ("setup.sh", "data/make.sh"):
        subprocess.run(["sh", "-n", ROOT / script], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_without_root_and_sudo_missing_packages_are_named(tmp_path: Path) -> None:
    """A machine without npm, for a user without rights: the words, and nothing installed."""
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "ls", "cat", "id", "dirname", "sed", "printf", "sort", "sha256sum"):
        found = subprocess.run(
            ["sh", "-c", f"command -v {tool}"], capture_output=True, text=True, check=False
        ).stdout.strip()
        if found.startswith("/"):
            (tmp_path / "bin" / tool).symlink_to(found)
    place = tmp_path / "checkout"
    place.mkdir()
    (place / "setup.sh").write_text((ROOT / "setup.sh").read_text())
    for folder in [tmp_path, *tmp_path.parents]:
        if folder != Path("/") and folder != Path("/tmp"):
            folder.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", place / "setup.sh", "test"], env={"PATH": str(tmp_path / "bin"), "HOME": "/nonexistent"},
        user=65534, group=65534, extra_groups=[], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "not root and there is no sudo" in done.stderr
    assert "apt-get install" in done.stderr
    assert "npm" in done.stderr


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """All but whether the program is there, which is somebody else's path."""
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("there is no systemd-analyze here")
    text = (ROOT / "docs/geo-grid.service").read_text()
    (start,) = re.findall(r"^ExecStart=(\S+) (.*)$", text, re.MULTILINE)
    unit = tmp_path / "geo-grid.service"
    unit.write_text(text.replace(start[0], shutil.which("true") or ""))
    done = subprocess.run([verify, "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    helped = run({**os.environ}, start[1].split()[0], "--help")
    assert all(option in helped.stdout for option in start[1].split()[1:])
