"""Codes that the server gives out have names on the pages."""

import json
import subprocess
from pathlib import Path
from typing import get_args

from pydantic import TypeAdapter

from geo_grid.access.accounts import Role
from geo_grid.boundaries.steps import AnyStep
from geo_grid.layers.incidents import Step
from geo_grid.response.ranking import Reason
from geo_grid.response.router import Why
from geo_grid.settings import asset_dir


def codes() -> dict[str, dict[str, list[str]]]:
    """Return what the pages call codes, by group: Chinese, English."""
    words: Path = asset_dir("static") / "js/words.js"
    script = f"import({json.dumps(words.as_uri())}).then(({{ CODES }}) => console.log(JSON.stringify(CODES)))"
    told = subprocess.run(["node", "-e", script], check=True, capture_output=True, text=True).stdout
    named: dict[str, dict[str, list[str]]] = json.loads(told)
    return named


def test_codes_of_the_server_have_names() -> None:
    named = codes()
    assert set(named["reasons"]) == set(get_args(Reason.__value__))
    assert set(named["estimated"]) == set(get_args(Why))
    assert set(named["steps"]) == set(get_args(Step))
    assert set(named["access"]) >= set(get_args(Role.__value__))
    steps = TypeAdapter(AnyStep).json_schema()["discriminator"]["mapping"]
    assert set(named["operations"]) == set(steps)
