"""A real browser, with every other host blocked."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.watched import watched
from tests.conftest import live_server

_UNUSED = (
    "WebUIOmniboxPopup", "WebUIOmniboxAimPopup",  # pages under the address bar: a second of a core for each new window
    # the last list counts, so these are Playwright's own
    "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled",
    "PreconnectToSearch",
)  # fmt: skip
"""Features of Chromium that are off."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
         f"--disable-features={','.join(_UNUSED)}"]  # fmt: skip


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium without windows, which draws the same pages for two thirds of the work.

    It is closed after this package's last test: Playwright's loop would forbid the others asyncio.run.
    """
    expect.set_options(timeout=90_000)  # a busy machine
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=Path(__file__).parent / "chromium", args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test on any request that leaves the machine, any error, any missing file."""
    opened = browser.new_page(viewport={"width": 1920, "height": 1080})
    opened.set_default_timeout(90_000)
    opened.faults = faults = watched(opened)
    yield opened
    opened.close()
    assert faults == []


@contextmanager
def served(page: Page, conninfo: str, **options: object) -> Iterator[str]:
    """Serve a city to a page (`live_server`), which leaves before the server ends: what it asks for meanwhile is no fault."""
    with live_server(conninfo, **options) as url:
        yield url
        page.goto("about:blank")
