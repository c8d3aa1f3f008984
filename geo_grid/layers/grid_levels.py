"""The levels of the grid: how many there are, what they are called, which codes they use."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geo_grid.db import AsyncConnection, Connection, load_queries
from geo_grid.errors import Conflict, Forbidden, NotFound, UnreadableFile, told

QUERIES = load_queries("geo_grid.layers", "grid_levels.sql")


class GridLevel(BaseModel):
    """One level of the hierarchy; 1 is the outermost."""

    model_config = ConfigDict(extra="forbid")

    grid_level: int = Field(ge=1, le=9)
    name_zh: str = Field(min_length=1)
    name_en: str = Field(min_length=1)
    code_scheme: str
    min_zoom: int = Field(ge=0, le=22)
    settles: bool | None = Field(
        None, description="whether a matter can be held at this level; null: as it is, and of a new level: yes"
    )


class LevelRules(BaseModel):
    """What may be changed of a level while there are cells of it."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name_zh: str = Field(min_length=1, max_length=100)
    name_en: str = Field(min_length=1, max_length=100)
    min_zoom: int = Field(ge=0, le=22, description="first zoom at which maps draw its cells")
    settles: bool = Field(
        description="whether a matter can be held at this level: it begins at the lowest one, and rises one at a time"
    )


class KeptLevel(LevelRules):
    """A level of the table."""

    grid_level: int
    code_scheme: str
    cells: int = Field(description="of it that are in force, and that one may see")


def read_levels(path: Path) -> list[GridLevel]:
    """Read levels from a TOML file with one `[[grid_levels]]` table per level.

    Raises
    ------
    UnreadableFile
        No TOML, a field is wrong, or the levels are not 1, 2, 3, ...
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        levels = [GridLevel.model_validate(entry) for entry in found["grid_levels"]]
    except ValidationError as error:
        first = error.errors()[0]
        message = f"{path}: {'.'.join(map(str, first['loc']))}: {told(first)}"
        raise UnreadableFile(message) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{path} is not a list of [[grid_levels]] in TOML: {error}"
        raise UnreadableFile(message) from None
    if [level.grid_level for level in levels] != list(range(1, len(levels) + 1)):
        message = f"{path}: grid_level must count 1, 2, 3, ... in order"
        raise UnreadableFile(message)
    return levels


def list_levels(connection: Connection) -> list[GridLevel]:
    """List the levels, outermost first."""
    return [GridLevel.model_validate(row) for row in connection.execute(QUERIES["all"]).fetchall()]


def set_levels(connection: Connection, levels: list[GridLevel]) -> None:
    """Replace the levels.

    Raises
    ------
    Conflict
        Cells exist at a level that would go, or a code scheme is unknown.
    """
    schemes = [str(row["code_scheme"]) for row in connection.execute(QUERIES["schemes"]).fetchall()]
    for level in levels:
        if level.code_scheme not in schemes:
            message = (
                f"level {level.grid_level}: unknown code scheme {level.code_scheme!r}; known: {', '.join(schemes)}"
            )
            raise Conflict(message)
    deepest = connection.execute(QUERIES["deepest_in_use"]).fetchone()
    if deepest is not None and deepest["grid_level"] is not None and deepest["grid_level"] > len(levels):
        message = f"there are grid cells at level {deepest['grid_level']}: that level cannot be removed"
        raise Conflict(message)
    for level in levels:
        connection.execute(QUERIES["put"], level.model_dump())
    connection.execute(QUERIES["trim"], {"deepest": len(levels)})


async def level_rules(connection: AsyncConnection) -> list[KeptLevel]:
    """List the levels with what may be changed of them, outermost first."""
    rows = await connection.execute(QUERIES["rules"])
    return [KeptLevel.model_validate(row) for row in await rows.fetchall()]


async def change_level(connection: AsyncConnection, number: int, rules: LevelRules) -> KeptLevel:
    """Change what a level is called, from which zoom it is drawn, and whether it settles matters.

    Raises
    ------
    NotFound
        There is no such level.
    Forbidden
        The caller may not, in the whole city.
    """
    known = {level.grid_level: level for level in await level_rules(connection)}
    if number not in known:
        message = f"there is no level {number}: `geo-grid levels FILE.toml` says how many there are"
        raise NotFound(message)
    changed = await connection.execute(QUERIES["change"], {**rules.model_dump(), "grid_level": number})
    if not changed.rowcount:
        message = "levels are the whole city's: somebody with the right workflow.rules in the whole city edits them"
        raise Forbidden(message)
    return KeptLevel(**{**known[number].model_dump(), **rules.model_dump()})
