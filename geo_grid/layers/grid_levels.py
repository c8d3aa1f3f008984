"""The levels of the grid: how many there are, what they are called, which codes they use."""

from pydantic import BaseModel, ConfigDict, Field


class GridLevel(BaseModel):
    """One level of the hierarchy; 1 is the outermost."""

    model_config = ConfigDict(extra="forbid")

    grid_level: int = Field(ge=1, le=9)
    name_zh: str = Field(min_length=1)
    name_en: str = Field(min_length=1)
    code_scheme: str
    min_zoom: int = Field(ge=0, le=22)
