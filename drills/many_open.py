"""10,000 open incidents: lists, counts, the desk and steps while more come in; each is listed exactly once."""

import itertools
import time

import httpx

from drills.filing import compare, filing
from drills.kit import City, say
from drills.squares import owner_of, places
from drills.verdict import Verdict
from geo_grid.db import connect

_OPEN, _LISTED, _STEPS = 10_000, 500, 40


def _opened(city: City, count: int) -> set[int]:
    """Store so many open incidents, at once; return their numbers."""
    rows = [(*place, owner_of(*place)) for place in itertools.islice(places(), count)]
    with connect(city.conninfo) as connection:
        found = connection.execute(
            "insert into incidents (category, geom, grid_code, edition_id)"
            " select 'help', ST_SetSRID(ST_MakePoint(lon, lat), 4490), cell, (select max(edition_id) from editions)"
            " from unnest(%s::float[], %s::float[], %s::text[]) u (lon, lat, cell) returning incident_id",
            list(map(list, zip(*rows, strict=True))),
        ).fetchall()
    return {row["incident_id"] for row in found}


def drill(city: City, share: float = 1.0) -> Verdict:
    verdict, key = Verdict(), city.new_key()
    mine = _opened(city, round(_OPEN * share))
    say(f"{len(mine)} are open ...")
    waits: dict[str, list[float]] = {"list": [], "counts": [], "desk": [], "step": []}
    with city.client(key) as client, filing(city.url, key, per_s=50) as more:

        def ask(what: str, method: str, path: str, **asked: object) -> httpx.Response:
            began = time.perf_counter()
            answer = client.request(method, path, **asked)  # type: ignore[arg-type]
            waits[what].append(time.perf_counter() - began)
            return answer

        listed: list[int] = []
        path: str | None = f"/incidents?open=true&limit={_LISTED}"
        while path:
            page = ask("list", "GET", path).json()
            listed += [one["incident_id"] for one in page["incidents"]]
            path = page["next"]
        verdict.expect(len(listed) == len(set(listed)), "an open incident is listed twice")
        verdict.expect(mine <= set(listed), f"{len(mine - set(listed))} open incidents are not listed")
        moved = sorted(mine)[: round(_STEPS * max(share, 0.1))]
        for incident in moved:
            for action in ("accept", "assign"):
                answer = ask("step", "POST", f"/incidents/{incident}/steps", json={"action": action})
                verdict.expect(answer.status_code == 201, f"{action} of {incident}: {answer.status_code} {answer.text}")
            card = ask("desk", "GET", "/desk", params={"incident": incident})
            verdict.expect(
                card.json()["incident"]["step"] == "assigned", f"the desk shows {incident} as {card.text[:80]}"
            )
            counted = ask("counts", "GET", "/incidents/counts").json()
            verdict.expect(counted["open"] >= len(mine), f"{len(mine)} are open, and {counted} counted")
    compare(verdict, city.conninfo, more)
    verdict.figures["open"] = len(listed)
    for what, taken in waits.items():
        taken.sort()
        verdict.figures[f"{what}_ms"] = {
            "p50": round(1000 * taken[len(taken) // 2], 1), "p99": round(1000 * taken[len(taken) * 99 // 100], 1)
        }  # fmt: skip
    return verdict
