"""The server's network namespace loses the database: packets vanish for 15 seconds, while incidents are filed.

A second server of the city runs in a network namespace of its own (ip-netns(8)), which reaches PostgreSQL through a pair of
virtual network devices alone. The pair is taken down, so that no side is told: what is sent is never acknowledged.
"""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from drills.filing import compare, filing
from drills.kit import City, free_port, say, until
from drills.verdict import CannotBeDoneError, Verdict
from geo_grid.db.connections import APPLICATION_ROLE

_CUT_S, _BESIDE_S = 15.0, 6.0
_OURS, _THEIRS = "10.213.77.1", "10.213.77.2"
_AGAIN_S = 40.0
"""Longest time until incidents are taken again."""


def _ip(*arguments: str) -> None:
    try:
        subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        message = f"no network namespace can be made here (ip {' '.join(arguments)}: {said.strip()})"
        raise CannotBeDoneError(message) from None


@contextlib.contextmanager
def _namespace() -> Iterator[tuple[str, str]]:
    """A network namespace with a way to this one; yields its name and that of the device on our side."""
    name = f"drill{os.getpid()}"
    ours, theirs = f"dr{os.getpid()}a", f"dr{os.getpid()}b"
    try:
        _ip("netns", "add", name)
        _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        _ip("addr", "add", f"{_OURS}/30", "dev", ours)
        _ip("link", "set", ours, "up")
        for arguments in (
            ("link", "set", "lo", "up"),
            ("addr", "add", f"{_THEIRS}/30", "dev", theirs),
            ("link", "set", theirs, "up"),
        ):
            _ip("-n", name, *arguments)
        yield name, theirs
    finally:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


@contextlib.contextmanager
def _relayed(target: str) -> Iterator[int]:
    """A TCP port on our side of the way that leads to PostgreSQL's Unix socket."""
    listening = socket.create_server((_OURS, 0))

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(target)
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


@contextlib.contextmanager
def _server(city: City, network: str, port: int) -> Iterator[tuple[str, Path]]:
    """A server of the city in a network; yields its address there and its log."""
    parts = conninfo_to_dict(city.conninfo)
    over_network = make_conninfo(host=_OURS, port=port, user=str(parts["user"]), dbname=str(parts["dbname"]))
    folder, serving = city.state_dir / "second", free_port()
    log = city.state_dir / "second.log"
    environment = {
        **city.environment, "GEO_GRID_STATE_DIR": str(folder), "GEO_GRID_PORT": str(serving),
        "GEO_GRID_DATABASE_URL": over_network,
        "GEO_GRID_APP_DATABASE_URL": make_conninfo(over_network, user=APPLICATION_ROLE),
    }  # fmt: skip
    command = ["ip", "netns", "exec", network, sys.executable, "-m", "geo_grid", "serve"]
    with log.open("w") as said:
        server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        until(lambda: "serving at" in log.read_text() or server.poll() is not None, "the second server did not start")
        assert server.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{serving}", log
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def drill(city: City, share: float = 1.0) -> Verdict:
    verdict, key = Verdict(), city.new_key()
    parts = conninfo_to_dict(city.conninfo)
    unix = f"{parts['host']}/.s.PGSQL.{parts['port']}"
    with _namespace() as (network, device), _relayed(unix) as port, _server(city, network, port) as (url, log):
        with filing(url, key, network=network) as told:
            time.sleep(max(2.0, _BESIDE_S * share))
            count = len(told.answered_at)
            assert count, log.read_text()
            say("the way to the database is cut ...")
            _ip("-n", network, "link", "set", device, "down")
            time.sleep(_CUT_S * max(share, 0.2))
            silent = len(told.answered_at)
            time.sleep(0.5)
            verdict.expect(len(told.answered_at) == silent, "incidents were taken without a database")
            _ip("-n", network, "link", "set", device, "up")
            began = time.monotonic()
            until(lambda: len(told.answered_at) > silent + 20, "nothing is taken after the way is there again")
            again_s = round(time.monotonic() - began, 2)
            time.sleep(max(1.0, _BESIDE_S * share))
        compare(verdict, city.conninfo, told)
    verdict.figures |= {"cut_s": round(_CUT_S * max(share, 0.2), 1), "taken_again_after_s": again_s}
    if share == 1.0:  # longer than it takes to notice
        verdict.expect(told.answers[503], "nobody was told to come back: questions hung")
    verdict.expect(again_s < _AGAIN_S, f"incidents were taken again after {again_s} s only")
    return verdict
