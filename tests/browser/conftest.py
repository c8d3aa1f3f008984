"""A real browser, with every other host blocked."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, closed after this package's last test: Playwright's loop would forbid the others asyncio.run."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test on any request that leaves the machine, any error, any missing file."""
    opened = browser.new_page(viewport={"width": 1920, "height": 1080})
    faults: list[str] = []

    def gate(route) -> None:
        if re.match(r"(http://127\.0\.0\.1:\d+/|data:|blob:)", route.request.url):
            route.continue_()
        else:
            faults.append(f"asked for {route.request.url}")
            route.abort()

    opened.route("**/*", gate)
    opened.on("console", lambda said: "Content Security Policy" in said.text and faults.append(said.text))
    opened.on("pageerror", lambda error: faults.append(f"script error: {error}"))
    opened.on("response", lambda answer: answer.status >= 400 and faults.append(f"{answer.status} {answer.url}"))
    opened.faults = faults
    yield opened
    opened.close()
    assert faults == []
