"""A city of this machine's PostgreSQL moves to Debian 13 with PostgreSQL 17: set-up, restore, and the unit under systemd.

Debian 13 is fetched into a folder (debootstrap), and is a machine of its own for what runs there: its own processes, its own
systemd, its own users. It takes some minutes, needs root and Debian's packages, and is not among `all`.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from drills.filing import compare, filing
from drills.kit import City, city, folder, free_port, is_ready_at, say, until
from drills.squares import places
from drills.verdict import CannotBeDoneError, Verdict

LONGEST_S = 900
_FILED_S, _POINTS = 5.0, 5_000
_SUITE, _HOME, _CITY = "trixie", "opt/geo_grid", "/var/lib/geo_grid"
_COPIED = (
    "etc/resolv.conf",
    "etc/apt/apt.conf.d",
    "etc/pip.conf",
    "etc/npmrc",
    "root/.npmrc",
    "root/.config/pip",
    "usr/local/share/ca-certificates",
)
"""How this machine reaches the registries of packages: names, proxies, certificates."""
_CERTIFICATES = ("SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS")
_BOOT = """
set -e
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
cd "$ROOT"
mount -t proc proc proc && mount -t sysfs sys sys && mount -t devtmpfs dev dev
mkdir -p dev/shm dev/pts old
mount -t tmpfs tmpfs dev/shm && mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs tmpfs run && mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs tmpfs sys/fs/cgroup
mkdir -p sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd || mount -t cgroup2 cgroup sys/fs/cgroup
pivot_root . old
umount -l /old
exec env container=chroot SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 \
    SYSTEMD_PROC_CMDLINE="systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1" \
    /lib/systemd/systemd --system --unit=multi-user.target --show-status=no
"""
"""Makes a folder the root of namespaces of their own, and systemd the first process there."""


def _run(*command: str | Path, **more: object) -> str:
    done = subprocess.run([str(one) for one in command], capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}: {done.stdout[-500:]}{done.stderr[-1500:]}"
    return str(done.stdout)


def _source() -> str:
    """Return the address of Debian's packages that this machine uses. Raises CannotBeDoneError: it names none."""
    for file in sorted(Path("/etc/apt").rglob("*.sources")):
        for line in file.read_text().splitlines():
            if line.startswith("URIs:") and "security" not in line:
                return line.split()[1]
    message = "no file of sources below the folder of apt says where Debian's packages are"
    raise CannotBeDoneError(message)


@contextlib.contextmanager
def _root(where: Path) -> Iterator[Path]:
    """Debian 13 in a folder, with a checkout of this commit, and what programs need to run there."""
    root = where / "debian"
    _run("debootstrap", "--variant=minbase", _SUITE, root, _source())
    for name in _COPIED:
        if Path("/", name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            if Path("/", name).is_dir():
                shutil.copytree(Path("/", name), root / name, ignore_dangling_symlinks=True, dirs_exist_ok=True)
            else:
                shutil.copy(Path("/", name), root / name)
    for name in _CERTIFICATES:
        file = os.environ.get(name)
        if file and Path(file).is_file():
            (root / file.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, root / file.lstrip("/"))
    _run("git", "clone", "--quiet", Path(__file__).parents[1], root / _HOME)
    mounts = (("proc", "proc"), ("sysfs", "sys"), ("devtmpfs", "dev"))
    try:
        for kind, name in mounts:
            _run("mount", "-t", kind, kind, root / name)
        yield root
    finally:
        for _, name in mounts:
            subprocess.run(["umount", "--lazy", str(root / name)], check=False)


def _there(root: Path, command: str, user: str = "root") -> str:
    """Run a command in the folder; as another user without the rights of root."""
    script = f"cd /{_HOME} && export GEO_GRID_STATE_DIR={_CITY} && {command}"
    more = () if user == "root" else ("--userspec", user)
    return _run("chroot", *more, root, "sh", "-c", script, env={**os.environ, "HOME": "/root" if not more else _CITY})


@contextlib.contextmanager
def _booted(root: Path) -> Iterator[list[str]]:
    """Systemd in the folder, with processes of its own; yields what runs a command there."""
    command = ["unshare", "--pid", "--mount", "--uts", "--ipc", "--fork", "sh", "-c", _BOOT]
    outer = subprocess.Popen(command, env={**os.environ, "ROOT": str(root)}, stderr=subprocess.DEVNULL)
    first = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    try:
        until(lambda: first.read_text().split(), "no process began in namespaces of its own")
        pid = first.read_text().split()[0]
        until(lambda: b"systemd" in Path(f"/proc/{pid}/cmdline").read_bytes(), "systemd does not run here")
        yield ["nsenter", "--target", pid, "--all"]
    finally:
        with contextlib.suppress(ProcessLookupError, ValueError, IndexError):
            os.kill(int(first.read_text().split()[0]), signal.SIGKILL)  # and with it all of its namespace
        outer.kill()
        outer.wait()


def _owners(made: City, points: Path, out: Path) -> bytes:
    made.run("locate", "--file", str(points), "--out", str(out))
    return out.read_bytes()


def drill(share: float = 1.0) -> Verdict:
    """Move a city; then let systemd start it, lose it, start it again and end it."""
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        message = "it needs root, and debootstrap: apt-get install debootstrap"
        raise CannotBeDoneError(message)
    verdict = Verdict()
    with folder() as place, city() as made:
        with filing(made.url, made.new_key()) as told:
            time.sleep(_FILED_S * share)
        compare(verdict, made.conninfo, told)
        with psycopg.connect(made.conninfo) as connection:
            verdict.figures["from"] = connection.info.server_version // 10_000
        points = place / "points.csv"
        some = [next(spots) for spots in [places()] for _ in range(_POINTS)]
        points.write_text("lon,lat\n" + "".join(f"{lon!r},{lat!r}\n" for lon, lat in some))
        before = _owners(made, points, place / "before.csv")
        made.run("backup", str(place / "city.backup"))
        say("Debian 13 is fetched and set up ...")
        with _root(place) as root:
            began = time.monotonic()
            _there(root, "./setup.sh up >/dev/null && apt-get install -y -qq systemd systemd-sysv >/dev/null")
            verdict.figures["set_up_s"] = round(time.monotonic() - began, 1)
            _there(root, f"useradd --system --home-dir {_CITY} --create-home geo_grid")
            for file in (points, place / "city.backup"):
                shutil.copy(file, root / "opt")
                (root / "opt" / file.name).chmod(0o644)
            began = time.monotonic()
            _there(root, ".venv/bin/geo-grid restore /opt/city.backup", "geo_grid")
            verdict.figures["restore_s"] = round(time.monotonic() - began, 1)
            _there(root, f".venv/bin/geo-grid locate --file /opt/points.csv --out {_CITY}/after.csv", "geo_grid")
            is_same = (root / _CITY.lstrip("/") / "after.csv").read_bytes() == before
            verdict.expect(is_same, "the new city answers with other owners")
            _serve(verdict, root)
    return verdict


def _serve(verdict: Verdict, root: Path) -> None:
    """Let systemd run the unit of docs/: started, killed, ended."""
    port = free_port()
    unit = (root / _HOME / "docs/geo-grid.service").read_text().replace("GEO_GRID_PORT=8000", f"GEO_GRID_PORT={port}")
    (root / "etc/systemd/system/geo-grid.service").write_text(unit)
    _there(root, "systemctl enable geo-grid")

    def is_ready() -> bool:
        return is_ready_at(f"http://127.0.0.1:{port}")

    with _booted(root) as inside:
        verdict.figures["ready_s"] = until(is_ready, "systemd does not start it")
        data = root / _CITY.lstrip("/") / "postgres"
        verdict.figures["to"] = int((data / "PG_VERSION").read_text())
        main = _run(*inside, "systemctl", "show", "geo-grid", "--property=MainPID", "--value").strip()
        _run(*inside, "kill", "-9", main)
        until(lambda: not is_ready(), "a killed service still answers")
        verdict.figures["back_after_kill_s"] = until(is_ready, "systemd does not start it again")
        began = time.monotonic()
        _run(*inside, "systemctl", "stop", "geo-grid")
        verdict.figures["stop_s"] = round(time.monotonic() - began, 1)
        state = _run(*inside, "systemctl", "show", "geo-grid", "--property=ActiveState,Result")
        verdict.expect("inactive" in state and "success" in state, f"it did not end in order: {state}")
        verdict.expect(not (data / "postmaster.pid").exists(), "PostgreSQL was not ended")
