"""Reading registers of cameras, in the child process: catalogues of GB/T 28181 in XML, and APEs of GA/T 1400 in JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from geo_grid.errors import UnreadableFile
from geo_grid.files.rows import Rows, refuse_too_many
from geo_grid.files.source import BATCH, Source
from geo_grid.gb28181 import catalogue, viid


def read_catalogue(source: Source) -> Rows:
    """Read the cameras of a catalogue. Raises UnreadableFile."""
    try:
        found = catalogue.read_catalogue(source.path.read_bytes())
    except UnreadableFile as error:
        message = f"{source.said} cannot be read: {error}"
        raise UnreadableFile(message) from None
    notes = [f"{count} items were left out, which are no cameras: {what}" for what, count in found.left_out.items()]
    notes += [
        f"{count} values of {name} are no numbers: the first number in each was taken"
        for name, count in found.odd.items()
    ]
    about: dict[str, Any] = {"notes": notes, "secrets": found.secrets}
    if found.announced is not None:
        about |= {"announced": found.announced, "received": found.received}
    return _rows(source, catalogue.COLUMNS, found.rows, found.broken, about)


def read_viid(source: Source) -> Rows:
    """Read the APEs of a document of GA/T 1400. Raises UnreadableFile: it is none, or holds persons, faces or plates."""
    try:
        document = json.loads(source.path.read_bytes())
    except (ValueError, RecursionError) as error:
        message = f"{source.said} is no JSON: {str(error).splitlines()[0]}"
        raise UnreadableFile(message) from None
    try:
        found = viid.read_viid(document)
    except UnreadableFile as error:
        message = f"{source.said} is refused: {error}"
        raise UnreadableFile(message) from None
    notes = []
    if found.directions:
        notes.append(
            f"{found.directions} of MonitorDirection were not read: it counts otherwise than DirectionType of GB/T 28181"
        )
    return _rows(source, viid.COLUMNS, found.rows, found.broken, {"notes": notes, "secrets": found.secrets})


def _rows(
    source: Source,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, str]],
    broken: Mapping[int, str],
    about: Mapping[str, Any],
) -> Rows:
    refuse_too_many(source.said, len(rows), len(rows) * len(columns), source.limits)
    used = [name for name in columns if name in ("lon", "lat") or any(name in row for row in rows)]
    schema = pa.schema([(name, pa.string()) for name in used])

    def batches() -> Iterator[pa.RecordBatch]:
        remaining = iter(rows)
        while chunk := list(islice(remaining, BATCH)):
            yield pa.RecordBatch.from_arrays(
                [pa.array([row.get(name) for row in chunk], pa.string()) for name in used], schema=schema
            )

    told = {
        **about,
        "lon": "lon",
        "lat": "lat",
        "is_geojson": False,
        "unread": {str(row): why for row, why in broken.items()},
    }
    return Rows(told, schema, batches())
