"""One Settings object, read once from GEO_GRID_* environment variables."""

import os
from functools import cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PACKAGE = Path(__file__).parent


def asset_dir(name: str) -> Path:
    """Return the folder of assets (`static`, `migrations`, `data`): inside a wheel, or beside the package."""
    packed = PACKAGE / "_assets" / name
    return packed if packed.is_dir() else PACKAGE.parent / name


def default_state_dir() -> Path:
    """Return where the private database lives when nothing else is said."""
    if os.geteuid() == 0:
        return Path("/var/lib/geo_grid")
    return Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local/state")) / "geo_grid"


class Settings(BaseSettings):
    """What can be configured. Every field is the variable GEO_GRID_<FIELD> in capitals."""

    model_config = SettingsConfigDict(env_prefix="GEO_GRID_")

    database_url: str | None = Field(None, description="libpq connection string; replaces the private PostGIS cluster")
    app_database_url: str | None = Field(
        None, description="the same database as the user geo_grid_app, for the server; needed with database_url"
    )
    state_dir: Path = Field(
        default_factory=default_state_dir, description="folder of the private cluster, logs and pid files"
    )
    host: str = Field("127.0.0.1", description="address to serve on")
    port: int = Field(8000, ge=0, le=65535, description="port to serve on")
    pool_size: int = Field(8, ge=1, le=200, description="most database connections one server opens")
    statement_timeout_s: float = Field(30, gt=0, description="longest a request may ask the database")
    positional_error_m: float = Field(
        10, ge=0, le=500, description="neighbours nearer than this are named as alternatives"
    )
    response_speed_kmh: float = Field(
        30, gt=0, le=150, description="speed for circles without a road network (no official figure exists)"
    )
    response_detour_factor: float = Field(
        1.3, ge=1, le=5, description="road length over straight-line length for such circles"
    )
    timezone: str = Field("Asia/Shanghai", description="of times in files that name none")
    city_name_zh: str = Field("邢台市", description="name shown on the pages")
    city_name_en: str = Field("Xingtai", description="name shown on the pages")


@cache
def settings() -> Settings:
    """Return the settings of this process."""
    return Settings()
