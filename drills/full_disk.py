"""The disk of the city is full (a tmpfs) during an import, a publication and what the audit must have: nothing half done.

What cannot be written down in the audit is not given out, and what cannot be stored is refused; once there is room again,
everything goes on without anybody's help.
"""

import json
import os
import time
from pathlib import Path

import httpx
import psycopg

from drills.filing import compare, filing
from drills.kit import City, say, until
from drills.squares import SIDE, SOUTH, WEST
from drills.verdict import Verdict

SIZE_MB = 700
_ROWS, _BESIDE_S = 50_000, 4.0


def _fill(ballast: Path, left_kb: int = 0) -> int:
    """Fill the disk but for some kilobytes; return those it took."""
    taken = 0
    with ballast.open("ab") as opened:
        while (free := os.statvfs(ballast).f_bavail * os.statvfs(ballast).f_frsize - (left_kb << 10)) > 0:
            try:
                taken += opened.write(bytes(min(free, 1 << 22)))
                opened.flush()
            except OSError:
                break
    return taken >> 10


def _asked(city: City, key: str, method: str, path: str, **more: object) -> int:
    """Return the status of an answer; 0: there was none."""
    try:
        with city.client(key) as client:
            return client.request(method, path, timeout=20, **more).status_code  # type: ignore[arg-type]
    except httpx.HTTPError:
        return 0


def _counts(city: City) -> dict[str, int]:
    with psycopg.connect(city.conninfo) as connection:
        row = connection.execute(
            "select (select count(*) from cameras), (select count(*) from editions),"
            " (select count(*) from access.audit_log where object_id = 'police_posts' and result = 'done')"
        ).fetchone() or (0, 0, 0)
    return dict(zip(("cameras", "editions", "exports"), row, strict=True))


def _submitted(city: City, planner: str) -> int:
    """Return a draft that waits for approval: a cell gets another name, so that nobody's place gets another owner."""
    with city.client(planner) as client:
        draft = int(client.post("/boundaries/drafts", json={"title": "full disk"}).json()["draft_id"])
        step = {"operation": "describe", "codes": ["C0000"], "name": "full disk"}
        for path, asked, status in (("steps", step, 201), ("submit", {}, 200)):
            answer = client.post(f"/boundaries/drafts/{draft}/{path}", json=asked)
            assert answer.status_code == status, answer.text
    return draft


def drill(city: City, share: float = 1.0) -> Verdict:
    verdict, key, planner = Verdict(), city.new_key(), city.new_key("planner")
    cameras = Path("/tmp") / f"drill_cameras_{os.getpid()}.csv"
    rows = (
        f"1305020000131{n:07d},{WEST + n % 400 * SIDE / 25:.8f},{SOUTH + n // 400 * SIDE / 25:.8f},camera {n}\n"
        for n in range(max(5_000, round(_ROWS * share)))
    )
    cameras.write_text("gb28181_id,lon,lat,name\n" + "".join(rows))
    ballast = city.state_dir / "ballast"
    draft = _submitted(city, planner)
    approval = {"note": "a drill"}
    before = _counts(city)
    said: dict[str, object] = {}
    try:
        with filing(city.url, key, per_s=100) as told:
            time.sleep(max(1.0, _BESIDE_S * share))
            say("the disk is filled during an import ...")
            _fill(ballast, left_kb=round(8192 * share))
            done = city.done("import", "cameras", str(cameras), "--source-crs", "EPSG:4490")
            said["import"] = [done.returncode, done.stderr.strip().splitlines()[-1][:200]]
            verdict.expect(done.returncode != 0, "an import into a full disk said that it was done")
            _fill(ballast)
            say("it is full: publish, export, readyz ...")
            said["publish"] = _asked(city, key, "POST", f"/boundaries/drafts/{draft}/publish", json=approval)
            exports = [_asked(city, key, "GET", "/collections/police_posts/export?f=csv") for _ in range(2)]
            said |= {"exports": exports, "readyz": _asked(city, key, "GET", "/readyz")}
            verdict.expect(said["readyz"] != 200, "/readyz says that all is well while the disk is full")
            time.sleep(max(1.0, _BESIDE_S * share))
            ballast.unlink()
            count = len(told.answered_at)
            said["taken_again_after_s"] = until(
                lambda: len(told.answered_at) > count + 20, "nothing is taken with room again"
            )
            after = _counts(city)
        published, exported = said["publish"] == 200, exports.count(200)
        verdict.expect(after["cameras"] == before["cameras"], f"half an import is stored: {after}")
        verdict.expect(
            (after["editions"] > before["editions"]) == published, f"publish said {said['publish']}: {before} {after}"
        )
        verdict.expect(
            after["exports"] - before["exports"] >= exported, f"{exported} exports are not all in the audit: {after}"
        )
        compare(verdict, city.conninfo, told)
        say("with room again ...")
        if not published:
            verdict.expect(
                _asked(city, key, "POST", f"/boundaries/drafts/{draft}/publish", json=approval) == 200,
                "the draft cannot be published with room again",
            )
        verdict.expect(city.audit_is_whole(), "the chain of the audit is broken")
        if share == 1.0:
            again = city.done("import", "cameras", str(cameras), "--source-crs", "EPSG:4490")
            verdict.expect(
                again.returncode == 0, f"the same file cannot be imported with room again: {again.stderr[-200:]}"
            )
    finally:
        ballast.unlink(missing_ok=True)
        cameras.unlink(missing_ok=True)
    verdict.figures |= json.loads(json.dumps(said))
    return verdict
