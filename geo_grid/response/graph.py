"""The road graph: Valhalla's tiles, built from an OpenStreetMap extract, one folder per extract."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from geo_grid.db import Connection, load_queries
from geo_grid.errors import UnreadableFile
from geo_grid.files.limits import of_operator
from geo_grid.files.walls import confine_program
from geo_grid.response.service_area import WHOLE, ServiceArea

QUERIES = load_queries("geo_grid.response", "circles.sql")
_KEPT = 2
"""Number of graphs that are kept on disk: the newest, and the one that a running server may still read."""
_LONGEST_S = 3600.0
_PROGRAMS = tuple(map(Path, ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/urandom", "/proc/self")))
"""Environment of Valhalla's programs, beside its own folder."""
_MOST_PAIRS = 4_000_000
_LABELS = 50_000
"""Edges for which an Actor reserves memory at first; to reserve Valhalla's default of four million takes longer than most
expansions."""
_FARTHEST_M = {"auto": 10_000_000, "motorcycle": 10_000_000, "pedestrian": 1_000_000}
"""Metres of a pair by costing. From a source many targets are looked for in one search, with a bucket for each second of the
longest way, which Valhalla takes to be these metres / 112, on foot / 2 (valhalla/thor/timedistancematrix.h): 25 hours, 6 days.
With a limit of a million kilometres the buckets took 1.5 GB and 0.5 s a source, on foot more than there is."""
_UNLIMITED = 1_000_000_000
"""Replaces Valhalla's limits of metres and corners: `travel` clips and simplifies closures, and questions have a time-out."""


@dataclass(frozen=True)
class Manifest:
    """What a graph was built from.

    Attributes
    ----------
    extract, sha256
        Name and digest of the extract.
    built_at, valhalla
        When (RFC 3339), and by which version.
    bytes
        Size of the tiles.
    box
        The service area: west, south, east, north in degrees; None: the whole extract.
    speeds_kmh
        Speeds in km/h of vehicles on duty by class of road, in place of speed limits.
    """

    extract: str
    sha256: str
    built_at: str
    valhalla: str
    bytes: int
    box: tuple[float, float, float, float] | None = None
    speeds_kmh: dict[str, int] = field(default_factory=dict)


def graph_folder(roads_dir: Path, key: str) -> Path:
    """Return the folder of a graph, which may not exist yet; `key` as made by `ServiceArea.key`."""
    return roads_dir / key[:16]


def find_graph(roads_dir: Path, key: str | None) -> Path | None:
    """Return the folder of a complete graph, or None."""
    if key is None:
        return None
    folder = graph_folder(roads_dir, key)
    return folder if (folder / "manifest.json").is_file() else None


def imported_graph(connection: Connection) -> str | None:
    """Return the key of the graph of the imported roads; None: no roads are imported, or no graph was built."""
    row = connection.execute(QUERIES["extract"]).fetchone()
    return row["graph_key"] if row else None


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a graph."""
    return Manifest(**json.loads((folder / "manifest.json").read_text()))


def digest_of(extract: Path) -> str:
    """Return the digest of an extract (SHA-256, hexadecimal) by which its graph is known."""
    with extract.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def build_graph(extract: Path, roads_dir: Path, sha256: str, area: ServiceArea = WHOLE) -> Path:
    """Build the graph of an extract, and return its folder; an existing graph is not built again. Blocks for minutes.

    The folder appears when the graph is complete, so that a failure leaves nothing behind.

    Parameters
    ----------
    sha256
        Digest of the extract; it and the service area make the key of the graph.

    Raises
    ------
    UnreadableFile
        Valhalla cannot read the extract, or finds no road in it.
    """
    from valhalla import PYVALHALLA_DIR, __version__

    key = area.key(sha256)
    folder = graph_folder(roads_dir, key)
    if find_graph(roads_dir, key) is not None:
        os.utime(folder)
        return folder
    roads_dir.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=roads_dir))
    try:
        (fresh / "tiles").mkdir()
        roads = extract
        if area != WHOLE:
            roads = fresh / "roads.osm.pbf"
            area.write(extract, roads)
        config = fresh / "build.json"
        config.write_text(json.dumps(_defaults(fresh)))
        program = PYVALHALLA_DIR / "bin/valhalla_build_tiles"  # its console script needs an active environment
        # Valhalla parses an untrusted file: run it in the same sandbox as the readers of files
        walls = partial(
            confine_program,
            [PYVALHALLA_DIR.parent, *_PROGRAMS, config, roads],
            fresh,
            of_operator().memory_bytes,
            of_operator().processor_s,
        )
        done = subprocess.run(
            [program, "-c", config, roads], capture_output=True, text=True, timeout=_LONGEST_S, check=False,
            preexec_fn=walls,
        )  # fmt: skip
        size = sum(file.stat().st_size for file in (fresh / "tiles").rglob("*.gph"))
        if done.returncode or not size:
            said = (done.stderr + done.stdout).strip().splitlines()
            message = f"{extract.name}: Valhalla builds no road graph of it: {said[-1] if said else 'no road in it'}"
            raise UnreadableFile(message)
        for made in {config, roads} - {extract}:
            made.unlink()
        manifest = Manifest(
            extract.name,
            sha256,
            datetime.now(UTC).isoformat(),
            __version__,
            size,
            area.box,
            dict(area.speeds_kmh),
        )
        (fresh / "manifest.json").write_text(json.dumps(asdict(manifest)))
        shutil.rmtree(folder, ignore_errors=True)
        fresh.chmod(0o755)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    built = sorted(roads_dir.glob("*/manifest.json"), key=lambda file: file.parent.stat().st_mtime)
    for old in built[:-_KEPT]:
        shutil.rmtree(old.parent, ignore_errors=True)
    return folder


def _defaults(folder: Path) -> dict[str, Any]:
    """Return Valhalla's default configuration for the tiles in a folder; a deep copy, since the library shares its parts."""
    from valhalla import get_config  # not at the top: few who look for a graph configure Valhalla

    found: dict[str, Any] = deepcopy(get_config(tile_dir=folder / "tiles", tile_extract=""))
    return found


def actor_config(folder: Path, matrix_algorithm: str = "costmatrix", is_shared: bool = False) -> dict[str, Any]:
    """Return Valhalla's configuration for queries of a graph, with the limits of a city's command centre.

    Parameters
    ----------
    is_shared
        Whether the Actors of a process share one cache of tiles. Only for Actors of the same graph: the cache knows tiles
        by their number alone.
    """
    config = _defaults(folder)
    config["thor"].update(source_to_target_algorithm=matrix_algorithm, max_reserved_labels_count_dijkstras=_LABELS)
    config["mjolnir"]["global_synchronized_cache"] = is_shared
    limits = config["service_limits"]
    for costing, farthest_m in _FARTHEST_M.items():
        limits[costing].update(
            max_matrix_location_pairs=_MOST_PAIRS,
            max_locations=1000,
            max_distance=_UNLIMITED,
            max_matrix_distance=farthest_m,
        )
    limits.update(
        max_exclude_polygons_length=_UNLIMITED,
        max_exclude_polygons_vertices=_UNLIMITED,
        allow_hard_exclusions=True,
        max_exclude_locations=_MOST_PAIRS,
    )
    return config
