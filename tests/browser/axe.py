"""What axe-core finds on a page, as it stands now."""

from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

_AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
_ASK = """async only => {
  const options = { resultTypes: ["violations"], rules: { "target-size": { enabled: true } } };  // of WCAG 2.2, else off
  const found = await axe.run(document, only ? { ...options, runOnly: only } : options);
  return found.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map(one => ({
      target: one.target.flat().join(" "), html: one.html.slice(0, 160),
      why: [...one.any, ...one.all, ...one.none].map(check => check.message).join("; "),
    })) }));
}"""
SCHEMES = ("dark", "light")


@cache
def _source() -> str:
    return _AXE.read_text()


def serious(page: Page) -> list[str]:
    """What axe finds serious or critical, in the dark; in the light only colours are looked at again.

    Schemes of colours are what the browser says that the user prefers; a page may have one only.
    """
    page.evaluate(_source())
    found: list[str] = []
    for scheme, only in zip(SCHEMES, (None, ["color-contrast"]), strict=True):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        findings: list[dict[str, Any]] = page.evaluate(_ASK, only)
        found += [
            f"{scheme}: {one['id']} ({one['impact']}): {node['target']}: {node['html']}: {node['why']}"
            for one in findings
            for node in one["nodes"]
        ]
    return found
