"""What a running server says of itself, for the doctor: its metrics, in a line for each part."""

import ssl
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Iterator

from prometheus_client.parser import text_string_to_metric_families

from geo_grid.doctor import Finding

_PATIENCE_S = 10.0
type Samples = dict[str, list[tuple[dict[str, str], float]]]


def examine_served(url: str, key: str) -> list[Finding]:
    """Return what the metrics of a server say: requests, queues, connections, what is in memory, tiles, and processes.

    Parameters
    ----------
    url
        Address of a server on this machine, whose certificate may be of another name.
    key
        API key with the right `metrics`.
    """
    request = urllib.request.Request(f"{url}/metrics", headers={"Authorization": f"Bearer {key}"})  # noqa: S310
    context = ssl._create_unverified_context() if url.startswith("https") else None  # noqa: S323 (this machine itself)
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S, context=context) as answer:  # noqa: S310
            text = answer.read().decode()
    except (urllib.error.URLError, OSError) as error:
        return [Finding("server", False, f"does not answer at {url}: {getattr(error, 'reason', error)}")]
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return list(_findings(found))


def _findings(found: Samples) -> Iterator[Finding]:
    statuses = _summed(found, "geo_grid_requests_total", "status")
    failed = sum(count for status, count in statuses.items() if status.startswith("5"))
    yield Finding(
        "requests", True, f"{sum(statuses.values()):,.0f} answered, {failed:,.0f} of them with an error of the server"
    )
    running = _summed(found, "geo_grid_work_running", "kind")
    waiting = _summed(found, "geo_grid_work_waiting", "kind")
    busy = [kind for kind in running if running[kind] or waiting[kind]]
    told = _listed(f"{kind}: {running[kind]:.0f} at work, {waiting[kind]:.0f} waiting" for kind in busy)
    yield Finding("queues", True, told)
    pools: dict[str, dict[str, float]] = {}
    for labels, value in found.get("geo_grid_connections", []):
        pool = pools.setdefault(labels["pool"], {"open": 0.0, "idle": 0.0, "asked_for": 0.0})
        pool[labels["is"]] += value
    short = [name for name, pool in pools.items() if pool["asked_for"]]
    told = _listed(
        f"{name}: {pool['open']:.0f} open, {pool['idle']:.0f} idle, {pool['asked_for']:.0f} asked for"
        for name, pool in pools.items()
    )
    yield Finding("connections", not short, told)
    things = _summed(found, "geo_grid_state_things", "state")
    troubled = [name for name, is_so in _summed(found, "geo_grid_state_troubled", "state").items() if is_so]
    told = f"{len(things)} states held" + (f"; these could not be read: {', '.join(troubled)}" if troubled else "")
    yield Finding("in memory", not troubled, told)
    tiles = _summed(found, "geo_grid_tiles_total", "found")
    held_mb = sum(value for _, value in found.get("geo_grid_tile_memory_bytes", [])) / 1e6
    yield Finding(
        "tiles",
        True,
        f"{held_mb:,.0f} MB kept; asked for: {_listed(f'{where} {n:,.0f}' for where, n in tiles.items())}",
    )
    sizes = [value / 1e6 for _, value in found.get("process_resident_memory_bytes", [])]
    yield Finding("servers", bool(sizes), f"{len(sizes)}, with {_listed(f'{size:,.0f} MB' for size in sizes)}")


def _summed(found: Samples, name: str, label: str) -> dict[str, float]:
    """Add up the samples of a metric by one of its labels."""
    sums: dict[str, float] = defaultdict(float)
    for labels, value in found.get(name, []):
        sums[labels[label]] += value
    return sums


def _listed(said: Iterable[str]) -> str:
    return "; ".join(said) or "none"
