"""Make the pictures of README from the running program: `make up`, and in another terminal `make pictures`.

Looks at the demo as its supervisor, with the click that the log-in page offers on the server's own machine.
"""

import argparse
import re
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

FOLDER = Path(__file__).parent
SIZE = {"width": 1600, "height": 900}
CENTRE = "114.5043, 37.0682"
QUALITY = 72


def main() -> None:
    """Take the pictures one after the other, in the language that is asked for."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--url", default="http://127.0.0.1:8000")
    reader.add_argument("--lang", choices=["zh", "en"], default="zh")
    given = reader.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="dark")
        go(page, f"{given.url}/login?lang={given.lang}&next=/?lang={given.lang}")
        page.locator(".person").nth(3).click()
        page.wait_for_selector(".figure")
        expect(page.locator(".figure b", has_text="…")).to_have_count(0, timeout=90_000)
        take(page, "home")
        go(page, f"{given.url}/maps/wall?lang={given.lang}")
        page.locator(".place").fill(CENTRE)
        page.keyboard.press("Enter")
        page.wait_for_selector(".card h2, .card h3")
        page.get_by_role("button", name=re.compile("Zoom out")).click()
        page.wait_for_timeout(8000)
        take(page, "wall")
        go(page, f"{given.url}/maps/desk?lang={given.lang}")
        page.keyboard.press("j")
        page.wait_for_timeout(8000)
        take(page, "desk")
        browser.close()


def go(page: Page, address: str) -> None:
    """Open a page, and wait until it is complete."""
    page.goto(address)
    page.wait_for_selector("body[data-ready]", timeout=60_000)


def take(page: Page, name: str) -> None:
    """Keep what is seen as docs/NAME.jpg."""
    page.screenshot(path=FOLDER / f"{name}.jpg", type="jpeg", quality=QUALITY)


if __name__ == "__main__":
    main()
