"""GET /metrics: metrics of the server in the text format of Prometheus."""

from collections.abc import Iterator

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from geo_grid.api.server.asking import reading
from geo_grid.api.server.neighbours import Neighbours
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import Server, server_of
from geo_grid.budgets import EVERY
from geo_grid.cameras.links import LinksNow, links_now
from geo_grid.due import Waiting

router = APIRouter(tags=["health"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
_OF_POOLS = {"pool_size": "open", "pool_available": "idle", "requests_waiting": "asked_for"}
"""Counters of psycopg_pool, and their names in our metric."""


class _OfProcess(Collector):
    """Collects gauges of this process's present state."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        yield GaugeMetricFamily(
            "geo_grid_feed_age_seconds", "Since it was last known that no change is missing", self._server.feed.age_s()
        )
        yield from self._states()
        yield from self._work()
        yield from self._pools()
        tiles = self._server.tiles
        yield GaugeMetricFamily("geo_grid_tile_memory_bytes", "Vector tiles kept in memory", tiles.held_bytes)
        asked = CounterMetricFamily("geo_grid_tiles", "Vector tiles asked for, by where they were", labels=["found"])
        for where, count in tiles.asked.items():
            asked.add_metric([where], count)
        yield asked
        if (replicas := self._server.replicas) is not None:
            begun = CounterMetricFamily("geo_grid_heavy_reads", "Heavy reads, by where they were begun", labels=["at"])
            for where, count in replicas.reads.items():
                begun.add_metric([where], count)
            yield begun

    def _states(self) -> Iterator[Metric]:
        age = GaugeMetricFamily("geo_grid_state_age_seconds", "Since a state in memory was read", labels=["state"])
        size = GaugeMetricFamily("geo_grid_state_things", "How many things a state in memory holds", labels=["state"])
        reads = CounterMetricFamily("geo_grid_state_reads", "How often a state was read", labels=["state"])
        troubled = GaugeMetricFamily("geo_grid_state_troubled", "1: it could not be read last time", labels=["state"])
        for state in self._server.derived.now():
            if state.age_s is not None:
                age.add_metric([state.name], state.age_s)
            size.add_metric([state.name], state.size)
            reads.add_metric([state.name], state.reads)
            troubled.add_metric([state.name], bool(state.trouble))
        yield from (age, size, reads, troubled)

    def _work(self) -> Iterator[Metric]:
        running = GaugeMetricFamily("geo_grid_work_running", "Work at its turn beside the event loop", labels=["kind"])
        waiting = GaugeMetricFamily("geo_grid_work_waiting", "Work that waits for its turn", labels=["kind"])
        for budget in EVERY:
            running.add_metric([budget.kind], budget.running)
            waiting.add_metric([budget.kind], budget.waiting)
        yield from (running, waiting)

    def _pools(self) -> Iterator[Metric]:
        found = GaugeMetricFamily(
            "geo_grid_connections", "Connections to the database, and requests that wait for one", labels=["pool", "is"]
        )
        for name, pool in self._server.pools.items():
            counted = pool.get_stats()
            for counted_as, what in _OF_POOLS.items():
                found.add_metric([name, what], counted.get(counted_as, 0))
        yield found


class _OfCity(Collector):
    """Collects what is in the database, and the same whichever process is asked."""

    def __init__(self, due: list[Waiting], links: LinksNow) -> None:
        self._due, self._links = due, links

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        yield from self._work()
        yield from self._platforms()

    def _work(self) -> Iterator[Metric]:
        count = GaugeMetricFamily("geo_grid_due_rows", "Rows on the list of due work", labels=["kind"])
        late = GaugeMetricFamily("geo_grid_due_late_seconds", "How late the latest of a kind is", labels=["kind"])
        tried = GaugeMetricFamily("geo_grid_due_failed_tries", "Tries of the row that failed most", labels=["kind"])
        for row in self._due:
            count.add_metric([row.kind], row.count)
            late.add_metric([row.kind], row.late_s)
            tried.add_metric([row.kind], row.failed_tries)
        yield from (count, late, tried)

    def _platforms(self) -> Iterator[Metric]:
        if self._links.door is not None:
            yield GaugeMetricFamily(
                "geo_grid_platform_door_age_seconds",
                "Since the door of lower platforms was open",
                self._links.door["seen_s"],
            )
        online = GaugeMetricFamily("geo_grid_platform_online", "1: it is registered, and there", labels=["platform"])
        heard = GaugeMetricFamily("geo_grid_platform_heard_seconds", "Since it was heard of", labels=["platform"])
        devices = GaugeMetricFamily(
            "geo_grid_platform_catalogue_devices", "Devices of its last catalogue", labels=["platform", "were"]
        )
        for link in self._links.links:
            online.add_metric([link["platform_code"]], link["is_online"])
            if link["heard_s"] is not None:
                heard.add_metric([link["platform_code"]], link["heard_s"])
            for were in ("announced", "received"):
                if link[were] is not None:
                    devices.add_metric([link["platform_code"], were], link[were])
        refused = CounterMetricFamily("geo_grid_platform_refusals", "Refused at the door of platforms", labels=["why"])
        for why, count in self._links.refusals.items():
            refused.add_metric([why], count)
        yield from (online, heard, devices, refused)


class _OfAll(Collector):
    """Collects the metrics of several processes, each with its number in the label `worker`."""

    def __init__(self, texts: dict[int, str]) -> None:
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        found: dict[str, Metric] = {}
        for number, text in sorted(self._texts.items()):
            for family in text_string_to_metric_families(text):
                whole = found.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    whole.add_sample(sample.name, {**sample.labels, "worker": str(number)}, sample.value)
        yield from found.values()


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> PlainTextResponse:
    """Answer with metrics of requests, derived state, due work, queues, connections, tiles, and the process.

    Of several processes that serve, each has those of its own under its number, whichever is asked.
    """
    server = server_of(request)
    own = generate_latest(server.requests.registry) + generate_latest(_OfProcess(server))
    if request.scope["geo_grid.of_neighbour"]:
        return PlainTextResponse(own, media_type=CONTENT_TYPE_LATEST)
    async with reading(request) as database:
        links = await links_now(database)
    neighbours: Neighbours = request.app.state.neighbours
    if neighbours.others:
        of_all = {neighbours.number: own.decode(), **await neighbours.metrics(request.scope)}
        own = generate_latest(_OfAll(of_all))
    of_city = generate_latest(_OfCity(await server.due.waiting(), links))
    return PlainTextResponse(own + of_city, media_type=CONTENT_TYPE_LATEST)
