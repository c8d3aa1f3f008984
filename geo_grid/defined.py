"""What a figure means, in both languages: the words stand beside every answer that has it."""

from collections.abc import Iterable

from pydantic import BaseModel, Field


class Defined(BaseModel):
    """A figure and its definition."""

    code: str = Field(description="name of the figure in the answer")
    name_zh: str
    name_en: str
    unit: str
    definition_zh: str
    definition_en: str = Field(description="what is counted, and what is left out")


def in_words(definitions: Iterable[Defined]) -> str:
    """Return definitions in one text, in both languages, as they stand in a table."""
    return "  ".join(f"{one.code}: {one.definition_zh} {one.definition_en}" for one in definitions)
