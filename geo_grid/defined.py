"""What a figure means, in both languages: the words stand beside every answer that has it."""

from pydantic import BaseModel, Field


class Defined(BaseModel):
    """A figure and its definition."""

    code: str = Field(description="name of the figure in the answer")
    name_zh: str
    name_en: str
    unit: str
    definition_zh: str
    definition_en: str = Field(description="what is counted, and what is left out")
