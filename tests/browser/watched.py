"""What goes wrong with a page in a browser while it is looked at."""

import re

from playwright.sync_api import ConsoleMessage, Page, Request, Response


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
