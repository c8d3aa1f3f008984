"""Unpacking archives, in the child process: the parts of one file, under names of ours."""

import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

from geo_grid.errors import UnreadableFile, UserError
from geo_grid.files.kinds import ZIPPED, first_line
from geo_grid.files.source import Source


def unpacked(source: Source) -> Source:
    """Unpack an archive that holds one Shapefile, MapInfo table or KML; its parts get names of ours.

    Raises
    ------
    UnreadableFile
        It holds none or several, is broken, or unpacks to more than is taken.
    """
    said, limits, suffix = source.said, source.limits, source.path.suffix.lower()
    if suffix not in (".zip", ".kmz"):
        return source
    if source.scratch is None:
        message = "there is no folder to unpack into"
        raise UserError(message)
    kinds = ZIPPED if suffix == ".zip" else {".kml": (".kml",)}
    try:
        with zipfile.ZipFile(source.path) as archive:
            found = [(Path(part.filename).suffix.lower(), part) for part in archive.infolist()]
            leading = [ending for ending, _ in found if ending in kinds]
            parts = [(ending, part) for ending, part in found if leading and ending in kinds[leading[0]]]
            if len(leading) != 1 or len({ending for ending, _ in parts}) != len(parts):
                what = "Shapefiles or MapInfo tables" if suffix == ".zip" else "KML documents"
                message = f"{said} holds {len(leading)} {what}; send an archive with the files of one"
                raise UnreadableFile(message)
            left = limits.unpacked_bytes
            for ending, part in parts:
                with archive.open(part) as packed, (source.scratch / f"layer{ending}").open("wb") as made:
                    while block := packed.read(1 << 20):
                        left -= len(block)
                        if left < 0:  # whatever the archive says of itself
                            message = f"{said} unpacks to more than {limits.unpacked_bytes / 1e9:.1f} GB"
                            raise UnreadableFile(message)
                        made.write(block)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError, zlib.error, ValueError) as error:
        message = f"{said} is not a readable archive: {first_line(error)}"
        raise UnreadableFile(message) from None
    return replace(source, path=source.scratch / f"layer{leading[0]}")
