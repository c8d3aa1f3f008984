"""Catalogues that came over SIP into the register, by the way of any file: see `import_file`."""

import contextlib
from pathlib import Path

from geo_grid.cameras.lower_platforms import Taken
from geo_grid.cameras.platforms import note_doubt, note_kept
from geo_grid.db import connect, named
from geo_grid.exchange.datum import SeemsMislabelled
from geo_grid.exchange.importing import Mapping, import_file
from geo_grid.files.door import Asking
from geo_grid.files.limits import SENT
from geo_grid.layers import find_layer
from geo_grid.progress import silent

_NAMED = 5


def take_catalogue(conninfo: str, path: Path, platform_code: str, is_whole: bool, timezone: str) -> Taken:
    """Import the catalogue of a platform, or what it notified, in a transaction of the owner; broken items are left out.

    Rows and shapes are checked one by one: call it in a process with limits.

    Parameters
    ----------
    is_whole
        It is the whole catalogue: what its datum looks like is noted.

    Raises
    ------
    UserError
        None of it can be imported, the database refuses it as a whole, or its datum seems to be another one, which is noted
        of the platform then.
    """
    said = f"the catalogue of {platform_code}" if is_whole else f"what {platform_code} notified"
    own = named(conninfo, f"platform:{platform_code}")
    try:
        with (
            connect(own) as connection,
            contextlib.nullcontext() if is_whole else note_kept(connection, platform_code),
        ):
            report = import_file(
                connection, find_layer("cameras"), path, silent,
                mapping=Mapping(constants={"platform_code": platform_code}), skip_invalid=True, timezone=timezone,
                asking=Asking(SENT, said),
            )  # fmt: skip
    except SeemsMislabelled as error:
        with connect(own) as connection:
            note_doubt(connection, platform_code, error.doubt)
        raise
    bad = [f"item {row}: {reason}" for row, reason in report.skipped[:_NAMED]]
    more = [f"and {len(report.skipped) - _NAMED} more"] if len(report.skipped) > _NAMED else []
    return Taken(report.imported, len(report.skipped), "; ".join([*bad, *more, *report.notes]))
