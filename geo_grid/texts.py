"""Texts in models. Apart from `passwords`, which the processes that read files import, and these do without pydantic."""

from typing import Annotated

from pydantic import AfterValidator

from geo_grid.passwords import without_passwords

WithoutPasswords = Annotated[str, AfterValidator(lambda text: without_passwords(text)[0])]
"""A text that somebody writes, of which no password is kept."""
