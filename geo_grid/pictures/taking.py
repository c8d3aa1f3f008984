"""Takes a picture of a page of ours, once the page says that all of it is there."""

import asyncio
import base64
from dataclasses import dataclass
from typing import Literal

from geo_grid.errors import TooMuch, UserError
from geo_grid.pictures.browser import ORIGIN, Answers, Browser

_LONGEST_S = 60.0
_LOOK_S = 0.1
_MM_PER_INCH, _PIXELS_PER_INCH = 25.4, 96
"""A CSS pixel is 1/96 inch."""


@dataclass(frozen=True)
class Wanted:
    """What a picture is of.

    Attributes
    ----------
    path
        Of the page with its query, beginning with `/`.
    paper_mm
        Width and height of the page in millimetres.
    density
        Pixels of a PNG for each CSS pixel: 2 are 192 dots per inch.
    """

    path: str
    form: Literal["png", "pdf"]
    paper_mm: tuple[int, int]
    density: float = 2


async def take_picture(command: str, wanted: Wanted, answers: Answers) -> bytes:
    """Return the picture; cancelling it kills the browser.

    Parameters
    ----------
    command
        File of the browser (`find_browser`).
    answers
        Answers what the page asks for, with the rights of whoever wants the picture.

    Raises
    ------
    UserError
        The page says why it cannot be shown.
    TooMuch
        The page was not there in time.
    GeoGridError
        The browser failed.
    """
    width, height = (round(mm / _MM_PER_INCH * _PIXELS_PER_INCH) for mm in wanted.paper_mm)
    try:
        async with (
            asyncio.timeout(_LONGEST_S),
            Browser.opened(command, answers, width, height, wanted.density) as browser,
        ):
            await browser.ask("Page.navigate", url=f"{ORIGIN}{wanted.path}")
            while not await browser.evaluate("document.body?.dataset.ready"):
                if failed := await browser.evaluate("document.body?.dataset.failed"):
                    raise UserError(str(failed))
                await asyncio.sleep(_LOOK_S)
            if wanted.form == "png":
                taken = await browser.ask("Page.captureScreenshot", format="png")
            else:
                inches = [mm / _MM_PER_INCH for mm in wanted.paper_mm]
                taken = await browser.ask(
                    "Page.printToPDF", printBackground=True, paperWidth=inches[0], paperHeight=inches[1], marginTop=0,
                    marginBottom=0, marginLeft=0, marginRight=0, pageRanges="1",
                )  # fmt: skip
    except TimeoutError:
        message = (
            f"the picture was not done within {_LONGEST_S:.0f} s: ask for fewer layers, or a smaller part of the city"
        )
        raise TooMuch(message) from None
    return base64.b64decode(taken["data"])
