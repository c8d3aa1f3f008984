"""A real browser, with every other host blocked."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, expect, sync_playwright

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
        launched = playwright.chromium.launch(executable_path="/usr/bin/chromium-headless-shell", args=FLAGS)
        yield launched
        launched.close()


def watched(page: Page, may_be_refused: str | tuple[str, ...] = ()) -> list[str]:
    """Return what will be wrong with a page: requests that leave the machine, errors of scripts and of the console, and
    answers of 400 or more but of addresses that end in `may_be_refused`."""
    faults: list[str] = []

    def asked(request: Request) -> None:
        if not re.match(r"(http://127\.0\.0\.1:\d+/|data:|blob:)", request.url):
            faults.append(f"asked for {request.url}")

    def answered(answer: Response) -> None:
        if answer.status >= 400 and not answer.url.endswith(may_be_refused):
            faults.append(f"{answer.status} {answer.url}")

    def said(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):  # see `answered`
            faults.append(f"console: {message.text}")

    page.on("request", asked)  # not a route, which asks us about each file, and keeps none for the next page
    page.on("response", answered)
    page.on("console", said)
    page.on("pageerror", lambda error: faults.append(f"script error: {error}"))
    return faults


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test on any request that leaves the machine, any error, any missing file."""
    opened = browser.new_page(viewport={"width": 1920, "height": 1080})
    opened.set_default_timeout(90_000)
    opened.faults = faults = watched(opened)
    yield opened
    opened.close()
    assert faults == []
