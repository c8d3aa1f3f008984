"""10,000 open incidents: lists, counts, the desk and steps while more come in; each is listed exactly once."""

import itertools
import time

import httpx

from drills.filing import Told, compare, filing
from drills.kit import City, say
from drills.squares import places
from drills.verdict import Verdict

_OPEN, _AT_ONCE, _STEPS = 10_000, 250, 100


def _open(client: httpx.Client, told: Told, count: int) -> None:
    """Have so many incidents stored, many with each request."""
    where = enumerate(itertools.islice(places(), count))
    while rows := list(itertools.islice(where, _AT_ONCE)):
        sent = [
            (f"{told.run}-{n}", {"lon": lon, "lat": lat, "category": "help", "address": told.run})
            for n, (lon, lat) in rows
        ]
        told.places |= {f"{told.run}-{n}": place for n, place in rows}
        answer = client.post(
            "/incidents/batch", json={"rows": [{"idempotency_key": k, "incident": i} for k, i in sent]}
        )
        assert answer.status_code == 200, answer.text
        told.stored |= {one["idempotency_key"]: one["incident_id"] for one in answer.json()["results"]}
        told.answered_at.append(time.monotonic())


def drill(city: City, share: float = 1.0) -> Verdict:
    verdict, key, told = Verdict(), city.new_key(), Told()
    with city.client(key) as client:
        _open(client, told, round(_OPEN * share))
    say(f"{len(told.stored)} are open ...")
    waits: dict[str, list[float]] = {"list": [], "counts": [], "desk": [], "step": []}
    mine = set(told.stored.values())
    with city.client(key) as client, filing(city.url, key, per_s=50) as more:

        def ask(what: str, method: str, path: str, **asked: object) -> httpx.Response:
            began = time.perf_counter()
            answer = client.request(method, path, **asked)  # type: ignore[arg-type]
            waits[what].append(time.perf_counter() - began)
            return answer

        listed: list[int] = []
        path: str | None = f"/incidents?open=true&limit={_AT_ONCE}"
        while path:
            page = ask("list", "GET", path).json()
            listed += [one["incident_id"] for one in page["incidents"]]
            path = page["next"]
        verdict.expect(len(listed) == len(set(listed)), "an open incident is listed twice")
        verdict.expect(mine <= set(listed), f"{len(mine - set(listed))} open incidents are not listed")
        moved = sorted(mine)[: round(_STEPS * max(share, 0.05))]
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
    told.located = more.located
    compare(verdict, city.conninfo, told)
    compare(verdict, city.conninfo, more)
    verdict.figures["open"] = len(listed)
    for what, taken in waits.items():
        taken.sort()
        verdict.figures[f"{what}_ms"] = {
            "p50": round(1000 * taken[len(taken) // 2], 1), "p99": round(1000 * taken[len(taken) * 99 // 100], 1)
        }  # fmt: skip
    return verdict
