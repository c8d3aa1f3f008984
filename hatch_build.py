"""Puts static/ into the wheel, fetching the web libraries with npm first when they are missing."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class StaticFiles(BuildHookInterface):
    """Build hook: a wheel without its web libraries would serve blank pages."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Run npm when static/vendor is missing and add static/ to the wheel (not to an editable one)."""
        if version == "editable":
            return
        root = Path(self.root)
        if not (root / "static/vendor").is_dir():
            npm = shutil.which("npm")
            if npm is None:
                message = "npm is needed to fetch the web libraries: install npm, then run pip again"
                raise RuntimeError(message)
            subprocess.run([npm, "ci", "--omit=dev"], cwd=root, check=True)
        build_data["force_include"][str(root / "static")] = "geo_grid/_assets/static"
