"""What the README tells people to type works."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))


def test_its_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z-]+)", BLOCKS, re.MULTILINE))
    assert named == {"up", "test"}
    assert named <= targets


@pytest.mark.parametrize("path", re.findall(r"curl .*'http://127\.0\.0\.1:8000([^']+)'", BLOCKS))
def test_its_questions_are_answered(path: str, demo_client: httpx.Client) -> None:
    assert demo_client.get(path).status_code == 200


@pytest.mark.parametrize("command", sorted(set(re.findall(r"geo-grid ([a-z]+(?: (?:build|add))?)", BLOCKS))))
def test_its_commands_and_options_exist(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "geo_grid", *command.split(), "--help"], capture_output=True, text=True, check=True
    )
    options = {
        o for line in BLOCKS.splitlines() if f"geo-grid {command}" in line for o in re.findall(r"(--[a-z-]+)", line)
    }
    assert all(option in done.stdout for option in options)


def test_its_files_exist() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_python_of_the_guide_runs(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/locate.md, word for word, on the real beats of Chicago."""
    guide = (ROOT / "docs/locate.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "beats.geojson").symlink_to(shared / "chicago_police_beats.geojson")
    monkeypatch.chdir(tmp_path)
    names = {"lon": [-87.65, 0.0], "lat": [41.88, 0.0]}
    exec(code, names)
    assert names["owner"].tolist()[1] == -1
    assert names["locator"].owner(-87.65, 41.88) == str(names["locator"].codes[names["owner"][0]])
