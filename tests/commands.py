"""The program `geo-grid` as tests start it: `python -m geo_grid`, in a process that has imported all it needs.

A start of Python and the imports take 2 s of a core, and most commands a tenth of that; so a command is forked from a
process that has the imports, with arguments, environment, standard streams and exit code of its own. What is killed,
told to end, or goes on in the background is started anew by the tests of that.
"""

import contextlib
import json
import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

import coverage

_CONTEXT = multiprocessing.get_context("forkserver")
_LONGEST_S = 120.0
_ASKS = """#!{python} -IS
import json, os, socket, sys
if {{"up", "down", "serve"}} & set(sys.argv[1:2]):
    os.execv("{python}", ["{python}", "-m", "geo_grid", *sys.argv[1:]])
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asked:
    asked.connect("{address}")
    question = {{"command": sys.argv, "folder": os.getcwd(), "environment": dict(os.environ)}}
    socket.send_fds(asked, [json.dumps(question).encode()], [0, 1, 2])
    sys.exit(int(asked.recv(16)))
"""


def prepare() -> None:
    """Have this process's children forked from one that has imported what is long to import."""
    _CONTEXT.set_forkserver_preload(["tests.preloaded"])
    forkserver.ensure_running()


def geo_grid(conninfo: str, *arguments: object, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command on a database; its exit code is as expected."""
    environment = {**os.environ, "GEO_GRID_DATABASE_URL": conninfo, "GEO_GRID_TIMEZONE": "America/Chicago"}
    done = run(environment, *arguments)
    assert done.returncode == expect, done.stderr
    return done


def run(environment: Mapping[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command in this folder."""
    command = ["geo-grid", *map(str, arguments)]
    with Path(os.devnull).open("rb") as nothing, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        code = _run(environment, Path.cwd(), command, [one.fileno() for one in (nothing, out, err)])
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, code, out.read().decode(), err.read().decode())


@contextlib.contextmanager
def program(path: Path) -> Iterator[None]:
    """A program `geo-grid` for shells, while the context lasts; what goes on in the background it starts anew."""
    address = path.with_suffix(".socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asked:
        asked.bind(str(address))
        asked.listen()
        path.write_text(_ASKS.format(python=sys.executable, address=address))
        path.chmod(0o755)
        thread = threading.Thread(target=_serve, args=[asked])
        thread.start()
        try:
            yield
        finally:
            asked.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(asked: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is shut down
        while True:
            client, _ = asked.accept()
            with client:
                said, streams, _, _ = socket.recv_fds(client, 1 << 18, 3)
                question = json.loads(said)
                try:
                    code = _run(question["environment"], question["folder"], question["command"], streams)
                finally:
                    for stream in streams:
                        os.close(stream)
                client.send(str(code).encode())


def _run(environment: Mapping[str, str], folder: Path | str, command: list[str], streams: Sequence[int]) -> int:
    passed = [Connection(os.dup(stream)) for stream in streams]
    process = _CONTEXT.Process(target=_become, args=(dict(environment), str(folder), command, passed))
    process.start()
    for stream in passed:
        stream.close()
    process.join(_LONGEST_S)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise subprocess.TimeoutExpired(command, _LONGEST_S)
    return process.exitcode


def _become(environment: dict[str, str], folder: str, command: list[str], streams: Sequence[Connection]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv[:] = command
    try:
        runpy.run_module("geo_grid", run_name="__main__", alter_sys=True)
    finally:
        with contextlib.suppress(AttributeError):  # nothing is measured
            coverage.Coverage.current().save()
