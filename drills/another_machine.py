"""A city is backed up while incidents are filed, and comes back in a state folder and a PostgreSQL of its own."""

import itertools
import time

import httpx
import psycopg

from drills.filing import Told, compare, filing
from drills.kit import FREE, City, folder, until
from drills.squares import owner_of, places
from drills.verdict import Verdict

_FILED_S, _ASKED = 8.0, 200


def drill(city: City, share: float = 1.0) -> Verdict:
    verdict, key = Verdict(), city.new_key()
    with folder() as place:
        backup = place / "city.backup"
        with filing(city.url, key) as told:
            time.sleep(max(1.5, _FILED_S * share))
            before = dict(told.stored)
            began = time.monotonic()
            city.run("backup", str(backup))
            verdict.figures["backup_s"] = round(time.monotonic() - began, 1)
        compare(verdict, city.conninfo, told)
        there = City(place / "there", FREE)
        began = time.monotonic()
        there.run("restore", str(backup))
        verdict.figures["restore_s"] = round(time.monotonic() - began, 1)
        try:
            there.start()
            until(there.is_ready, "the restored city is not ready")
            verdict.figures["ready_s"] = round(time.monotonic() - began, 1)
            _examine(verdict, there, told, before)
        finally:
            there.done("down")
    return verdict


def _examine(verdict: Verdict, there: City, told: Told, before: dict[str, int]) -> None:
    """Look for what was accepted before the backup, and ask for places."""
    with psycopg.connect(there.conninfo) as connection:
        stored = dict(
            connection.execute(
                "select idempotency_key, incident_id from idempotency_keys join incidents using (incident_id)"
                " where idempotency_key like %s",
                (f"{told.run}-%",),
            ).fetchall()
        )
    lost = sum(stored.get(name) != incident for name, incident in before.items())
    strange = sum(told.stored.get(name) != incident for name, incident in stored.items())
    with there.client(there.new_key()) as client:
        wrong = sum(not _is_right(client, lon, lat) for lon, lat in itertools.islice(places(), _ASKED))
    verdict.figures |= {"before_the_backup": len(before), "in_the_copy": len(stored)}
    verdict.expect(before, "nothing was accepted before the backup")
    verdict.expect(not lost, f"{lost} that were accepted before the backup are not in the copy")
    verdict.expect(not strange, f"{strange} in the copy are not what was accepted")
    verdict.expect(not wrong, f"{wrong} places are answered with a wrong cell by the copy")
    verdict.expect(there.audit_is_whole(), "the chain of the copy's audit is broken")


def _is_right(client: httpx.Client, lon: float, lat: float) -> bool:
    answer = client.get("/locate", params={"lon": repr(lon), "lat": repr(lat)})
    assert answer.status_code == 200, answer.text
    cells = answer.json()["grid_cells"]
    return bool(cells) and cells[-1]["grid_code"] == owner_of(lon, lat)
